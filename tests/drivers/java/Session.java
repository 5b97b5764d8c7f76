import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLTimeoutException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;
import java.util.Timer;
import java.util.TimerTask;

/**
 * One connection of Microsoft's JDBC driver, or of jTDS. Microsoft's `encrypt=false` still encrypts the login: it cannot do without.
 */
final class Session implements AutoCloseable {
    private static final Map<String, Map<String, String>> MODES = Map.of(
            "login", Map.of("encrypt", "false"),
            "trust", Map.of("encrypt", "true", "trustServerCertificate", "true"),
            "verify", Map.of("encrypt", "true", "trustServerCertificate", "false"),
            "strict", Map.of("encrypt", "strict"));
    private static final Map<String, String> JTDS_MODES = Map.of("none", "off", "trust", "require");
    /** Protects a file of public certificates; the format wants one. */
    private static final String STORE_PASSWORD = "certificates";

    private final Connection connection;

    Session(JsonObject job, JsonObject check) throws Exception {
        boolean readOnly = check.get("read_only").getAsBoolean();
        connection = isJtds(job) ? jtds(job, check) : microsoft(job, check, readOnly);
    }

    private static boolean isJtds(JsonObject job) {
        return job.get("client").getAsString().equals("jtds");
    }

    /** jTDS knows neither intents nor a way to name a certificate. */
    private static Connection jtds(JsonObject job, JsonObject check) throws SQLException {
        Properties properties = new Properties();
        properties.put("user", job.get("user").getAsString());
        properties.put("password", job.get("password").getAsString());
        properties.put("ssl", JTDS_MODES.get(check.get("mode").getAsString()));
        properties.put("loginTimeout", "10");
        String address = job.get("host").getAsString() + ":" + job.get("port").getAsString();
        return DriverManager.getConnection("jdbc:jtds:sqlserver://" + address + "/" + job.get("database").getAsString(), properties);
    }

    private static Connection microsoft(JsonObject job, JsonObject check, boolean readOnly) throws Exception {
        Properties properties = new Properties();
        properties.putAll(MODES.get(check.get("mode").getAsString()));
        properties.put("user", job.get("user").getAsString());
        properties.put("password", check.get("wrong_password").getAsBoolean() ? "not the password" : job.get("password").getAsString());
        properties.put("databaseName", (check.get("database").isJsonNull() ? job : check).get("database").getAsString());
        properties.put("applicationIntent", readOnly ? "ReadOnly" : "ReadWrite");
        properties.put("loginTimeout", "10");
        properties.put("connectRetryCount", "0");
        properties.put("trustStore", trustStore(job));
        properties.put("trustStoreType", "PKCS12");
        properties.put("trustStorePassword", STORE_PASSWORD);
        String port = job.get(readOnly ? "read_only_port" : "port").getAsString();
        return DriverManager.getConnection("jdbc:sqlserver://" + job.get("host").getAsString() + ":" + port, properties);
    }

    static String version(JsonObject job) throws SQLException {
        Driver driver = DriverManager.getDriver(isJtds(job) ? "jdbc:jtds:sqlserver://localhost" : "jdbc:sqlserver://");
        return (isJtds(job) ? "jTDS " : "mssql-jdbc ") + driver.getMajorVersion() + "." + driver.getMinorVersion();
    }

    /** Java reads no PEM: the CA goes into a store of its own. */
    private static String trustStore(JsonObject job) throws Exception {
        Path file = Path.of(job.get("work_dir").getAsString(), "ca.p12");
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (InputStream pem = Files.newInputStream(Path.of(job.get("ca_file").getAsString()))) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(pem));
        }
        try (OutputStream out = Files.newOutputStream(file)) {
            store.store(out, STORE_PASSWORD.toCharArray());
        }
        return file.toString();
    }

    JsonObject run(String sql, JsonArray parameters, String verb) throws SQLException {
        try (PreparedStatement prepared = parameters.isEmpty() ? null : prepare(sql, parameters);
                Statement plain = prepared == null ? connection.createStatement() : null) {
            boolean hasRows = prepared == null ? plain.execute(sql) : prepared.execute();
            return outcome(prepared == null ? plain : prepared, hasRows, verb.equals("execute"));
        }
    }

    private PreparedStatement prepare(String sql, JsonArray parameters) throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql.replaceAll("@p\\d+", "?"));
        for (int index = 0; index < parameters.size(); index++) {
            JsonArray parameter = parameters.get(index).getAsJsonArray();
            Values.bind(statement, index + 1, parameter.get(0).getAsString(), parameter.get(1));
        }
        return statement;
    }

    /** All result sets in order, or the first update count. */
    private static JsonObject outcome(Statement statement, boolean hasRows, boolean countOnly) throws SQLException {
        JsonObject outcome = new JsonObject();
        JsonArray sets = new JsonArray();
        int affected = hasRows ? -1 : statement.getUpdateCount();
        while (hasRows || statement.getUpdateCount() != -1) {
            if (hasRows) {
                sets.add(table(statement.getResultSet()));
            }
            hasRows = statement.getMoreResults();
        }
        if (countOnly) {
            outcome.addProperty("affected", affected);
        } else {
            outcome.add("sets", sets);
        }
        return outcome;
    }

    private static JsonObject table(ResultSet found) throws SQLException {
        ResultSetMetaData heads = found.getMetaData();
        JsonArray columns = new JsonArray();
        for (int column = 1; column <= heads.getColumnCount(); column++) {
            columns.add(heads.getColumnLabel(column));
        }
        JsonArray rows = new JsonArray();
        while (found.next()) {
            JsonArray row = new JsonArray();
            for (int column = 1; column <= heads.getColumnCount(); column++) {
                row.add(Values.text(found, column, heads.getColumnTypeName(column)));
            }
            rows.add(row);
        }
        JsonObject table = new JsonObject();
        table.add("columns", columns);
        table.add("rows", rows);
        return table;
    }

    void begin() throws SQLException {
        connection.setAutoCommit(false);
    }

    void commit() throws SQLException {
        connection.commit();
        connection.setAutoCommit(true);
    }

    void rollback() throws SQLException {
        connection.rollback();
        connection.setAutoCommit(true);
    }

    /** Whether the driver stopped the statement, by a cancel from another thread or by its query timeout. */
    boolean interrupt(String verb, String sql, long afterMs) throws SQLException {
        Timer timer = new Timer(true);
        try (Statement statement = connection.createStatement()) {
            if (verb.equals("timeout")) {
                statement.setQueryTimeout((int) (afterMs / 1000));
            } else {
                timer.schedule(cancelling(statement), afterMs);
            }
            statement.execute(sql);
            return false;
        } catch (SQLException raised) {
            // HY008 is "operation cancelled"; anything else is not the end we asked for.
            boolean wanted = verb.equals("timeout") ? raised instanceof SQLTimeoutException : "HY008".equals(raised.getSQLState());
            if (!wanted) {
                throw raised;
            }
            return true;
        } finally {
            timer.cancel();
        }
    }

    private static TimerTask cancelling(Statement statement) {
        return new TimerTask() {
            @Override
            public void run() {
                try {
                    statement.cancel();
                } catch (SQLException raised) {
                    System.err.println("cancel: " + raised);
                }
            }
        };
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
