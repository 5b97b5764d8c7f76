package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"

	_ "github.com/microsoft/go-mssqldb"
)

var modes = map[string]url.Values{
	"none":   {"encrypt": {"disable"}},
	"login":  {"encrypt": {"false"}, "TrustServerCertificate": {"true"}},
	"trust":  {"encrypt": {"true"}, "TrustServerCertificate": {"true"}},
	"verify": {"encrypt": {"true"}},
	"strict": {"encrypt": {"strict"}},
}

type tx = sql.Tx

// One connection; what database/sql would pool is held fast.
type session struct {
	pool        *sql.DB
	connection  *sql.Conn
	transaction *sql.Tx
}

func connect(ctx context.Context, todo job, check check) (*session, error) {
	port, intent, password := todo.Port, "ReadWrite", todo.Password
	if check.ReadOnly {
		port, intent = todo.ReadOnlyPort, "ReadOnly"
	}
	if check.WrongPassword {
		password = "not the password"
	}
	database := todo.Database
	if check.Database != "" {
		database = check.Database
	}
	query := url.Values{"database": {database}, "ApplicationIntent": {intent}, "dial timeout": {"10"}, "connection timeout": {"10"}}
	for key, value := range modes[check.Mode] {
		query[key] = value
	}
	if check.Mode == "verify" || check.Mode == "strict" {
		query.Set("certificate", todo.CAFile)
	}
	address := url.URL{
		Scheme:   "sqlserver",
		User:     url.UserPassword(todo.User, password),
		Host:     fmt.Sprintf("%s:%d", todo.Host, port),
		RawQuery: query.Encode(),
	}
	pool, err := sql.Open("sqlserver", address.String())
	if err != nil {
		return nil, err
	}
	connection, err := pool.Conn(ctx)
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &session{pool: pool, connection: connection}, nil
}

func (s *session) close() {
	s.connection.Close()
	s.pool.Close()
}

func (s *session) begin(ctx context.Context) (err error) {
	s.transaction, err = s.connection.BeginTx(ctx, nil)
	return err
}

func (s *session) end(how func(*sql.Tx) error) error {
	transaction := s.transaction
	s.transaction = nil
	if transaction == nil {
		return sql.ErrTxDone
	}
	return how(transaction)
}

// Where statements go: database/sql wants them on the transaction while there is one.
func (s *session) target() interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
} {
	if s.transaction != nil {
		return s.transaction
	}
	return s.connection
}

func (s *session) execute(ctx context.Context, step step) (outcome, error) {
	arguments, err := parameters(step)
	if err != nil {
		return nil, err
	}
	result, err := s.target().ExecContext(ctx, step.SQL, arguments...)
	if err != nil {
		return nil, err
	}
	rows, err := result.RowsAffected()
	return outcome{"affected": rows}, err
}

// A connection whose statement was cancelled is still asked for by the next step, which shows whether it is usable.
func (s *session) stopped(ctx context.Context, text string) error {
	_, err := s.connection.ExecContext(ctx, text)
	return err
}

func (s *session) query(ctx context.Context, step step) (outcome, error) {
	arguments, err := parameters(step)
	if err != nil {
		return nil, err
	}
	found, err := s.target().QueryContext(ctx, step.SQL, arguments...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	sets := []outcome{}
	for {
		set, err := table(found)
		if err != nil {
			return nil, err
		}
		if set != nil {
			sets = append(sets, set)
		}
		if !found.NextResultSet() {
			return outcome{"sets": sets}, found.Err()
		}
	}
}

// One result set, or nil for a statement without one.
func table(found *sql.Rows) (outcome, error) {
	columns, err := found.ColumnTypes()
	if err != nil || len(columns) == 0 {
		return nil, err
	}
	names := []string{}
	for _, column := range columns {
		names = append(names, column.Name())
	}
	rows := [][]*string{}
	for found.Next() {
		cells, targets := make([]any, len(columns)), make([]any, len(columns))
		for index := range cells {
			targets[index] = &cells[index]
		}
		if err := found.Scan(targets...); err != nil {
			return nil, err
		}
		row := []*string{}
		for index, cell := range cells {
			text, err := asText(columns[index].DatabaseTypeName(), cell)
			if err != nil {
				return nil, err
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	return outcome{"columns": names, "rows": rows}, found.Err()
}
