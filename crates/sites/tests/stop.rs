//! What the monitor's two identities and the residency checker's can do at a site: `trefoil_stop` ends sessions and reads
//! nothing, `trefoil_stats` reads counters and ends nothing, `trefoil_residency` reads catalogs and ends nothing. None sees
//! a row, a statement's text or a password, none can grant, and none can be had by somebody else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use common::{Enclave, example};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use wall::names::{RESIDENCY, STATS, STOP};
use wall::stop::END_SESSIONS;

const SITE: &str = "dublin-1";

/// What none may do; PostgreSQL refuses it for want of a privilege, or because the session only reads.
const FORBIDDEN: &[&str] = &[
    "SELECT * FROM data.users",
    "SELECT count(*) FROM data.payments",
    "TABLE support.users",
    "SELECT * FROM pseudonym.analytics",
    "COPY data.users TO STDOUT",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM trefoil_stats.pg_stat_statements(true)",
    "SELECT query_to_xml('SELECT * FROM data.users', true, true, '')",
    "SELECT lo_create(0)",
    "CREATE TEMP TABLE t (a int)",
    "CREATE ROLE more LOGIN",
    "GRANT pg_read_all_data TO trefoil_stop",
    "GRANT pg_read_all_data TO trefoil_stats",
    "GRANT trefoil_residency TO trefoil_stop",
    "ALTER ROLE trefoil_stop SUPERUSER",
    "ALTER ROLE trefoil_residency SUPERUSER",
    "SET ROLE trefoil_admin",
    "SET SESSION AUTHORIZATION trefoil_admin",
    "ALTER TABLE data.users DISABLE ROW LEVEL SECURITY",
    "DO $$ BEGIN END $$",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_monitors_identities_end_or_count_and_see_nothing() {
    let enclave = Enclave::provisioned(example(), 30).await;
    let stop = enclave.login(SITE, STOP, &enclave.secrets.stop[SITE], None).await.unwrap();
    let stats = enclave.login(SITE, STATS, &enclave.secrets.stats[SITE], None).await.unwrap();
    let checker = enclave.login(SITE, RESIDENCY, &enclave.secrets.residency[SITE], None).await.unwrap();
    for client in [&stop, &stats, &checker] {
        // Its own read-only setting can be put aside, and nothing comes of it.
        client.batch_execute("SET default_transaction_read_only = off").await.unwrap();
        for statement in FORBIDDEN {
            let refused = client.batch_execute(statement).await.expect_err(statement);
            assert!(refused.code().is_some(), "{statement}: {refused}");
        }
    }
    let session = enclave.session("support", SITE, 1).await;
    let other = enclave.session("support", SITE, 2).await;
    let text = "SELECT 'a text that nobody else reads'";
    session.batch_execute(text).await.unwrap();
    let (role, others) = (enclave.role("support", SITE, 1), enclave.role("support", SITE, 2));
    let seen = "SELECT coalesce(query, ''), client_addr IS NULL FROM pg_stat_get_activity(NULL) \
                WHERE pg_get_userbyid(usesysid)::text = $1";
    let row = stop.query_one(seen, &[&role]).await.unwrap();
    let (query, no_address): (String, bool) = (row.get(0), row.get(1));
    assert!(query.contains("insufficient privilege") && no_address, "{query}");
    for refused in ["SELECT pg_terminate_backend(1)", "SELECT pg_cancel_backend(1)"] {
        for client in [&stats, &checker] {
            let error = client.batch_execute(refused).await.expect_err(refused);
            assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{refused}: {error}");
        }
    }
    check_checker(&checker, &role, text).await;
    session.batch_execute("SET ROLE trefoil_residency").await.expect_err("a checker that a session becomes");
    let members = "SELECT count(*) FROM pg_auth_members WHERE roleid = 'trefoil_residency'::regrole OR \
                   (member = 'trefoil_residency'::regrole AND admin_option)";
    let admin = enclave.cluster(SITE).admin().await.unwrap();
    assert_eq!(admin.query_one(members, &[]).await.unwrap().get::<_, i64>(0), 0);
    let own: i32 = admin.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    stop.query("SELECT pg_terminate_backend($1, 0)", &[&own]).await.expect_err("an administrator's session");
    // These roles' sessions and no others.
    let (all, another) = (None::<Vec<i32>>, vec![own]);
    assert!(stop.query(END_SESSIONS, &[&vec![role.clone()], &another]).await.unwrap().is_empty());
    let ended = stop.query(END_SESSIONS, &[&vec![role.clone()], &all]).await.unwrap();
    assert_eq!(ended.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>(), [role]);
    session.batch_execute(text).await.expect_err("an ended session");
    other.batch_execute(text).await.unwrap();
    let nobody: Vec<String> = Vec::new();
    assert!(stop.query(END_SESSIONS, &[&nobody, &all]).await.unwrap().is_empty(), "{others}");
}

/// The checker sees that a session is there, and nothing of what it asked; where a sibling is, and no password for it; which
/// columns have statistics, and no value of theirs.
async fn check_checker(checker: &Client, role: &str, text: &str) {
    let shown = "SELECT s::text FROM trefoil_residency.sessions() s WHERE role = $1";
    let row: String = checker.query_one(shown, &[&role]).await.unwrap().get(0);
    assert!(row.contains("127.0.0.1") && !row.contains(text), "{row}");
    let connections = "SELECT connection FROM trefoil_residency.subscriptions()";
    let connections = checker.query(connections, &[]).await.unwrap();
    assert_eq!(connections.len(), 2);
    for connection in connections.iter().map(|row| row.get::<_, String>(0)) {
        let password = connection.split_once("password=").map_or("", |(_, after)| after);
        assert!(password.is_empty() || password.starts_with("''"), "{connection}");
    }
    for refused in [
        "SELECT query FROM pg_stat_activity",
        "SELECT subconninfo FROM pg_subscription",
        "SELECT stavalues1 FROM pg_statistic",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_binary_file('PG_VERSION')",
        "SELECT * FROM pg_logical_slot_peek_changes('trefoil_hamar', NULL, NULL)",
    ] {
        let error = checker.batch_execute(refused).await.expect_err(refused);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{refused}: {error}");
    }
    let values = "SELECT count(*) FROM pg_stats WHERE schemaname = 'data'";
    assert_eq!(checker.query_one(values, &[]).await.unwrap().get::<_, i64>(0), 0);
}
