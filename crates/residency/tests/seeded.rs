//! Violations, planted in a real cluster one by one: each is found by the right check, under the right name, and nothing
//! else is; when it is removed, nothing is found any more. The checker is `trefoil_residency` with what
//! `residency grants` prints, and no superuser.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends when it cannot go on"
)]

mod common;
mod seeds;

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::{Duration, SystemTime};

use common::{Cluster, SECRET, check, program};
use residency::{Outcome, Report, Site};
use seeds::{SEEDS, Seed, Step};
use tokio_postgres::Client;

/// What a report says is wrong: (check, object).
fn wrong(report: &Report) -> BTreeSet<(String, String)> {
    let lines = report.checks.iter().filter(|line| line.result != Outcome::Pass);
    lines
        .map(|line| {
            let object = line.object.clone().unwrap_or_else(|| format!("?? {:?}", line.what));
            assert!(line.advice.as_ref().is_some_and(|advice| !advice.is_empty()), "{line:?}");
            let mark = if line.result == Outcome::Unknown { "unknown: " } else { "" };
            (line.name.to_owned(), format!("{mark}{object}"))
        })
        .collect()
}

/// Whether what was found is what is expected; `*` at the end of an object stands for any rest of a name.
fn is(found: &BTreeSet<(String, String)>, expected: &[(&str, &str)]) -> bool {
    let matches = |(check, object): &(&str, &str), (found_check, found): &(String, String)| {
        found_check == check
            && match object.strip_suffix('*') {
                Some(begin) => found.starts_with(begin),
                None => found == object,
            }
    };
    found.iter().all(|one| expected.iter().any(|wanted| matches(wanted, one)))
        && expected.iter().all(|wanted| found.iter().any(|one| matches(wanted, one)))
}

/// What a seed keeps open.
#[derive(Default)]
struct Held {
    clients: Vec<Client>,
    programs: Vec<Child>,
}

impl Drop for Held {
    fn drop(&mut self) {
        for program in &mut self.programs {
            program.kill().unwrap_or_default();
            program.wait().unwrap();
        }
    }
}

async fn take(cluster: &mut Cluster, client: &mut Client, steps: &[Step], held: &mut Held) {
    let dir = cluster.dir.path().display().to_string();
    let filled = |text: &str| text.replace("{dir}", &dir).replace("{secret}", SECRET);
    for step in steps {
        match step {
            Step::Sql(text) => {
                for statement in filled(text).split(";;") {
                    client
                        .batch_execute(statement)
                        .await
                        .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
                }
            }
            Step::Reload => reload(client).await,
            Step::Restart => {
                cluster.restart().await;
                *client = cluster.admin().await;
            }
            Step::Write(file, text) => cluster.append(file, &filled(text)),
            Step::Cut(file, text) => {
                let path = cluster.data().join(file);
                let whole = fs::read_to_string(&path).unwrap();
                assert!(whole.contains(&filled(text)), "{file}: {text}");
                fs::write(&path, whole.replace(&filled(text), "")).unwrap();
            }
            Step::Old(file) => {
                let path = cluster.data().join(file);
                fs::write(&path, "what was erased").unwrap();
                common::give(&path);
                let days = Duration::from_secs(3 * 86_400);
                #[allow(clippy::disallowed_methods, reason = "files are as old as their clock says")]
                let then = SystemTime::now() - days;
                fs::File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
            }
            Step::Gone(file) => fs::remove_file(cluster.data().join(file)).unwrap(),
            Step::Folder(name) => {
                let path = cluster.dir.path().join(name);
                fs::create_dir(&path).unwrap();
                common::give(&path);
            }
            Step::Login(role) => held.clients.push(cluster.login(role).await),
            Step::Program(name, arguments) => {
                let mut command = program(name);
                command
                    .args(arguments.iter().map(|argument| filled(argument)))
                    .arg("-d")
                    .arg(cluster.words());
                held.programs.push(command.spawn().unwrap());
            }
            Step::End => *held = Held::default(),
        }
    }
}

/// Until the server has read its files again: the postmaster does it in its own time.
async fn reload(client: &Client) {
    let before = "SELECT pg_conf_load_time()::text";
    let loaded = || async { client.query_one(before, &[]).await.unwrap().get::<_, String>(0) };
    let last = loaded().await;
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    for _ in 0..500 {
        if loaded().await != last {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the server does not reload");
}

/// Looks until that is found; what takes a moment to begin or to end gets it.
async fn until(site: &Site, expected: &[(&str, &str)], what: &str) {
    let mut found = BTreeSet::new();
    for _ in 0..100 {
        let report = check(site).await;
        let said =
            serde_json::to_string(&report).unwrap() + &report.lines(&|_, word| word.to_owned()).join("\n");
        assert!(!said.contains(SECRET), "{what}: a password is shown");
        found = wrong(&report);
        if is(&found, expected) {
            let code = if expected.is_empty() { 0 } else { 1 };
            assert_eq!(report.outcome().code(), code, "{what}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: found {found:#?}\nexpected {expected:#?}");
}

#[tokio::test]
async fn every_violation_is_found_and_named_and_gone_when_it_is_removed() {
    let mut cluster = Cluster::start().await;
    let site = cluster.site("trefoil_residency");
    until(&site, &[], "a clean cluster").await;
    let mut client = cluster.admin().await;
    for Seed { name, plant, remove, finds } in SEEDS {
        let mut held = Held::default();
        take(&mut cluster, &mut client, plant, &mut held).await;
        until(&site, finds, name).await;
        take(&mut cluster, &mut client, remove, &mut held).await;
        drop(held);
        until(&site, &[], &format!("{name}, removed")).await;
    }
    // The superuser sees the same by other means.
    until(&cluster.site("postgres"), &[], "a clean cluster, as a superuser").await;
}
