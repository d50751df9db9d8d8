//! A site's standby: it has everything of its site and follows it, opens by the same two keys, and writes nothing. What
//! follows a site is on the closed list only where the bundle says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::process::{Child, Stdio};

use common::{Enclave, bundle, certificate, eventually, free_ports, now, text};
use policy::Bundle;
use sites::{Cluster, Host};
use tokio_postgres::error::SqlState;

const SUBJECTS: u64 = 200;
const COUNT: &str = "SELECT count(*)::text FROM data.users";

/// One site of the example, two sessions a profile.
fn one_site(standby: bool) -> Bundle {
    bundle(|path, text| match path {
        "enclave.toml" => {
            let hamar = if standby { "NO\", standby = true" } else { "NO\"" };
            text.replace("sessions_per_profile = 8", "sessions_per_profile = 2")
                .replace("    { name = \"dublin-1\", country = \"IE\" },\n", "")
                .replace("    { name = \"dublin-2\", country = \"IE\" },\n", "")
                .replace("NO\" },\n]", &format!("{hamar} }},\n]"))
                .replace("sites = [\"dublin-1\"]", "sites = [\"hamar\"]")
        }
        _ => text,
    })
}

struct Standby {
    cluster: Cluster,
    server: Child,
}

impl Drop for Standby {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.server);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap_or_default();
        drop(self.server.wait());
    }
}

async fn start(enclave: &Enclave) -> Standby {
    let site = &enclave.bundle.enclave().sites[0];
    let port = free_ports(1)[0];
    let cluster = Cluster::standby_at(&Host::find().unwrap(), enclave.dir.path(), site, port).unwrap();
    let (bundle, operator, ca) = (&enclave.bundle, &enclave.operator, &enclave.monitor_pem);
    // The second time nothing is copied: it goes on from what it has, under a new password.
    for _ in 0..2 {
        sites::standby::prepare(&cluster, enclave.cluster("hamar"), bundle, operator, ca, now())
            .await
            .unwrap();
    }
    let log = std::fs::File::create(enclave.dir.path().join("standby.log")).unwrap();
    let server = cluster.command().unwrap().stdin(Stdio::null()).stderr(log).spawn().unwrap();
    cluster.wait_ready().await.unwrap();
    Standby { cluster, server }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_follows_its_site_and_writes_nothing() {
    let mut enclave = Enclave::provisioned(one_site(false), SUBJECTS).await;
    nobody_copies_a_site_that_has_none(&enclave).await;

    enclave.change(one_site(true)).await;
    assert_eq!(sites::unfinished(&enclave.bundle, &enclave.clusters).await.unwrap(), ["hamar"]);
    enclave.provision(0).await;
    assert_eq!(sites::unfinished(&enclave.bundle, &enclave.clusters).await.unwrap(), Vec::<String>::new());
    let standby = start(&enclave).await;
    for cluster in [enclave.cluster("hamar"), &standby.cluster] {
        assert_eq!(
            sites::check(cluster, &enclave.bundle, &policy::Homes::first(&enclave.bundle))
                .await
                .unwrap()
                .drift,
            [],
            "{}",
            cluster.server()
        );
    }
    it_follows(&enclave, &standby).await;
    both_keys_open_it_for_reading(&enclave, &standby).await;
    let refused = enclave.login("hamar", wall::names::STANDBY, "guessed", None).await.err().unwrap();
    assert!(refused.to_string().contains("pg_hba.conf rejects") || refused.code().is_some(), "{refused}");

    drop(standby);
    enclave.change(one_site(false)).await;
    enclave.provision(0).await;
    nobody_copies_a_site_that_has_none(&enclave).await;
    let found =
        sites::check(enclave.cluster("hamar"), &enclave.bundle, &policy::Homes::first(&enclave.bundle))
            .await
            .unwrap();
    assert_eq!(found.drift, []);
}

async fn nobody_copies_a_site_that_has_none(enclave: &Enclave) {
    let client = enclave.cluster("hamar").admin().await.unwrap();
    let lines = "SELECT count(*)::text FROM pg_hba_file_rules WHERE 'replication' = ANY (database)";
    assert_eq!(text(&client, lines).await, "0");
    let slots = "SELECT count(*)::text FROM pg_replication_slots WHERE slot_type = 'physical'";
    assert_eq!(text(&client, slots).await, "0");
}

async fn it_follows(enclave: &Enclave, standby: &Standby) {
    let (site, client) =
        (enclave.cluster("hamar").admin().await.unwrap(), standby.cluster.admin().await.unwrap());
    assert_eq!(text(&client, COUNT).await, SUBJECTS.to_string());
    site.batch_execute("INSERT INTO data.users (id, handle) VALUES (-1, 'new')").await.unwrap();
    eventually(&client, COUNT, &(SUBJECTS + 1).to_string()).await;
    let setting = |name: &str| format!("SELECT setting FROM pg_settings WHERE name = '{name}'");
    for (name, value) in [("wal_recycle", "off"), ("hot_standby_feedback", "on"), ("ssl", "on")] {
        assert_eq!(text(&client, &setting(name)).await, value, "{name}");
    }
    let over_tls = "SELECT ssl::text FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE usename = 'trefoil_standby' AND backend_type = 'walsender'";
    assert_eq!(text(&site, over_tls).await, "true");
}

async fn both_keys_open_it_for_reading(enclave: &Enclave, standby: &Standby) {
    let role = enclave.role("support", "hamar", 1);
    let certificate = certificate(&enclave.monitor, &role);
    let password = &enclave.secrets.pool[&role];
    let port = standby.cluster.port();
    assert!(enclave.login_at(port, &role, password, None).await.is_err(), "a password alone");
    let session = enclave.login_at(port, &role, password, Some(&certificate)).await.unwrap();
    let seen = text(&session, "SELECT count(*)::text FROM support.users").await;
    assert_eq!(seen, (SUBJECTS + 1).to_string());
    for statement in [
        format!("ALTER ROLE \"{role}\" PASSWORD 'mine'"),
        "CREATE TEMP TABLE t (a int)".to_owned(),
        "NOTIFY a".to_owned(),
        "SELECT lo_create(0)".to_owned(),
    ] {
        let refused = session.batch_execute(&statement).await.expect_err(&statement);
        let code = refused.code().unwrap();
        let expected = [&SqlState::READ_ONLY_SQL_TRANSACTION, &SqlState::INSUFFICIENT_PRIVILEGE];
        assert!(expected.contains(&code), "{statement}: {refused}");
    }
    // What ran here is counted here, and the monitor reads it.
    let stats =
        enclave.login_at(port, wall::names::STATS, &enclave.secrets.stats["hamar"], None).await.unwrap();
    let counted =
        format!("SELECT (sum(calls) > 0)::text FROM trefoil_stats.counters() WHERE role = '{role}'");
    assert_eq!(text(&stats, &counted).await, "true");
}
