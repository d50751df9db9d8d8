//! What a role sees decides what is known: whoever sees a part knows nothing, and is told so. And the checker's own role
//! reads no data. Here too: copies of a whole cluster, which take a second server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{Cluster, SECRET, check, hosts, program, serve, stop};
use residency::{Outcome, Report, Target};

/// What is unknown, and what is wrong.
fn names(report: &Report, outcome: Outcome) -> BTreeSet<&str> {
    report.checks.iter().filter(|line| line.result == outcome).map(|line| line.name).collect()
}

/// What only a superuser is shown, or is refused to others.
const OF_SUPERUSERS: &[&str] = &[
    "shell-command",
    "upstream-setting",
    "pending-config",
    "subscription",
    "replication-origin",
    "hba",
    "database",
    "orphan-file",
    "tablespace-setting",
    "home-row",
];
/// What others are shown in part.
const IN_PART: &[&str] = &[
    "standby",
    "base-backup",
    "replication-slot",
    "upstream",
    "library",
    "log",
    "connection-log",
    "listen",
    "session",
    "old-snapshot",
    "wal-file",
];

#[tokio::test]
async fn what_a_role_cannot_see_is_unknown() {
    let cluster = Cluster::start().await;
    let admin = cluster.admin().await;
    let sql = |text: &'static str| admin.batch_execute(text);
    sql("CREATE ROLE stranger LOGIN PASSWORD 'a test''s'").await.unwrap();

    let stranger = cluster.site("stranger");
    let both: BTreeSet<&str> = OF_SUPERUSERS.iter().chain(IN_PART).copied().collect();
    assert_eq!(names(&check(&stranger).await, Outcome::Unknown), both, "a role without any right");
    sql("GRANT pg_monitor TO stranger").await.unwrap();
    let report = check(&stranger).await;
    let of_superusers: BTreeSet<&str> = OF_SUPERUSERS.iter().copied().collect();
    assert_eq!(names(&report, Outcome::Unknown), of_superusers, "a member of pg_monitor");
    assert_eq!(report.outcome().code(), 2);
    sql("DROP ROLE stranger").await.unwrap();

    // Row security that would hide rows from the checker.
    let checker = cluster.site("trefoil_residency");
    sql("ALTER TABLE public.users ENABLE ROW LEVEL SECURITY").await.unwrap();
    assert_eq!(names(&check(&checker).await, Outcome::Unknown), BTreeSet::from(["home-row"]));
    sql("ALTER TABLE public.users DISABLE ROW LEVEL SECURITY").await.unwrap();

    // A table that somebody holds for long.
    let holder = cluster.admin().await;
    holder.batch_execute("BEGIN; LOCK TABLE public.users").await.unwrap();
    let unknown = BTreeSet::from(["home-bound", "home-row"]);
    assert_eq!(names(&check(&checker).await, Outcome::Unknown), unknown, "a table that is locked");
    drop(holder);

    // A function of the grants that somebody has changed.
    sql("CREATE OR REPLACE FUNCTION trefoil_residency.upstream() RETURNS TABLE (status text, host text, port integer, \
         slot text) LANGUAGE sql SECURITY DEFINER AS 'SELECT NULL, NULL, NULL::int, NULL WHERE false'")
    .await
    .unwrap();
    assert_eq!(names(&check(&checker).await, Outcome::Unknown), BTreeSet::from(["upstream"]));

    sql("ALTER FUNCTION trefoil_residency.sessions() SET search_path = public").await.unwrap();
    let report = check(&checker).await;
    assert!(
        names(&report, Outcome::Unknown).is_superset(&BTreeSet::from(["session", "standby"])),
        "{report:?}"
    );

    // A site that does not answer.
    let mut gone = checker.clone();
    let words = format!("host=127.0.0.1 port={} user=trefoil_residency", common::free_port());
    gone.target = Target::parse(&words, None).unwrap();
    let report = check(&gone).await;
    assert_eq!(report.outcome().code(), 2);
    assert!(report.checks.iter().all(|line| line.result == Outcome::Unknown), "{report:?}");
    assert!(report.checks.len() > 40, "{}", report.checks.len());
}

#[tokio::test]
async fn the_checker_reads_no_data_and_a_copied_cluster_is_told() {
    let mut cluster = Cluster::start().await;
    let admin = cluster.admin().await;
    let held = format!(
        "CREATE SUBSCRIPTION held CONNECTION 'host=10.1.0.7 password={SECRET}' PUBLICATION p WITH (connect = false, slot_name = NONE)"
    );
    admin.batch_execute(&held).await.unwrap();
    let asking = tokio::spawn({
        let other = cluster.admin().await;
        async move { other.batch_execute(&format!("SELECT pg_sleep(3), '{SECRET}'")).await }
    });
    let checker = cluster.login("trefoil_residency").await;
    for refused in [
        "SELECT id FROM public.users",
        "SELECT * FROM public.posts",
        "SELECT subconninfo FROM pg_subscription",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_authid",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT * FROM pg_file_settings",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "SET default_transaction_read_only = off; CREATE TABLE public.mine (id int)",
    ] {
        assert!(checker.batch_execute(refused).await.is_err(), "{refused}");
    }
    let shown = "SELECT (SELECT count(*) FROM pg_stats WHERE schemaname = 'public' AND attname <> 'home'), \
                 (SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%hunter2%' AND pid <> pg_backend_pid()), \
                 (SELECT count(*) FROM trefoil_residency.subscriptions() s WHERE s::text LIKE '%hunter2%')";
    let row = checker.query_one(shown, &[]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (0, 0, 0));
    asking.await.unwrap().unwrap();
    admin.batch_execute("DROP SUBSCRIPTION held").await.unwrap();
    copied(&mut cluster).await;
}

/// A base backup that is started: as a second cluster, and as a standby.
async fn copied(cluster: &mut Cluster) {
    let replication = "local replication postgres peer map=test\n";
    cluster.append("pg_hba.conf", replication);
    cluster.restart().await;
    let copy = cluster.dir.path().join("copy");
    let done =
        program("pg_basebackup").arg("-D").arg(&copy).args(["-c", "fast", "-d", &cluster.words()]).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let port = common::free_port();
    let append = |text: &str| {
        let path = copy.join("postgresql.conf");
        let whole = fs::read_to_string(&path).unwrap() + text;
        fs::write(path, whole).unwrap();
    };
    append(&format!("port = {port}\n"));
    let mut twin = cluster.site("postgres");
    twin.name = "elsewhere".to_owned();
    let words = cluster.words().replace(&format!("port={}", cluster.port), &format!("port={port}"));
    twin.target = Target::parse(&words, None).unwrap();
    let sites = [cluster.site("trefoil_residency"), twin];
    let found = |report: &Report, site: &str, check: &str| {
        let lines = report.checks.iter().filter(|line| line.site == site && line.name == check);
        lines.filter_map(|line| line.object.clone()).collect::<Vec<_>>()
    };
    let wait = async || {
        for _ in 0..300 {
            let report = residency::run(&sites, &hosts()).await;
            let answers =
                |line: &residency::Finding| line.site == "elsewhere" && line.result != Outcome::Unknown;
            if report.checks.iter().any(answers) {
                return report;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!(
            "the copy does not start: {}",
            fs::read_to_string(cluster.dir.path().join("copy.log")).unwrap()
        );
    };

    let server = serve(&copy, &cluster.dir.path().join("copy.log"));
    let report = wait().await;
    for site in ["dublin", "elsewhere"] {
        assert_eq!(found(&report, site, "cluster").len(), 1, "{site}: {report:#?}");
    }
    stop(Some(server));

    // What was started as a cluster of its own has gone its own way.
    fs::remove_dir_all(&copy).unwrap();
    let again = program("pg_basebackup")
        .arg("-D")
        .arg(&copy)
        .args(["-R", "-c", "fast", "-d", &cluster.words()])
        .output();
    assert!(again.unwrap().status.success());
    append(&format!("port = {port}\n"));
    let server = serve(&copy, &cluster.dir.path().join("copy.log"));
    let folder = cluster.dir.path().display().to_string();
    let mut report = wait().await;
    for _ in 0..100 {
        if !found(&report, "dublin", "standby").is_empty()
            && !found(&report, "elsewhere", "upstream").is_empty()
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        report = wait().await;
    }
    assert_eq!(found(&report, "dublin", "standby"), ["postgres (whole cluster)"]);
    assert_eq!(found(&report, "elsewhere", "upstream"), [format!("{folder}:{}", cluster.port)]);
    assert_eq!(found(&report, "elsewhere", "cluster"), Vec::<String>::new(), "a standby is told as such");
    stop(Some(server));
}
