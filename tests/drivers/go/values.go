package main

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/golang-sql/civil"
	mssql "github.com/microsoft/go-mssqldb"
	"github.com/shopspring/decimal"
)

const moment = "2006-01-02T15:04:05.0000000"

// The parameters of a step as database/sql wants them, named as the text names them.
func parameters(step step) ([]any, error) {
	arguments := []any{}
	for index, parameter := range step.Params {
		value, err := fromText(*parameter[0], parameter[1])
		if err != nil {
			return nil, err
		}
		arguments = append(arguments, sql.Named(fmt.Sprintf("p%d", index+1), value))
	}
	return arguments, nil
}

// A value in the common notation as the type this driver sends it by.
func fromText(kind string, text *string) (any, error) {
	if text == nil {
		return nil, nil
	}
	switch kind {
	case "bit":
		return *text == "true", nil
	case "int":
		number, err := strconv.ParseInt(*text, 10, 32)
		return int32(number), err
	case "bigint":
		return strconv.ParseInt(*text, 10, 64)
	case "decimal":
		return decimal.NewFromString(*text)
	case "float":
		bits, err := strconv.ParseUint(strings.TrimPrefix(*text, "double:"), 16, 64)
		return math.Float64frombits(bits), err
	case "nvarchar":
		return *text, nil
	case "varbinary":
		return hex.DecodeString(strings.TrimPrefix(*text, "0x"))
	case "date":
		return civil.ParseDate(*text)
	case "datetime":
		at, err := time.Parse(moment, *text)
		return mssql.DateTime1(at), err
	case "datetime2":
		at, err := time.Parse(moment, *text)
		return civil.DateTimeOf(at), err
	case "uniqueidentifier":
		var id mssql.UniqueIdentifier
		return id, id.Scan(*text)
	}
	return nil, fmt.Errorf("unknown kind of parameter %q", kind)
}

// A result in the common notation; the column's type tells what bytes are.
func asText(kind string, value any) (*string, error) {
	var text string
	switch value := value.(type) {
	case nil:
		return nil, nil
	case float64:
		text = fmt.Sprintf("double:%016x", math.Float64bits(value))
	case time.Time:
		if text = value.Format(moment); kind == "DATE" {
			text = value.Format(time.DateOnly)
		}
	case []byte:
		switch kind {
		case "DECIMAL", "MONEY":
			text = string(value)
		case "UNIQUEIDENTIFIER":
			var id mssql.UniqueIdentifier
			if err := id.Scan(value); err != nil {
				return nil, err
			}
			text = id.String()
		default:
			text = "0x" + strings.ToUpper(hex.EncodeToString(value))
		}
	default:
		text = fmt.Sprint(value)
	}
	return &text, nil
}
