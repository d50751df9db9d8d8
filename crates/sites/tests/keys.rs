//! Two keys open the wall: a site admits a pool role with its password *and* a certificate of the monitor for exactly
//! that role, and nobody else but a closed list.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::time::Duration;

use common::{Enclave, authority, certificate, certificate_for, example};
use wall::names::{ADMIN, WATCH, owner_role, profile_role, repl_role};

const SITE: &str = "dublin-1";

/// What should become of a log-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Open,
    /// Refused with this SQLSTATE.
    Refused(&'static str),
    /// The TLS handshake or the connection breaks: PostgreSQL does not trust the certificate.
    Broken,
}

/// No line of `pg_hba.conf` lets it in.
const NOT_ADMITTED: Ends = Ends::Refused("28000");
const WRONG_PASSWORD: Ends = Ends::Refused("28P01");
/// PostgreSQL compares the certificate's name last, and says the same as of a wrong password.
const WRONG_NAME: Ends = WRONG_PASSWORD;

#[tokio::test(flavor = "multi_thread")]
async fn only_both_keys_open_a_session() {
    let enclave = Enclave::provisioned(example(), 30).await;
    let role = enclave.role("support", SITE, 1);
    let other = enclave.role("analytics", SITE, 1);
    let elsewhere = enclave.role("support", "hamar", 1);
    let password = enclave.secrets.pool[&role].clone();
    let watch = enclave.secrets.watch[SITE].clone();
    let monitors = |name: &str| Some(certificate(&enclave.monitor, name));
    let operators = |name: &str| {
        let (key, pem) = (enclave.operator.key(), enclave.operator.certificate());
        let key = rcgen::KeyPair::from_pem(&key).unwrap();
        Some(certificate(&rcgen::Issuer::from_ca_cert_pem(pem, key).unwrap(), name))
    };
    let (stranger, _) = authority("example monitor");
    let minutes = |from: i64, to: i64| Some(certificate_for(&enclave.monitor, &role, from * 60, to * 60));

    for (what, role, password, presented, ends) in [
        ("both keys", &*role, &*password, monitors(&role), Ends::Open),
        ("the password alone", &role, &password, None, NOT_ADMITTED),
        ("the certificate alone", &role, "guess", monitors(&role), WRONG_PASSWORD),
        ("a certificate for another profile", &role, &password, monitors(&other), WRONG_NAME),
        ("a certificate for another site", &role, &password, monitors(&elsewhere), WRONG_NAME),
        (
            "a certificate for another session",
            &role,
            &password,
            monitors(&enclave.role("support", SITE, 2)),
            WRONG_NAME,
        ),
        ("a certificate of the operator's", &role, &password, operators(&role), Ends::Broken),
        (
            "a certificate of a stranger with the monitor's name",
            &role,
            &password,
            Some(certificate(&stranger, &role)),
            Ends::Broken,
        ),
        ("a certificate that has expired", &role, &password, minutes(-9, -5), Ends::Broken),
        ("a certificate that is not valid yet", &role, &password, minutes(5, 9), Ends::Broken),
        ("the watch with its password", WATCH, &watch, None, Ends::Open),
        ("the watch with a stray certificate", WATCH, &watch, operators(WATCH), Ends::Broken),
        ("the watch without its password", WATCH, "guess", None, WRONG_PASSWORD),
        ("the administrator", ADMIN, "guess", monitors(ADMIN), NOT_ADMITTED),
        ("a sibling's role", &repl_role("hamar"), "guess", None, WRONG_PASSWORD),
        ("the site's own name as a sibling", &repl_role(SITE), "guess", None, NOT_ADMITTED),
        ("the group", "trefoil_pool", &password, monitors("trefoil_pool"), WRONG_PASSWORD),
        ("an owner", &owner_role(&enclave.profile("support").hash), &password, None, NOT_ADMITTED),
        ("a profile", &profile_role(&enclave.profile("support").hash), &password, None, NOT_ADMITTED),
        ("nobody", "mallory", &password, monitors("mallory"), NOT_ADMITTED),
    ] {
        check(&enclave, what, role, password, presented, ends).await;
    }
    one_session_a_role(&enclave).await;
    no_other_database_and_no_plain_text(&enclave).await;
    watch_sees_no_data_and_ends_sessions(&enclave).await;
}

async fn check(
    enclave: &Enclave,
    what: &str,
    role: &str,
    password: &str,
    presented: Option<(String, String)>,
    expected: Ends,
) {
    let found = match enclave.login(SITE, role, password, presented.as_ref()).await {
        Ok(client) => client.query_one("SELECT 1", &[]).await.err(),
        Err(error) => Some(error),
    };
    match (found, expected) {
        (None, Ends::Open) => {}
        (Some(error), Ends::Refused(code)) => {
            assert_eq!(error.code().map(|code| code.code()), Some(code), "{what}: {error:?}");
        }
        (Some(error), Ends::Broken) => assert!(error.code().is_none(), "{what}: {error:?}"),
        (found, _) => panic!("{what}: expected {expected:?}, found {found:?}"),
    }
    // A backend that has just ended may still hold its role's only connection.
    tokio::time::sleep(Duration::from_millis(20)).await;
}

async fn one_session_a_role(enclave: &Enclave) {
    let role = enclave.role("support", "dublin-2", 1);
    let held = enclave.session("support", "dublin-2", 1).await;
    let again = certificate(&enclave.monitor, &role);
    let refused = enclave.login("dublin-2", &role, &enclave.secrets.pool[&role], Some(&again)).await;
    assert_eq!(refused.err().unwrap().code().unwrap().code(), "53300");
    drop(held);
}

async fn no_other_database_and_no_plain_text(enclave: &Enclave) {
    let mut config = tokio_postgres::Config::new();
    let role = enclave.role("support", SITE, 1);
    let port = enclave.cluster(SITE).port();
    config.host("127.0.0.1").port(port).user(&role).password(&enclave.secrets.pool[&role]).dbname("trefoil");
    let plain = config.connect(tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(plain.code().unwrap().code(), "28000", "{plain}");
    for database in ["postgres", "template1"] {
        let certificate = certificate(&enclave.monitor, &role);
        let password = &enclave.secrets.pool[&role];
        let refused =
            enclave.login_to(SITE, database, &role, password, Some(&certificate)).await.err().unwrap();
        assert_eq!(refused.code().map(|code| code.code()), Some("28000"), "{database}: {refused:?}");
    }
}

async fn watch_sees_no_data_and_ends_sessions(enclave: &Enclave) {
    let watch = enclave.watch("hamar").await;
    for statement in [
        "SELECT * FROM data.users",
        "SELECT * FROM support.users",
        "SELECT * FROM pseudonym.analytics",
        "SELECT * FROM pg_authid",
        "SELECT subconninfo FROM pg_subscription",
        "SELECT pg_read_file('pg_hba.conf')",
        "SET ROLE trefoil_admin",
        "CREATE TEMP TABLE t (a int)",
        "SELECT pg_notify('a', 'b')",
    ] {
        let refused = watch.batch_execute(statement).await.expect_err(statement);
        assert_eq!(refused.code().unwrap().code(), "42501", "{statement}: {refused}");
    }
    let session = enclave.session("support", "hamar", 1).await;
    let ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = $1";
    let role = enclave.role("support", "hamar", 1);
    assert!(watch.query_one(ended, &[&role]).await.unwrap().get::<_, bool>(0));
    assert!(session.query_one("SELECT 1", &[]).await.is_err());
    let admin = enclave.cluster("hamar").admin().await.unwrap();
    let all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'trefoil_admin'";
    let refused = watch.query_one(all, &[]).await;
    assert_eq!(refused.err().unwrap().code().unwrap().code(), "42501");
    admin.query_one("SELECT 1", &[]).await.unwrap();
}
