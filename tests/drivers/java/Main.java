import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;

/**
 * Runs the checks of one JSON job with a JDBC driver and prints what it saw as one JSON document.
 *
 * <p>The job file is the first argument: {client, host, port, read_only_port, ca_file, user, password, database, work_dir, checks}.
 */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        JsonObject job = JsonParser.parseString(Files.readString(Path.of(arguments[0]))).getAsJsonObject();
        JsonObject outcomes = new JsonObject();
        JsonObject checks = job.getAsJsonObject("checks");
        for (String id : checks.keySet()) {
            outcomes.add(id, examine(job, checks.getAsJsonObject(id)));
        }
        JsonObject report = new JsonObject();
        report.add("client", job.get("client"));
        report.addProperty("version", Session.version(job));
        report.add("outcomes", outcomes);
        new PrintStream(System.out, true, StandardCharsets.UTF_8).println(report);
        // A driver thread that still waits for something must not keep the program.
        System.exit(0);
    }

    /** One check, on a connection of its own. */
    private static JsonObject examine(JsonObject job, JsonObject check) {
        JsonObject outcome = new JsonObject();
        JsonArray steps = new JsonArray();
        outcome.add("steps", steps);
        try (Session session = new Session(job, check)) {
            outcome.add("connect", done());
            for (JsonElement step : check.getAsJsonArray("steps")) {
                try {
                    steps.add(perform(session, step.getAsJsonObject()));
                } catch (Exception raised) {
                    steps.add(failed(raised));
                }
            }
        } catch (Exception raised) {
            if (!outcome.has("connect")) {
                outcome.add("connect", failed(raised));
            }
        }
        return outcome;
    }

    /** One step; see runner/checks.py for the verbs. */
    private static JsonObject perform(Session session, JsonObject step) throws Exception {
        switch (step.get("do").getAsString()) {
            case "begin":
                session.begin();
                return done();
            case "commit":
                session.commit();
                return done();
            case "rollback":
                session.rollback();
                return done();
            case "cancel":
            case "timeout":
                return interrupted(session, step);
            default:
                return session.run(step.get("sql").getAsString(), step.getAsJsonArray("params"), step.get("do").getAsString());
        }
    }

    /** Runs a statement that the driver must stop, and says whether it was stopped in time. */
    private static JsonObject interrupted(Session session, JsonObject step) throws SQLException {
        long afterMs = step.get("after_ms").getAsLong();
        long started = System.nanoTime();
        boolean stopped = session.interrupt(step.get("do").getAsString(), step.get("sql").getAsString(), afterMs);
        long elapsedMs = (System.nanoTime() - started) / 1_000_000;
        JsonObject outcome = new JsonObject();
        outcome.addProperty("interrupted", stopped);
        outcome.addProperty("in_time", elapsedMs >= afterMs - 50 && elapsedMs <= step.get("within_ms").getAsLong());
        return outcome;
    }

    private static JsonObject done() {
        JsonObject outcome = new JsonObject();
        outcome.addProperty("done", true);
        return outcome;
    }

    /** The outcome of a step that raised: the server's error number if it has one. */
    private static JsonObject failed(Exception raised) {
        JsonObject outcome = new JsonObject();
        if (raised instanceof SQLException sql && sql.getErrorCode() > 0) {
            outcome.addProperty("error", sql.getErrorCode());
            outcome.addProperty("message", raised.getMessage());
        } else {
            outcome.addProperty("failure", raised.toString());
        }
        return outcome;
    }

    private Main() {}
}
