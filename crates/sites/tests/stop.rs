//! What the monitor's two identities can do at a site: `trefoil_stop` ends sessions and reads nothing, `trefoil_stats`
//! reads counters and ends nothing. Neither sees a row, a statement's text or a password, and neither can grant.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use common::{Enclave, example};
use tokio_postgres::error::SqlState;
use wall::names::{STATS, STOP};
use wall::stop::END_SESSIONS;

const SITE: &str = "dublin-1";

/// What neither may do; PostgreSQL refuses it for want of a privilege, or because the session only reads.
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
    "ALTER ROLE trefoil_stop SUPERUSER",
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
    for client in [&stop, &stats] {
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
        let error = stats.batch_execute(refused).await.expect_err(refused);
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{refused}: {error}");
    }
    let admin = enclave.cluster(SITE).admin().await.unwrap();
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
