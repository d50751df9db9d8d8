//! Homes that move: from a site that stops first, from one that is killed under load, and back. Every move is interrupted
//! before and after each of its steps and run again; what was acknowledged is at the holder or in the file that the site
//! which was gone keeps, and where commits wait for a sibling, at the holder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends when it cannot go on, and says what it measured"
)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Enclave, bundle, quiet};
use policy::{Bundle, Homes};
use sites::moves::{Course, Moved, Mover, Notary, Stated, Step, Stop, When};
use sites::{Cluster, SitesError};
use tokio_postgres::Client;
use wall::triggers::ELSEWHERE;

const SUBJECTS: u64 = 120;

/// A move that is under way.
type Moving<'m> = Pin<Box<dyn Future<Output = Result<Moved, SitesError>> + 'm>>;

/// In place of the gate: takes what may follow, and remembers what it was told.
struct Desk {
    homes: Mutex<Homes>,
    stated: Mutex<Vec<Stated>>,
}

impl Notary for Desk {
    async fn homes(&self) -> Result<Homes, String> {
        Ok(self.homes.lock().unwrap().clone())
    }

    async fn state(&self, homes: &Homes, of: &Stated) -> Result<(), String> {
        let mut now = self.homes.lock().unwrap();
        homes.follows(&now).map_err(|error| error.to_string())?;
        *now = homes.clone();
        self.stated.lock().unwrap().push(of.clone());
        Ok(())
    }
}

struct Lab {
    enclave: Enclave,
    desk: Desk,
}

/// Commits at hamar wait for a sibling.
fn partly_synchronous() -> Bundle {
    bundle(|path, text| match path {
        "enclave.toml" => {
            let text = text.replace("sessions_per_profile = 8", "sessions_per_profile = 1");
            let hamar = "name = \"hamar\",";
            assert!(text.contains(hamar));
            text.replacen(hamar, &format!("{hamar} synchronous = true,"), 1)
        }
        _ => text,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_move_exactly_once_and_nothing_that_was_acknowledged_is_lost() {
    let enclave = Enclave::provisioned(partly_synchronous(), SUBJECTS).await;
    let homes = Mutex::new(Homes::first(&enclave.bundle));
    let mut lab = Lab { enclave, desk: Desk { homes, stated: Mutex::default() } };
    planned_moves_lose_nothing(&lab).await;
    one_of_two_movers_wins(&lab).await;
    a_killed_site_is_taken_over_from_and_comes_back(&mut lab).await;
    commits_that_wait_for_a_sibling_survive_the_site(&mut lab).await;
}

async fn planned_moves_lose_nothing(lab: &Lab) {
    let load = Load::start(lab.enclave.clusters.clone(), "dublin-2", -1_000_000);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (moved, ends) = lab.interrupted(|mover| Box::pin(mover.failover("dublin-2", Some("hamar")))).await;
    assert_eq!(ends, 2 * Course::Planned.steps().len());
    assert_eq!(moved.moves.last().unwrap().3, Course::Planned);
    lab.is_as_stated("dublin-2", "hamar", 1).await;
    writes_for_the_home(lab, "dublin-2", "hamar").await;
    let (moved, _) = lab.interrupted(|mover| Box::pin(mover.failback("dublin-2"))).await;
    assert_eq!((moved.unshipped, moved.kept), (0, None));
    lab.is_as_stated("dublin-2", "dublin-2", 2).await;
    let written = load.end().await;
    assert!(!written.is_empty());
    for cluster in &lab.enclave.clusters {
        lab.all_arrive(cluster.site(), &written).await;
    }
}

/// The new holder writes the home's rows, makes their tokens, and gives its own home to what is not for another.
async fn writes_for_the_home(lab: &Lab, home: &str, holder: &str) {
    let at = lab.enclave.cluster(holder).admin().await.unwrap();
    at.batch_execute(&format!(
        "SET trefoil.home = '{home}'; INSERT INTO data.users (id, handle) VALUES (-501, 'a')"
    ))
    .await
    .unwrap();
    at.batch_execute("RESET trefoil.home; INSERT INTO data.users (id, handle) VALUES (-502, 'b')")
        .await
        .unwrap();
    at.batch_execute(&format!("UPDATE data.users SET followers = 7 WHERE home_site = '{home}'"))
        .await
        .unwrap();
    for cluster in &lab.enclave.clusters {
        let client = cluster.admin().await.unwrap();
        let found = "SELECT string_agg(home_site || ' ' || (token IS NOT NULL), ', ' ORDER BY id DESC) FROM data.users \
            LEFT JOIN pseudonym.analytics ON subject = trefoil_subject WHERE id IN (-501, -502)";
        eventually(&client, found, &format!("{home} true, {holder} true")).await;
        let updated = format!(
            "SELECT bool_and(followers = 7)::text FROM data.users WHERE home_site = '{home}' AND id > 0"
        );
        eventually(&client, &updated, "true").await;
    }
    // Neither mislabelled nor misplaced, at the old holder nor beside the parent table.
    let old = lab.enclave.cluster(home).admin().await.unwrap();
    let refused = old.batch_execute("INSERT INTO data.users (id) VALUES (-503)").await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!(refused.message(), ELSEWHERE);
    let hint = refused.hint().unwrap();
    assert!(hint.contains(holder) && hint.contains(&format!("trefoil.home={home}")), "{hint}");
    let misplaced = format!("INSERT INTO data.\"users_{home}\" (id, home_site) VALUES (-504, '{holder}')");
    let refused = at.batch_execute(&misplaced).await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "23514", "{refused}");
}

async fn one_of_two_movers_wins(lab: &Lab) {
    let (one, other) = (lab.mover("one", None), lab.mover("other", None));
    let both =
        tokio::join!(one.failover("dublin-2", Some("hamar")), other.failover("dublin-2", Some("dublin-1")));
    let won: Vec<bool> = [&both.0, &both.1].iter().map(|done| done.is_ok()).collect();
    assert!(won[0] != won[1], "{both:?}");
    let holder = if won[0] { "hamar" } else { "dublin-1" };
    lab.is_as_stated("dublin-2", holder, 3).await;
    let same = lab.mover("one", None);
    let again = same.failover("dublin-2", None).await.unwrap_err();
    assert!(matches!(again, SitesError::HeldElsewhere { .. }), "{again}");
    let (same, twice) = (lab.mover("same", None), lab.mover("same", None));
    let both = tokio::join!(same.failback("dublin-2"), twice.failback("dublin-2"));
    let pending = |done: &Result<Moved, SitesError>| matches!(done, Err(SitesError::MovePending(_)));
    assert!(pending(&both.0) != pending(&both.1), "{both:?}");
    lab.is_as_stated("dublin-2", "dublin-2", 4).await;
}

async fn a_killed_site_is_taken_over_from_and_comes_back(lab: &mut Lab) {
    let site = "dublin-1";
    let home = lab.enclave.cluster(site).admin().await.unwrap();
    // dublin-2 has less than hamar, and what is written last is at neither.
    follow(lab, "dublin-2", site, false).await;
    for id in 1..=20 {
        insert(&home, -2_000 - id, site).await.unwrap();
    }
    home.batch_execute("UPDATE data.users SET followers = 99 WHERE id = -2001").await.unwrap();
    let hamar = lab.enclave.cluster("hamar").admin().await.unwrap();
    eventually(&hamar, "SELECT followers::text FROM data.users WHERE id = -2001", "99").await;
    follow(lab, "hamar", site, false).await;
    for id in 1..=5 {
        insert(&home, -3_000 - id, site).await.unwrap();
    }
    home.batch_execute("UPDATE data.users SET handle = 'late' WHERE id = -2002").await.unwrap();
    home.batch_execute("DELETE FROM data.users WHERE id = -2003").await.unwrap();
    lab.kill(site);
    let (moved, ends) = lab.interrupted(|mover| Box::pin(mover.failover(site, None))).await;
    assert_eq!(ends, 2 * Course::TakenOver.steps().len());
    assert_eq!(moved.moves.last().unwrap().1, site);
    assert_eq!(moved.moves.last().unwrap().2, "hamar", "the one that has most takes over");
    let told = lab.desk.stated.lock().unwrap().last().unwrap().clone();
    assert!(told.done && told.course == Course::TakenOver);
    lab.is_as_stated(site, "hamar", 1).await;
    let laggard = lab.enclave.cluster("dublin-2").admin().await.unwrap();
    eventually(&laggard, "SELECT count(*)::text FROM data.users WHERE id BETWEEN -2020 AND -2001", "20")
        .await;
    // The home is written on, under a key that the old holder gave away and nobody else knows of.
    hamar.batch_execute("SET trefoil.home = 'dublin-1'").await.unwrap();
    insert(&hamar, -3_001, site).await.unwrap();
    hamar.batch_execute("UPDATE data.users SET handle = 'other' WHERE id = -2002").await.unwrap();
    eventually(&laggard, "SELECT handle FROM data.users WHERE id = -2002", "other").await;
    comes_back(lab, site).await;
}

async fn comes_back(lab: &mut Lab, site: &'static str) {
    let cluster = lab.enclave.cluster(site).clone();
    cluster.shut_out().unwrap();
    lab.enclave.run(&cluster).await;
    let password = lab.enclave.secrets.watch[site].clone();
    let refused = lab.enclave.login(site, wall::names::WATCH, &password, None).await;
    assert!(refused.is_err(), "a site that is out lets nobody in");
    // The administrator is past every lock: even what he writes there now is found.
    let back = cluster.admin().await.unwrap();
    insert(&back, -3_777, site).await.unwrap();
    let status =
        sites::status(&lab.enclave.bundle, &lab.enclave.clusters, &lab.desk.homes().await.unwrap()).await;
    let writes_too = "home dublin-1: dublin-1 writes it and does not hold it";
    assert!(status.problems.iter().any(|told| told == writes_too), "{:?}", status.problems);
    let fenced = |step: Step, when: When| step == Step::Keep && when == When::Before;
    let ended = lab.mover("move", Some(&fenced)).failback(site).await.unwrap_err();
    assert!(matches!(ended, SitesError::Stopped(_)), "{ended}");
    let refused = insert(&back, -3_778, site).await.unwrap_err();
    assert_eq!(refused.as_db_error().unwrap().message(), ELSEWHERE);
    // It goes again in the middle of that, and `trefoil up` shuts it again.
    lab.kill(site);
    cluster.shut_out().unwrap();
    lab.enclave.run(&cluster).await;
    let (moved, _) = lab.interrupted(|mover| Box::pin(mover.failback(site))).await;
    let kept: Vec<serde_json::Value> = fs::read_to_string(lab.kept(site))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told = |table: &str, operation: &str| -> BTreeSet<i64> {
        let of = kept.iter().filter(|line| line["table"] == table && line["operation"] == operation);
        of.filter_map(|line| line["row"]["id"].as_str()?.parse().ok()).collect()
    };
    let users = "data.users_dublin-1";
    assert_eq!(told(users, "insert"), BTreeSet::from([-3_001, -3_002, -3_003, -3_004, -3_005, -3_777]));
    assert_eq!(
        (told(users, "update"), told(users, "delete")),
        (BTreeSet::from([-2_002]), BTreeSet::from([-2_003]))
    );
    let collision = kept.iter().find(|line| line["table"] == users && line["row"]["id"] == "-3001").unwrap();
    assert!(collision["holder"].is_object(), "what the holder has under the same key is shown: {collision}");
    assert!(moved.moves.iter().any(|(_, from, to, _)| from == "hamar" && to == site), "{moved:?}");
    lab.is_as_stated(site, site, 2).await;
    for cluster in &lab.enclave.clusters {
        let client = cluster.admin().await.unwrap();
        let merged = "SELECT string_agg(id || ' ' || handle, ', ' ORDER BY id DESC) FROM data.users \
            WHERE id IN (-2002, -2003, -3001, -3002, -3777)";
        eventually(&client, merged, "-2002 other, -2003 n, -3001 n").await;
    }
    let back = lab.enclave.cluster(site).admin().await.unwrap();
    insert(&back, -3_900, site).await.unwrap();
    for cluster in &lab.enclave.clusters {
        lab.all_arrive(cluster.site(), &BTreeSet::from([-3_900])).await;
    }
}

/// hamar's commits wait for a sibling: kill it while it is written to, and everything acknowledged is at the new holder.
async fn commits_that_wait_for_a_sibling_survive_the_site(lab: &mut Lab) {
    let load = Load::start(lab.enclave.clusters.clone(), "hamar", -5_000_000);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    lab.kill("hamar");
    let moved = lab.mover("move", None).failover("hamar", None).await.unwrap();
    let holder = moved.moves.last().unwrap().2.clone();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let written = load.end().await;
    lab.all_arrive(&holder, &written).await;
    lab.is_as_stated("hamar", &holder, 1).await;
    let hamar = lab.enclave.cluster("hamar").clone();
    lab.enclave.run(&hamar).await;
    // Nobody follows it, so that nothing it is asked to write is ever acknowledged.
    let past = hamar.admin().await.unwrap();
    past.batch_execute("SET synchronous_commit = on").await.unwrap();
    let hangs = tokio::time::timeout(Duration::from_millis(500), insert(&past, -6_000, "hamar")).await;
    assert!(hangs.is_err(), "acknowledged: {hangs:?}");
    lab.mover("move", None).failback("hamar").await.unwrap();
    lab.is_as_stated("hamar", "hamar", 2).await;
    for cluster in &lab.enclave.clusters {
        lab.all_arrive(cluster.site(), &written).await;
    }
    eprintln!(
        "{} rows were acknowledged while a site with a synchronous sibling was killed, and none is lost",
        written.len()
    );
}

impl Lab {
    fn mover<'a>(&'a self, journal: &str, stop: Option<&'a Stop<'a>>) -> Mover<'a, Desk> {
        Mover {
            bundle: &self.enclave.bundle,
            clusters: &self.enclave.clusters,
            notary: &self.desk,
            journal: self.enclave.dir.path().join(format!("{journal}.json")),
            watcher: quiet(),
            stop,
        }
    }

    /// Runs a move until it is through, ended before and after each step of it once. Says how often it was ended.
    async fn interrupted(&self, run: impl for<'m> Fn(&'m Mover<'m, Desk>) -> Moving<'m>) -> (Moved, usize) {
        let seen: Mutex<Vec<(Course, Step, When)>> = Mutex::default();
        let stop = |step: Step, when: When| {
            let home = self.desk.stated.lock().unwrap().last().map(|stated| stated.course);
            let mut seen = seen.lock().unwrap();
            let point = (home.filter(|_| step != Step::Begin).unwrap_or(Course::Planned), step, when);
            let new = !seen.contains(&point);
            if new {
                seen.push(point);
            }
            new
        };
        for _ in 0..100 {
            match run(&self.mover("move", Some(&stop))).await {
                Ok(moved) => return (moved, seen.lock().unwrap().len()),
                Err(SitesError::Stopped(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the move never comes to its end");
    }

    /// One site writes the home, says so, and no site differs from what is stated.
    async fn is_as_stated(&self, home: &str, holder: &str, term: u64) {
        let homes = self.desk.homes().await.unwrap();
        assert!(homes.next().is_none());
        let held = homes.now().of(home).unwrap();
        assert_eq!((held.site.as_str(), held.term), (holder, term));
        for cluster in self.enclave.clusters.iter().filter(|cluster| !homes.is_out(cluster.site())) {
            let found = sites::check(cluster, &self.enclave.bundle, &homes).await.unwrap();
            assert!(found.drift.is_empty(), "{}: {:#?}", cluster.site(), found.drift);
        }
        let mut problems = Vec::new();
        for _ in 0..50 {
            problems = sites::status(&self.enclave.bundle, &self.enclave.clusters, &homes).await.problems;
            problems.retain(|problem| {
                !homes.now().is_out(home) || !problem.starts_with(&format!("site {home} is "))
            });
            if problems.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{problems:#?}");
    }

    /// Rows with these numbers come to be at a site.
    async fn all_arrive(&self, site: &str, ids: &BTreeSet<i64>) {
        let client = self.enclave.cluster(site).admin().await.unwrap();
        let mut missing: Vec<i64> = Vec::new();
        for _ in 0..200 {
            let list: Vec<i64> = ids.iter().copied().collect();
            let rows = client.query("SELECT id FROM data.users WHERE id = ANY ($1)", &[&list]).await.unwrap();
            let found: BTreeSet<i64> = rows.iter().map(|row| row.get(0)).collect();
            missing = ids.difference(&found).copied().collect();
            if missing.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{site}: {} of {} are missing, such as {:?}", missing.len(), ids.len(), missing.first());
    }

    fn kill(&mut self, site: &str) {
        let cluster = self.enclave.cluster(site).clone();
        self.enclave.kill(&cluster);
    }

    /// The file of what a site had not shipped.
    fn kept(&self, site: &str) -> PathBuf {
        let folder = self.enclave.cluster(site).folder().join("unshipped");
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }
}

/// Somebody who writes a row of a home after the other, wherever it is written, and remembers what was acknowledged.
struct Load {
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<BTreeSet<i64>>,
}

impl Load {
    fn start(clusters: Vec<Cluster>, home: &'static str, first: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let (mut written, mut next) = (BTreeSet::new(), first);
            while !until.load(Ordering::Relaxed) {
                for cluster in &clusters {
                    let Ok(client) = cluster.admin().await else { continue };
                    // The administrator waits for no sibling, and whoever writes does.
                    if client.batch_execute("SET synchronous_commit = on").await.is_err() {
                        continue;
                    }
                    // Until the site refuses, or is gone, or the test is over.
                    while !until.load(Ordering::Relaxed) {
                        next -= 1;
                        match tokio::time::timeout(Duration::from_secs(2), insert(&client, next, home)).await
                        {
                            Ok(Ok(())) => drop(written.insert(next)),
                            Ok(Err(_)) | Err(_) => break,
                        }
                    }
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            written
        });
        Self { stop, task }
    }

    async fn end(self) -> BTreeSet<i64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap()
    }
}

async fn insert(client: &Client, id: i64, home: &str) -> Result<(), tokio_postgres::Error> {
    let row = format!("INSERT INTO data.users (id, home_site, handle) VALUES ({id}, '{home}', 'n')");
    client.batch_execute(&row).await
}

/// Lets a site follow another, or not, and waits until it does not.
async fn follow(lab: &Lab, subscriber: &str, publisher: &str, on: bool) {
    let client = lab.enclave.cluster(subscriber).admin().await.unwrap();
    let word = if on { "ENABLE" } else { "DISABLE" };
    client.batch_execute(&format!("ALTER SUBSCRIPTION \"trefoil_from_{publisher}\" {word}")).await.unwrap();
    let works = format!(
        "SELECT count(pid)::text FROM pg_stat_subscription WHERE subname = 'trefoil_from_{publisher}'"
    );
    eventually(&client, &works, if on { "1" } else { "0" }).await;
}

/// Replication takes a moment.
async fn eventually(client: &Client, query: &str, expected: &str) {
    let mut last = None;
    for _ in 0..200 {
        last = client.query_opt(query, &[]).await.unwrap().and_then(|row| row.get::<_, Option<String>>(0));
        if last.as_deref() == Some(expected) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query}: expected {expected}, found {last:?}");
}
