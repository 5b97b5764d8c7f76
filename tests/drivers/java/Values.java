import com.google.gson.JsonElement;
import java.math.BigDecimal;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;

/** The common notation of values: text to a JDBC parameter, and a JDBC result to text. */
final class Values {
    private static final DateTimeFormatter MOMENT = DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSSS");
    private static final HexFormat HEX = HexFormat.of().withUpperCase();

    static void bind(PreparedStatement statement, int index, String kind, JsonElement value) throws SQLException {
        if (value.isJsonNull()) {
            statement.setNull(index, type(kind));
            return;
        }
        String text = value.getAsString();
        switch (kind) {
            case "bit" -> statement.setBoolean(index, text.equals("true"));
            case "int" -> statement.setInt(index, Integer.parseInt(text));
            case "bigint" -> statement.setLong(index, Long.parseLong(text));
            case "decimal" -> statement.setBigDecimal(index, new BigDecimal(text));
            case "float" -> statement.setDouble(index, Double.longBitsToDouble(Long.parseUnsignedLong(text.substring("double:".length()), 16)));
            case "nvarchar" -> statement.setNString(index, text);
            case "varbinary" -> statement.setBytes(index, HEX.parseHex(text.substring("0x".length())));
            case "date" -> statement.setObject(index, LocalDate.parse(text), Types.DATE);
            case "datetime", "datetime2" -> statement.setTimestamp(index, Timestamp.valueOf(LocalDateTime.parse(text)));
            case "uniqueidentifier" -> statement.setObject(index, text, microsoft.sql.Types.GUID);
            default -> throw new SQLException("unknown kind of parameter: " + kind);
        }
    }

    private static int type(String kind) throws SQLException {
        return switch (kind) {
            case "bit" -> Types.BIT;
            case "int" -> Types.INTEGER;
            case "bigint" -> Types.BIGINT;
            case "decimal" -> Types.DECIMAL;
            case "float" -> Types.DOUBLE;
            case "nvarchar" -> Types.NVARCHAR;
            case "varbinary" -> Types.VARBINARY;
            case "date" -> Types.DATE;
            case "datetime", "datetime2" -> Types.TIMESTAMP;
            case "uniqueidentifier" -> microsoft.sql.Types.GUID;
            default -> throw new SQLException("unknown kind of parameter: " + kind);
        };
    }

    static String text(ResultSet found, int column, String type) throws SQLException {
        Object value = switch (type) {
            case "date" -> found.getObject(column, LocalDate.class);
            case "datetime", "datetime2" -> found.getObject(column, LocalDateTime.class);
            default -> found.getObject(column);
        };
        if (value == null) {
            return null;
        }
        if (value instanceof Double number) {
            return "double:" + String.format("%016x", Double.doubleToLongBits(number));
        }
        if (value instanceof BigDecimal number) {
            return number.toPlainString();
        }
        if (value instanceof byte[] bytes) {
            return "0x" + HEX.formatHex(bytes);
        }
        if (value instanceof LocalDateTime moment) {
            return MOMENT.format(moment);
        }
        return value.toString();
    }

    private Values() {}
}
