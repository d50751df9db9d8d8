//! The attack table against the wall alone: statements of somebody who has both keys and no gate in front of them,
//! each trying for a planted value that the profile does not show. What the wall lets through is in the table as
//! well, because the threat model says what closes it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use common::{Enclave, example};
use tokio_postgres::{Client, SimpleQueryMessage};

/// What should come of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Refused with this SQLSTATE.
    Refused(&'static str),
    /// Answered with nothing that was planted.
    Harmless,
    /// Answered, and it should not be: a covert channel or a count that only the gate, or a standby, closes.
    Open,
}
use Ends::{Harmless, Open, Refused};

const DENIED: Ends = Refused("42501");

/// A subject of dublin-1 who did not consent to analytics, and a payment of hers.
const PLANT: &str = "\
    INSERT INTO data.users VALUES (-77, 'dublin-1', 'h-xyzzyx', 'Nxyzzyx Fxyzzyx', 'exyzzyx@secret.example', \
      '+999 88xyzzyx1', '1931-03-07', 'IE', 'en', false, 4242, '2019-03-07'); \
    INSERT INTO data.payments VALUES (-78, 'dublin-1', -77, 777777, 'EUR', 'IE99xyzzyx0000001234', 'paid', '2021-01-01')";
/// No answer may hold it: part of every identifier that was planted.
const PLANTED: &str = "xyzzyx";

/// As `support`: personal data clear, so names are hers to see; phone, e-mail and IBAN masked.
const SUPPORT: &[(&str, Ends)] = &[
    // What is not shown.
    ("SELECT email FROM data.users", DENIED),
    ("SELECT email FROM data.\"users_dublin-1\"", DENIED),
    ("SELECT * FROM data.users TABLESAMPLE SYSTEM (100)", DENIED),
    ("SELECT * FROM pseudonym.analytics", DENIED),
    ("SELECT * FROM pseudonym.\"analytics_dublin-1\"", DENIED),
    ("SELECT * FROM analytics.users", DENIED),
    ("SELECT phone, email FROM support.users WHERE id = -77", Harmless),
    (
        "SELECT count(*) FROM support.users WHERE email = 'exyzzyx@secret.example' HAVING count(*) > 0",
        Harmless,
    ),
    ("SELECT email::integer FROM support.users WHERE id = -77", Refused("22P02")),
    ("SELECT iban FROM support.payments WHERE user_id = -77", Harmless),
    ("SELECT email, phone FROM (SELECT (users).email, (users).phone FROM support.users) t", Harmless),
    ("SELECT ctid FROM support.users", Refused("42703")),
    ("SELECT trefoil.mask_email('a@b')", DENIED),
    ("COPY data.users TO STDOUT", DENIED),
    ("COPY (SELECT email FROM support.users) TO PROGRAM 'cat'", DENIED),
    // Becoming somebody else.
    ("SET SESSION AUTHORIZATION trefoil_admin", DENIED),
    ("SET ROLE trefoil_admin", DENIED),
    ("SET ROLE {owner}", DENIED),
    ("SET ROLE {other}", DENIED),
    ("SELECT set_config('role', 'trefoil_admin', false)", DENIED),
    ("SET session_replication_role = replica", DENIED),
    ("GRANT {reader} TO {other}", DENIED),
    ("ALTER ROLE {other} PASSWORD 'mine'", DENIED),
    ("ALTER VIEW support.users OWNER TO CURRENT_USER", DENIED),
    ("CREATE ROLE mine", DENIED),
    // Code of their own.
    ("CREATE TEMP TABLE t (a integer)", DENIED),
    ("SELECT email INTO TEMP t FROM support.users", DENIED),
    ("CREATE FUNCTION pg_temp.see(text) RETURNS boolean LANGUAGE sql COST 0.0001 AS 'SELECT true'", DENIED),
    ("CREATE FUNCTION support.see(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'", DENIED),
    ("CREATE VIEW support.v AS SELECT 1", DENIED),
    ("CREATE SCHEMA mine", DENIED),
    ("CREATE EXTENSION dblink", DENIED),
    ("DO 'BEGIN RAISE NOTICE ''hello''; END'", DENIED),
    ("LOAD 'auto_explain'", DENIED),
    ("CREATE OPERATOR support.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)", DENIED),
    // Functions that run text, or read files, catalogs and other people's sessions.
    ("SELECT query_to_xml('SELECT email FROM support.users', true, false, '')", DENIED),
    ("SELECT table_to_xml('support.users', true, false, '')", DENIED),
    ("SELECT * FROM ts_stat('SELECT to_tsvector(email) FROM support.users')", DENIED),
    ("SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')", DENIED),
    ("SELECT pg_read_file('postgresql.conf')", DENIED),
    ("SELECT pg_ls_dir('.')", DENIED),
    ("SELECT * FROM pg_authid", DENIED),
    ("SELECT * FROM pg_statistic", DENIED),
    (
        "SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = 'data'",
        Harmless,
    ),
    ("SELECT count(*) FROM pg_stats WHERE schemaname = 'data' HAVING count(*) > 0", Harmless),
    ("SELECT subconninfo FROM pg_subscription", DENIED),
    ("SELECT * FROM pg_hba_file_rules", DENIED),
    ("SELECT * FROM pg_largeobject", DENIED),
    ("SELECT query FROM pg_stat_activity", DENIED),
    ("SELECT pg_terminate_backend(pg_backend_pid())", DENIED),
    ("SELECT pg_cancel_backend(pg_backend_pid())", DENIED),
    ("SELECT n_live_tup FROM pg_stat_user_tables", DENIED),
    ("SELECT * FROM pg_locks", DENIED),
    ("SELECT * FROM pg_replication_slots", DENIED),
    ("SELECT currtid2('data.users', '(0,1)')", DENIED),
    ("SELECT pg_logical_slot_peek_changes('trefoil_hamar', NULL, NULL)", DENIED),
    // Writing.
    ("UPDATE support.users SET handle = 'x' WHERE id = -77", DENIED),
    ("INSERT INTO support.users (id) VALUES (-79)", DENIED),
    ("DELETE FROM support.payments", DENIED),
    ("SELECT * FROM support.users FOR UPDATE", DENIED),
    ("LOCK TABLE data.users", DENIED),
    ("SELECT lo_create(0)", DENIED),
    ("SELECT lo_from_bytea(0, 'x')", DENIED),
    ("SELECT pg_logical_emit_message(false, 'a', 'b')", DENIED),
    // Channels to other sessions.
    ("SELECT pg_notify('a', 'b')", DENIED),
    ("SELECT pg_advisory_lock(1)", DENIED),
    ("SELECT pg_try_advisory_xact_lock_shared(1, 2)", DENIED),
    ("SELECT pg_export_snapshot()", DENIED),
    // What the wall alone does not close. Each is a line in the threat model.
    ("NOTIFY a, 'b'", Open),
    ("LISTEN a", Open),
    ("ALTER ROLE {self} PASSWORD 'mine'", Open),
    ("ALTER ROLE {self} SET work_mem = '1GB'", Open),
    ("SET statement_timeout = 0; SET search_path = pg_catalog; SET work_mem = '1GB'", Open),
    ("SET application_name = 'to whom it may concern'", Open),
    ("SELECT reltuples, relpages FROM pg_class WHERE relname = 'users_dublin-1'", Open),
    ("SELECT pg_relation_size(oid) FROM pg_class WHERE relname = 'users_dublin-1'", Open),
    ("SELECT pg_get_viewdef(oid) FROM pg_class WHERE relname = 'payments' AND relkind = 'v'", Open),
    ("SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy", Open),
    ("SELECT rolname FROM pg_roles", Open),
    ("SELECT subname FROM pg_subscription", Open),
    ("SELECT pg_current_wal_lsn()", Open),
    (
        "SET client_min_messages = log; SET debug_print_rewritten = on; SELECT email FROM support.users LIMIT 1",
        Open,
    ),
    ("SELECT pg_sleep(0)", Open),
];

/// As `analytics`: rows of subjects who consented, pseudonyms, years.
const ANALYTICS: &[(&str, Ends)] = &[
    ("SELECT * FROM analytics.users", Harmless),
    ("SELECT handle FROM analytics.users", Refused("42703")),
    ("SELECT full_name FROM data.users", DENIED),
    ("SELECT count(*) FROM analytics.users WHERE followers = 4242 HAVING count(*) > 0", Harmless),
    // Were hidden rows judged before row-level security, the error would quote them.
    ("SELECT * FROM analytics.users WHERE 1 / (followers - 4242) > 0", Harmless),
    ("SELECT * FROM analytics.payments WHERE 1 / (amount_cents - 777777) > 0", Harmless),
    ("SELECT count(*) FROM analytics.payments WHERE amount_cents = 777777 HAVING count(*) > 0", Harmless),
    (
        "SELECT u.followers FROM analytics.users u JOIN analytics.payments p ON u.id = p.user_id \
      WHERE 1 / (u.followers - 4242) > 0 OR 1 / (p.amount_cents - 777777) > 0",
        Harmless,
    ),
    ("SELECT birth_date FROM analytics.users WHERE birth_date > 2100", Harmless),
    ("SET row_security = off; SELECT * FROM analytics.users", DENIED),
    ("SELECT token FROM pseudonym.analytics", DENIED),
    ("SELECT * FROM engineering.users", DENIED),
    // Known: the plan tells how many rows were held back. The gate refuses EXPLAIN.
    ("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM analytics.users", Open),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_planted_comes_back() {
    let enclave = Enclave::provisioned(example(), 400).await;
    let admin = enclave.cluster("dublin-1").admin().await.unwrap();
    admin.batch_execute(PLANT).await.unwrap();
    admin.batch_execute("ANALYZE data.users, data.payments").await.unwrap();
    for (profile, other, attempts) in [("support", "analytics", SUPPORT), ("analytics", "support", ANALYTICS)]
    {
        let client = enclave.session(profile, "dublin-1", 1).await;
        for (statement, expected) in attempts {
            let statement = named(&enclave, profile, other, statement);
            check(&client, profile, &statement, *expected).await;
        }
    }
    shown(&enclave).await;
    masks(&admin).await;
    order_says_nothing(&enclave).await;
}

fn named(enclave: &Enclave, profile: &str, other: &str, statement: &str) -> String {
    let quoted = wall::names::quoted;
    let hash = &enclave.profile(profile).hash;
    statement
        .replace("{self}", &quoted(&enclave.role(profile, "dublin-1", 1)))
        .replace("{other}", &quoted(&enclave.role(other, "dublin-1", 1)))
        .replace("{owner}", &quoted(&wall::names::owner_role(hash)))
        .replace("{reader}", &quoted(&wall::names::profile_role(hash)))
}

/// Each in a transaction of its own that is rolled back, and not read-only: that is a default, which anybody may change.
async fn check(client: &Client, profile: &str, statement: &str, expected: Ends) {
    let found = client.simple_query(&format!("BEGIN READ WRITE; {statement}")).await;
    client.batch_execute("ROLLBACK; RESET ALL").await.unwrap();
    let what = format!("{profile}: {statement}");
    match (&found, expected) {
        (Err(error), Refused(code)) => {
            let server = error.as_db_error().unwrap_or_else(|| panic!("{what}: {error}"));
            assert_eq!(server.code().code(), code, "{what}: {server}");
            assert!(!format!("{server:?}").contains(PLANTED), "{what}: {server:?}");
        }
        (Ok(messages), Harmless | Open) => {
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            for row in rows {
                for value in (0..row.len()).filter_map(|at| row.get(at)) {
                    assert!(!value.contains(PLANTED), "{what}: {value}");
                    assert!(
                        expected == Open || !statement.contains("HAVING"),
                        "{what}: a hidden row was counted"
                    );
                }
            }
        }
        (found, _) => panic!("{what}: expected {expected:?}, found {found:?}"),
    }
}

/// What each profile is shown of one subject.
async fn shown(enclave: &Enclave) {
    let row = async |profile: &str, query: &str| {
        let client = enclave.session(profile, "dublin-1", 2).await;
        let rows = client.simple_query(query).await.unwrap();
        let row = rows.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.unwrap_or_else(|| panic!("{profile}: no row"));
        (0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect::<Vec<_>>().join("|")
    };
    let support = "SELECT full_name, email, phone, birth_date FROM users WHERE id = -77";
    assert_eq!(row("support", support).await, "Nxyzzyx Fxyzzyx|e***@secret.example|+999 *** x1|1931-03-07");
    let payment = "SELECT iban, amount_cents FROM payments WHERE user_id = -77";
    assert_eq!(row("support", payment).await, "IE** **** 1234|777777");
    let token = row("engineering", "SELECT id FROM users WHERE followers = 4242").await;
    assert_eq!(token.len(), 32, "{token}");
    let consented = row("analytics", "SELECT count(*), count(id), count(DISTINCT id) FROM users").await;
    let admin = enclave.cluster("dublin-1").admin().await.unwrap();
    let there: i64 =
        admin.query_one("SELECT count(*) FROM data.users WHERE analytics_consent", &[]).await.unwrap().get(0);
    assert_eq!(consented, format!("{there}|{there}|{there}"));
    let year = row(
        "analytics",
        "SELECT min(birth_date) > 1900 AND max(birth_date) < 2030, count(user_id) > 0 \
        FROM users JOIN payments ON users.id = payments.user_id",
    )
    .await;
    assert_eq!(year, "t|t");
}

/// What masks leave, by example.
async fn masks(admin: &Client) {
    for (mask, value, expected) in [
        ("email", "aoife@example.org", "a***@example.org"),
        ("email", "no address", "n***@"),
        ("name", "Øyvind Bø", "Ø."),
        ("phone", "+353 87 123 4567", "+353 *** 67"),
        ("phone", "+4791234567", "+479 *** 67"),
        ("phone", "1234567", "***"),
        ("iban", "IE29AIBK93115212345678", "IE** **** 5678"),
        ("iban", "IE29AIBK", "***"),
        ("text", "anything", "***"),
        ("text", "", "***"),
        ("date", "1987-12-31", "1987"),
        ("date", "infinity", "NULL"),
        ("timestamptz", "2019-12-31 23:30:00-02", "2020"),
    ] {
        let call = format!(
            "SELECT coalesce(trefoil.mask_{mask}($1::text::{mask_type})::text, 'NULL')",
            mask_type = if ["date", "timestamptz"].contains(&mask) { mask } else { "text" }
        );
        let found: String = admin.query_one(&call, &[&value]).await.unwrap().get(0);
        assert_eq!(found, expected, "{mask} of {value}");
    }
    for mask in wall::mask::ALL {
        let call = format!("SELECT trefoil.{}(NULL) IS NULL", mask.name);
        assert!(admin.query_one(&call, &[]).await.unwrap().get::<_, bool>(0), "{}", mask.name);
    }
}

/// A reader of pseudonyms may know the subjects' keys from elsewhere. The order in which tokens come, by whatever plan,
/// must not pair them: the first token would be the first subject's.
async fn order_says_nothing(enclave: &Enclave) {
    let admin = enclave.cluster("dublin-1").admin().await.unwrap();
    admin.batch_execute("VACUUM ANALYZE").await.unwrap();
    let keys = "SELECT token, id FROM pseudonym.engineering JOIN data.users ON subject = trefoil_subject";
    let keys: std::collections::HashMap<String, i64> =
        admin.query(keys, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
    let client = enclave.session("engineering", "dublin-1", 1).await;
    for settings in [
        "RESET ALL",
        "SET enable_hashjoin = off",
        "SET enable_mergejoin = off",
        "SET enable_hashjoin = off; SET enable_nestloop = off",
        "SET enable_hashjoin = off; SET enable_mergejoin = off",
        "SET enable_seqscan = off; SET enable_sort = off",
    ] {
        for query in
            ["SELECT id FROM users", "SELECT id, country FROM users", "SELECT id FROM users LIMIT 100"]
        {
            client.batch_execute("RESET ALL").await.unwrap();
            client.batch_execute(settings).await.unwrap();
            let rows = client.query(query, &[]).await.unwrap();
            let found: Vec<i64> = rows.iter().map(|row| keys[row.get::<_, &str>(0)]).collect();
            let ascending = found.windows(2).filter(|pair| pair[0] < pair[1]).count() * 100 / found.len();
            assert!(
                (25..75).contains(&ascending),
                "{settings}: {query}: {ascending} % in the order of the keys"
            );
        }
    }
}
