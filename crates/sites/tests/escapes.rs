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

/// A subject of dublin-1 who did not consent to analytics, a post and a payment of hers.
const PLANT: &str = "\
    INSERT INTO data.users VALUES (-77, 'dublin-1', 'h-xyzzyx', 'Nxyzzyx Fxyzzyx', 'exyzzyx@secret.example', \
      '+999 88xyzzyx1', '1931-03-07', 'IE', 'en', false, 4242, '2019-03-07'); \
    INSERT INTO data.posts VALUES (-79, 'dublin-1', -77, 'a post', 'en', 4, '2020-01-01'); \
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
    ("SELECT most_common_vals::text, histogram_bounds::text FROM pg_stats WHERE schemaname = 'data'", DENIED),
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
    ("SELECT reltuples, relpages FROM pg_class WHERE relname = 'users_dublin-1'", DENIED),
    ("SELECT pg_relation_size(oid) FROM pg_class WHERE relname = 'users_dublin-1'", DENIED),
    ("SELECT pg_get_viewdef(oid) FROM pg_class WHERE relname = 'payments' AND relkind = 'v'", DENIED),
    ("SELECT polname, pg_get_expr(polqual, polrelid) FROM pg_policy", DENIED),
    ("SELECT rolname FROM pg_roles", DENIED),
    ("SELECT subname FROM pg_subscription", DENIED),
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

/// SQLSTATEs of a column that is not shown, of an expression that cannot be written, of a key that is not there, of a
/// key that is there already, of what only tables can do, and of a view that nothing can be changed through.
const NO_COLUMN: Ends = Refused("42703");
const EXPRESSION: Ends = Refused("0A000");
/// A row of another home.
const ELSEWHERE: Ends = Refused("0A000");
const NO_SUBJECT: Ends = Refused("23503");
const DUPLICATE: Ends = Refused("23505");
const NO_TABLE: Ends = Refused("42809");
const NO_VIEW: Ends = Refused("55000");

/// As `billing`, which reads users and payments, inserts payments and changes their status. -77 and -78 are at home at
/// this site, {theirs} is a payment of a sibling.
const BILLING: &[(&str, Ends)] = &[
    // What it is for.
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-80, -77, 'open') RETURNING home_site, status",
        Harmless,
    ),
    ("UPDATE payments SET status = 'paid' WHERE id = -78 RETURNING *", Harmless),
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-78, -77, 'a') ON CONFLICT (id, home_site) \
         DO UPDATE SET status = excluded.status RETURNING payments, payments.*",
        Harmless,
    ),
    ("INSERT INTO payments (id, user_id) VALUES (-78, -77) ON CONFLICT DO NOTHING", Harmless),
    ("SELECT status FROM payments WHERE id = -78 FOR UPDATE", Harmless),
    // Columns of others.
    ("UPDATE payments SET amount_cents = 1 WHERE id = -78", DENIED),
    ("UPDATE payments SET user_id = -77 WHERE id = -78", DENIED),
    ("UPDATE payments SET iban = 'x' WHERE id = -78", NO_COLUMN),
    ("UPDATE payments SET trefoil_subject = NULL WHERE id = -78", NO_COLUMN),
    ("UPDATE payments SET (status, amount_cents) = ('x', 1) WHERE id = -78", DENIED),
    ("INSERT INTO payments (id, user_id, iban) VALUES (-80, -77, 'x')", NO_COLUMN),
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-78, -77, 'a') ON CONFLICT (id, home_site) \
         DO UPDATE SET amount_cents = 1",
        DENIED,
    ),
    // Tables of others.
    ("DELETE FROM payments WHERE id = -78", DENIED),
    ("WITH gone AS (DELETE FROM payments RETURNING *) SELECT * FROM gone", DENIED),
    ("INSERT INTO users (id) VALUES (-80)", DENIED),
    ("UPDATE users SET country = 'NO'", DENIED),
    ("UPDATE data.payments SET status = 'x'", DENIED),
    ("INSERT INTO data.payments (id, user_id) VALUES (-80, -77)", DENIED),
    ("INSERT INTO data.\"payments_dublin-1\" (id, home_site, user_id) VALUES (-80, 'dublin-1', -77)", DENIED),
    ("INSERT INTO feed.posts (id, author_id) VALUES (-80, -77)", DENIED),
    ("INSERT INTO pseudonym.analytics VALUES (gen_random_uuid(), 'dublin-1', 'mine')", DENIED),
    ("COPY data.payments (id, user_id) FROM STDIN", DENIED),
    ("TRUNCATE payments", NO_TABLE),
    ("LOCK TABLE payments", DENIED),
    (
        "MERGE INTO payments p USING users u ON u.id = p.user_id WHEN MATCHED THEN UPDATE SET status = 'x'",
        EXPRESSION,
    ),
    // Homes of others.
    ("INSERT INTO payments (id, user_id, home_site) VALUES (-80, -77, 'hamar')", DENIED),
    ("INSERT INTO payments (id, user_id, home_site) VALUES (-80, -77, DEFAULT)", DENIED),
    ("UPDATE payments SET home_site = 'hamar' WHERE id = -78", DENIED),
    ("UPDATE payments SET status = 'x' WHERE id = {theirs}", ELSEWHERE),
    ("UPDATE payments SET status = 'x'", ELSEWHERE),
    ("ALTER VIEW payments ALTER COLUMN home_site SET DEFAULT 'hamar'", DENIED),
    ("INSERT INTO payments (id, user_id) SELECT -80, user_id FROM payments WHERE id = {theirs}", NO_SUBJECT),
    ("INSERT INTO payments (id, user_id) VALUES (-80, -4711)", NO_SUBJECT),
    ("INSERT INTO payments (id, user_id) VALUES (-78, -77)", DUPLICATE),
    ("INSERT INTO payments (id) VALUES (-80)", Refused("23502")),
    // Reading what is withheld by writing.
    ("UPDATE payments SET status = iban WHERE id = -78 RETURNING status", NO_COLUMN),
    ("UPDATE payments SET status = 'x' WHERE iban LIKE 'IE99%'", NO_COLUMN),
    ("UPDATE payments SET status = 'x' WHERE id = -78 RETURNING iban", NO_COLUMN),
    ("UPDATE payments SET status = 'x' WHERE id = -78 RETURNING data.payments.iban", DENIED),
    ("UPDATE payments SET status = u.email FROM data.users u WHERE u.id = user_id RETURNING status", DENIED),
    ("UPDATE payments SET status = u.email FROM users u WHERE u.id = user_id RETURNING status", NO_COLUMN),
    ("UPDATE payments SET status = (SELECT email FROM data.users WHERE id = -77)", DENIED),
    ("INSERT INTO payments (id, user_id, status) SELECT -80, id, email FROM data.users", DENIED),
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-78, -77, 'a') ON CONFLICT (id, home_site) \
         DO UPDATE SET status = payments.iban RETURNING status",
        NO_COLUMN,
    ),
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-78, -77, 'a') ON CONFLICT (id, home_site) \
         DO UPDATE SET status = excluded.iban",
        NO_COLUMN,
    ),
    (
        "INSERT INTO payments (id, user_id, status) VALUES (-80, -77, 'a') ON CONFLICT (iban) DO NOTHING",
        NO_COLUMN,
    ),
    // The relation that COPY goes to: a way in, and not out.
    ("SELECT * FROM {copies}.payments", DENIED),
    ("INSERT INTO {copies}.payments (id, user_id) VALUES (-80, -77) RETURNING id", DENIED),
    ("INSERT INTO {copies}.payments (id, user_id) VALUES (-80, -4711)", NO_SUBJECT),
    ("UPDATE {copies}.payments SET status = 'x'", NO_VIEW),
    ("DELETE FROM {copies}.payments", NO_VIEW),
    ("COPY {copies}.payments TO STDOUT", DENIED),
    ("COPY {copies}.payments (id, user_id, home_site) FROM STDIN", NO_COLUMN),
    ("SELECT {copies}.payments()", DENIED),
    ("CREATE TRIGGER mine BEFORE INSERT ON {copies}.payments EXECUTE FUNCTION {copies}.payments()", DENIED),
    ("CREATE OR REPLACE FUNCTION {copies}.payments() RETURNS trigger LANGUAGE sql AS 'SELECT NULL'", DENIED),
];

/// As `feed`, which keeps posts.
const FEED: &[(&str, Ends)] = &[
    ("DELETE FROM posts WHERE author_id = -77 RETURNING *", Harmless),
    ("UPDATE posts SET body = 'x', likes = 0 WHERE author_id = -77", Harmless),
    ("DELETE FROM posts", ELSEWHERE),
    ("UPDATE posts SET author_id = (SELECT author_id FROM posts WHERE home_site = 'hamar' LIMIT 1)", DENIED),
    (
        "INSERT INTO posts (id, author_id) SELECT -80, author_id FROM posts WHERE home_site = 'hamar' LIMIT 1",
        NO_SUBJECT,
    ),
    ("INSERT INTO posts (id, author_id, body) SELECT -80, id, email FROM users", NO_COLUMN),
    ("DELETE FROM posts USING data.users u WHERE u.id = author_id RETURNING u.email", DENIED),
    ("DELETE FROM users", DENIED),
    ("DELETE FROM data.posts", DENIED),
    ("DELETE FROM payments", Refused("42P01")),
    // Known: whoever may delete may lock, until the gate's deadline; the gate refuses LOCK.
    ("LOCK TABLE posts IN ACCESS EXCLUSIVE MODE", Open),
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_planted_comes_back() {
    let enclave = Enclave::provisioned(example(), 400).await;
    let admin = enclave.cluster("dublin-1").admin().await.unwrap();
    admin.batch_execute(PLANT).await.unwrap();
    admin.batch_execute("ANALYZE data.users, data.payments").await.unwrap();
    let mut wrong = Vec::new();
    for (profile, other, attempts) in [
        ("support", "analytics", SUPPORT),
        ("analytics", "support", ANALYTICS),
        ("billing", "feed", BILLING),
        ("feed", "billing", FEED),
    ] {
        let client = enclave.session(profile, "dublin-1", 1).await;
        for (statement, expected) in attempts {
            let statement = named(&enclave, profile, other, statement);
            wrong.extend(check(&client, profile, &statement, *expected).await.err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    shown(&enclave).await;
    masks(&admin).await;
    order_says_nothing(&enclave).await;
    a_writer_writes_its_own_home(&enclave, &admin).await;
    a_writer_stays_in_its_scope(enclave).await;
}

fn named(enclave: &Enclave, profile: &str, other: &str, statement: &str) -> String {
    let quoted = wall::names::quoted;
    let hash = &enclave.profile(profile).hash;
    statement
        .replace("{self}", &quoted(&enclave.role(profile, "dublin-1", 1)))
        .replace("{other}", &quoted(&enclave.role(other, "dublin-1", 1)))
        .replace("{theirs}", "(SELECT min(id) FROM payments WHERE home_site = 'hamar')")
        .replace("{copies}", &quoted(&wall::names::copy_schema(hash)))
        .replace("{owner}", &quoted(&wall::names::owner_role(hash)))
        .replace("{reader}", &quoted(&wall::names::profile_role(hash)))
}

/// Each in a transaction of its own that is rolled back, and not read-only: that is a default, which anybody may change.
async fn check(client: &Client, profile: &str, statement: &str, expected: Ends) -> Result<(), String> {
    let found = client.simple_query(&format!("BEGIN READ WRITE; {statement}")).await;
    client.batch_execute("ROLLBACK; RESET ALL").await.unwrap();
    let what = format!("{profile}: {statement}");
    match (&found, expected) {
        (Err(error), Refused(code)) => {
            let server = error.as_db_error().ok_or_else(|| format!("{what}: {error}"))?;
            let as_expected = server.code().code() == code && !format!("{server:?}").contains(PLANTED);
            as_expected.then_some(()).ok_or_else(|| format!("{what}: expected {code}, found {server:?}"))
        }
        (Ok(messages), Harmless | Open) => {
            let rows = messages.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            let values = rows.flat_map(|row| (0..row.len()).filter_map(|at| row.get(at)));
            let counted = expected == Harmless && statement.contains("HAVING");
            match values.into_iter().find(|value| counted || value.contains(PLANTED)) {
                Some(value) => Err(format!("{what}: {value} came back")),
                None => Ok(()),
            }
        }
        (found, _) => Err(format!("{what}: expected {expected:?}, found {found:?}")),
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

/// What is written is at home at this site and linked to its subject, whichever way it came.
async fn a_writer_writes_its_own_home(enclave: &Enclave, admin: &Client) {
    let client = enclave.session("billing", "dublin-1", 2).await;
    let insert = "INSERT INTO payments (id, user_id, amount_cents, currency, status, paid_at) \
        VALUES ($1, -77, 5, 'EUR', 'open', now())";
    assert_eq!(client.execute(insert, &[&-81_i64]).await.unwrap(), 1);
    let copies = wall::names::quoted(&wall::names::copy_schema(&enclave.profile("billing").hash));
    let rows = "-82\t-77\topen\n-83\t-77\topen\n";
    let copy = async |rows: &'static str| {
        let sink = client.copy_in(&format!("COPY {copies}.payments (id, user_id, status) FROM STDIN")).await;
        let mut sink = std::pin::pin!(sink.unwrap());
        futures_util::SinkExt::send(&mut sink, bytes::Bytes::from_static(rows.as_bytes())).await.unwrap();
        sink.finish().await
    };
    assert_eq!(copy(rows).await.unwrap(), 2);
    let refused = copy("-84\t-77\topen\n-85\t-4711\topen\n").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23503", "{refused}");
    let paid = "UPDATE payments SET status = 'paid' WHERE id IN (-81, -82, -83)";
    assert_eq!(client.execute(paid, &[]).await.unwrap(), 3);
    let linked = "SELECT count(*) FROM data.payments p JOIN data.users u USING (trefoil_subject) \
        WHERE p.id < -80 AND u.id = -77 AND p.home_site = 'dublin-1' AND p.status = 'paid'";
    assert_eq!(admin.query_one(linked, &[]).await.unwrap().get::<_, i64>(0), 3);
    let gone = "DELETE FROM data.payments WHERE id < -80";
    assert_eq!(admin.execute(gone, &[]).await.unwrap(), 3, "one of a refused COPY is left");
}

/// A profile that sees the payments of those who consented writes no others.
async fn a_writer_stays_in_its_scope(mut enclave: Enclave) {
    enclave.bundle = common::bundle(|path, text| match path {
        "enclave.toml" => text.replace("sessions_per_profile = 8", "sessions_per_profile = 2"),
        "policy/billing.cedar" => text.replace("Scope::\"all\"", "Scope::\"consented\""),
        _ => text,
    });
    assert!(enclave.secrets.complete(&enclave.bundle));
    let cluster = enclave.cluster("dublin-1").clone();
    let applied = sites::apply(&cluster, &enclave.bundle, &enclave.secrets, &common::quiet()).await.unwrap();
    assert_eq!(applied.made, ["billing"]);
    assert!(
        sites::check(&cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle))
            .await
            .unwrap()
            .drift
            .is_empty()
    );
    let client = enclave.session("billing", "dublin-1", 1).await;
    let consented = "(SELECT min(id) FROM users WHERE home_site = 'dublin-1')";
    for (statement, expected) in [
        (format!("INSERT INTO payments (id, user_id) VALUES (-80, {consented}) RETURNING id"), Harmless),
        ("UPDATE payments SET status = 'x' WHERE id = -78 RETURNING 1 / (id + 78)".to_owned(), Harmless),
        ("INSERT INTO payments (id, user_id) VALUES (-80, -77)".to_owned(), DENIED),
        ("INSERT INTO payments (id, user_id) VALUES (-80, -4711)".to_owned(), DENIED),
        (
            format!(
                "INSERT INTO payments (id, user_id, status) VALUES (-78, {consented}, 'x') \
                 ON CONFLICT (id, home_site) DO UPDATE SET status = excluded.status"
            ),
            DENIED,
        ),
        // Known: a key that is taken is told, whoever has it.
        (format!("INSERT INTO payments (id, user_id) VALUES (-78, {consented})"), DUPLICATE),
    ] {
        check(&client, "billing of those who consented", &statement, expected).await.unwrap();
    }
}
