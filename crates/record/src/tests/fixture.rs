//! A record in a temporary folder, the monitor it talks to, and the check of everything that both hold.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use serde_json::json;
use tempfile::TempDir;
use tlog::entry::{Kind, Micros};
use tlog::note::{KeyType, SigningKey};
use tlog::reader::{Reader, Report, Source};
use tlog::rule::ReleaseRule;

use super::monitor::TestMonitor;
use crate::show::{Opener, Reading, ShowError};
use crate::steps::{Hook, Step, Steps, When};
use crate::{Config, Detail, Draft, NotWitnessed, OpenError, Record};

/// 2026-01-31T12:00:00Z.
const NOON_MICROS: i64 = 1_769_860_800_000_000;
const ORIGIN: &str = "test.example/gate-1";

/// A failure to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The next time that this step is reached, on this side.
    Once(Step, When),
    /// From now on nothing is done any more, as after a power cut.
    Off,
}

pub(crate) struct Fixture {
    dir: TempDir,
    pub(crate) monitor: TestMonitor,
    identity: age::x25519::Identity,
    log_key: SigningKey,
    /// Microseconds; goes on by one at each reading.
    pub(crate) clock: Arc<AtomicI64>,
    /// What fails.
    pub(crate) fault: Arc<Mutex<Option<Fault>>>,
    pub(crate) cosign_wait: Duration,
    /// Nobody is sent the entries, and the rule asks for nobody's cosignature.
    pub(crate) alone: bool,
    /// Lines of the rule beyond log and monitor, the quorum among them; none: both keys of the monitor's.
    pub(crate) rule_lines: Option<String>,
    /// Numbers of the drafts that were witnessed, by index.
    pub(crate) witnessed: BTreeMap<u64, u64>,
    drafted: u64,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let log_key = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [1; 32]).unwrap();
        Self {
            dir: TempDir::new().unwrap(),
            monitor: TestMonitor::start(log_key.verifier().clone()),
            identity: age::x25519::Identity::generate(),
            log_key,
            clock: Arc::new(AtomicI64::new(NOON_MICROS)),
            fault: Arc::default(),
            cosign_wait: Duration::from_millis(crate::COSIGN_WAIT_MS_MAX),
            alone: false,
            rule_lines: None,
            witnessed: BTreeMap::new(),
            drafted: 0,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn rule(&self) -> ReleaseRule {
        let [witness, redecided] = &self.monitor.keys;
        if let Some(lines) = &self.rule_lines {
            let log = self.log_key.verifier();
            let text =
                format!("log {log}\nwitness witness {witness}\nwitness redecided {redecided}\n{lines}");
            return ReleaseRule::parse(text).unwrap();
        }
        let both = [("witness", witness), ("redecided", redecided)];
        let asked = if self.alone { &[][..] } else { &both[..] };
        ReleaseRule::all_of(self.log_key.verifier(), asked).unwrap()
    }

    pub(crate) fn config(&self) -> Config {
        let clock = self.clock.clone();
        Config {
            origin: ORIGIN.to_owned(),
            gate: "gate-1".to_owned(),
            log_key: self.log_key.clone(),
            rule: self.rule(),
            wal_dir: self.path("gate/wal"),
            details_dir: self.path("gate/details"),
            keys_dir: self.path("gate/keys"),
            record_dir: self.path("record"),
            recipients: vec![self.identity.to_public().to_string()],
            monitor_url: (!self.alone).then(|| self.monitor.url.clone()),
            monitor_tls: None,
            cosign_wait: self.cosign_wait,
            clock: Arc::new(move || Micros(clock.fetch_add(1, Ordering::Relaxed))),
        }
    }

    pub(crate) fn try_open(&self) -> Result<Record, OpenError> {
        let fault = self.fault.clone();
        let hook: Hook = Arc::new(move |step, when| {
            let mut fault = fault.lock().unwrap();
            match *fault {
                Some(Fault::Off) => when == When::Before,
                Some(Fault::Once(at, side)) if (at, side) == (step, when) => {
                    *fault = None;
                    true
                }
                _ => false,
            }
        });
        crate::open::open(self.config(), Steps { hook: Some(hook) })
    }

    pub(crate) fn open(&self) -> Record {
        self.try_open().unwrap()
    }

    /// A draft that carries the next number in its sealed detail.
    pub(crate) fn draft(&mut self) -> (u64, Draft) {
        self.drafted += 1;
        let draft = Draft {
            principal: Some("aoife".to_owned()),
            request: Some(json!({ "purpose": "support" })),
            detail: Detail::of(&json!({ "number": self.drafted })).ok(),
            ..Draft::new(Kind::PolicyApplied)
        };
        (self.drafted, draft)
    }

    /// Appends so many at once and waits for all. Answers those that were not witnessed.
    pub(crate) async fn append(&mut self, record: &Record, count: usize) -> Vec<NotWitnessed> {
        let drafts: Vec<_> = (0..count).map(|_| self.draft()).collect();
        let waiting: Vec<_> =
            drafts.into_iter().map(|(number, draft)| (number, record.append(draft))).collect();
        let mut failed = Vec::new();
        for (number, waiting) in waiting {
            match waiting.await {
                Ok(witnessed) => assert_eq!(self.witnessed.insert(witnessed.index(), number), None),
                Err(error) => failed.push(error),
            }
        }
        failed
    }

    /// Appends so many at once, all of which must be witnessed.
    pub(crate) async fn append_all(&mut self, record: &Record, count: usize) {
        let failed = self.append(record, count).await;
        assert!(failed.is_empty(), "{failed:?}");
    }

    /// Stops the record, then opens it again without faults until all is cosigned and published.
    pub(crate) async fn settle(&mut self, record: Record) {
        let _ = record.stop().await;
        drop(record);
        *self.fault.lock().unwrap() = None;
        let record = self.reopen().await;
        self.append_all(&record, 3).await;
        let lag = record.stop().await.unwrap();
        assert_eq!((lag.staged, lag.staged), (lag.cosigned, lag.published));
    }

    /// Opens the record again. A record that stopped by itself takes a moment to let go of its folder.
    pub(crate) async fn reopen(&self) -> Record {
        for _ in 0..2_000 {
            match self.try_open() {
                Err(OpenError::Wal(crate::WalError::Locked { .. })) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                other => return other.unwrap(),
            }
        }
        panic!("the record is still locked after 10 s");
    }

    pub(crate) fn reading(&self) -> Reading {
        let (record, gate) = (self.path("record"), self.path("gate"));
        Reading::open(record, gate.join("details"), gate.join("wal")).unwrap()
    }

    pub(crate) fn opener(&self) -> Opener {
        Opener::new(self.identity.to_string().expose_secret(), self.path("gate/keys"))
    }

    pub(crate) fn verify(&self) -> Report {
        let (source, rule) = (Folder(self.path("record")), self.rule());
        Reader::new(&source, &rule).verify()
    }

    /// Checks a stopped record whole: an outsider's verification of the published folder, every entry that was
    /// ever acknowledged at its index with its own sealed detail, the same entries and details at the monitor, and
    /// never two roots for one size.
    pub(crate) fn check_whole(&self) {
        let report = self.verify();
        assert!(report.is_clean(), "{:?}", report.findings);
        assert_eq!(report.ahead, 0);
        let reading = self.reading();
        assert_eq!((reading.published(), reading.size()), (report.size, report.size));
        let (mut opener, mut numbers) = (self.opener(), BTreeMap::new());
        let state = self.monitor.state();
        assert_eq!(state.forks, Vec::<u64>::new());
        assert_eq!(state.entries.len() as u64, report.size);
        reading
            .each(0, u64::MAX, |shown| {
                let held = &state.entries[usize::try_from(shown.index).unwrap()];
                assert_eq!(shown.line, held.0);
                // A published entry's wrapped key is in the folder of keys alone.
                let kept =
                    if shown.published && crate::keys::is_wrapped(&held.1) { &[][..] } else { &held.1 };
                assert_eq!(shown.sealed, kept);
                if let Some(detail) = opener.open(&shown)? {
                    numbers.insert(shown.index, detail["number"].as_u64().unwrap());
                }
                Ok::<(), ShowError>(())
            })
            .unwrap();
        for (index, number) in &self.witnessed {
            assert_eq!(numbers.get(index), Some(number), "entry {index}");
        }
    }
}

struct Folder(PathBuf);

impl Source for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        crate::durable::read(&self.0.join(path))
    }

    fn list(&self, each: &mut dyn FnMut(&str)) -> Result<bool, io::Error> {
        list(&self.0, "", each)?;
        Ok(true)
    }
}

fn list(dir: &Path, prefix: &str, each: &mut dyn FnMut(&str)) -> io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        let name = format!("{prefix}{}", item.file_name().to_string_lossy());
        if item.file_type()?.is_dir() {
            list(&item.path(), &format!("{name}/"), each)?;
        } else {
            each(&name);
        }
    }
    Ok(())
}
