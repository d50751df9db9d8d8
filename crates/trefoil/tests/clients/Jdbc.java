// pgjdbc as a business-intelligence tool uses it: metadata, prepared statements, a fetch size, COPY. Prints a line for
// each thing that went well.

import java.io.ByteArrayOutputStream;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

public class Jdbc {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        properties.setProperty("options", System.getenv("PGOPTIONS"));
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/trefoil";
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            try (Statement statement = connection.createStatement();
                 ResultSet rows = statement.executeQuery("SELECT count(*) FROM users")) {
                rows.next();
                System.out.println("count " + rows.getLong(1));
            }
            try (PreparedStatement statement =
                     connection.prepareStatement("SELECT id, handle, created_at FROM users WHERE id = ?")) {
                for (int number = 1; number <= 20; number++) {
                    statement.setLong(1, number);
                    try (ResultSet rows = statement.executeQuery()) {
                        rows.next();
                        if (rows.getLong(1) != number) throw new IllegalStateException("another row");
                    }
                }
                System.out.println("prepared");
            }
            try (Statement statement = connection.createStatement()) {
                statement.executeQuery("SELECT * FROM data.users");
            } catch (SQLException error) {
                System.out.println("refused " + error.getSQLState());
            }
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(300);
                int seen = 0;
                try (ResultSet rows = statement.executeQuery("SELECT id, handle FROM users")) {
                    while (rows.next()) seen++;
                }
                System.out.println("fetch size " + seen);
            }
            connection.rollback();
            connection.setAutoCommit(true);
            ByteArrayOutputStream copied = new ByteArrayOutputStream();
            long rows = connection.unwrap(PGConnection.class).getCopyAPI()
                .copyOut("COPY (SELECT id, handle FROM users) TO STDOUT WITH (FORMAT csv)", copied);
            System.out.println("copy " + rows);
            metadata(connection.getMetaData());
        }
    }

    private static void metadata(DatabaseMetaData metadata) throws SQLException {
        System.out.println("schemas " + names(metadata.getSchemas(), "TABLE_SCHEM"));
        System.out.println("tables " + names(metadata.getTables(null, "support", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME"));
        System.out.println("columns " + names(metadata.getColumns(null, "support", "users", "%"), "COLUMN_NAME"));
        System.out.println("keys " + names(metadata.getPrimaryKeys(null, "support", "users"), "COLUMN_NAME"));
        System.out.println("imported " + names(metadata.getImportedKeys(null, "support", "payments"), "FKCOLUMN_NAME"));
        System.out.println("indexes " + names(metadata.getIndexInfo(null, "support", "users", false, true), "INDEX_NAME"));
        System.out.println("types " + (names(metadata.getTypeInfo(), "TYPE_NAME").size() > 20));
    }

    private static Set<String> names(ResultSet rows, String column) throws SQLException {
        Set<String> names = new TreeSet<>();
        while (rows.next()) names.add(rows.getString(column));
        rows.close();
        return names;
    }
}
