//! A day that is long past, from its first entry to its end: a record as a gate writes it and a monitor that runs, each with
//! its own side of the day's key. What either does by itself is tested beside it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;
#[path = "lab/running.rs"]
mod running;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use age::{secrecy::ExposeSecret, x25519::Identity};
use lab::{AOIFE, CLEARED, Lab, SECOND, client};
use monitor::{
    audit::{self, Plan},
    clock,
    config::Config,
    monitor::Monitor,
    own::Own,
};
use record::{
    Detail, Draft, ForgetError, Record, Tls,
    show::{Opener, Reading, ShowError},
};
use running::Running;
use tlog::{
    detail::{GateStart, Released, SessionClose, SessionOpen, Statement},
    entry::{Count, CountState, Decision, Kind, Micros},
    hash::hex,
    reader::{Reader, Source},
    rule::ReleaseRule,
};

/// As many as the example's policy keeps keys of this class for.
const DAYS: u32 = 365;
const DAY_US: i64 = 86_400 * SECOND;
const TRIES: u32 = 300;

/// A gate's record, and the monitor that follows it.
struct Scene {
    lab: Lab,
    monitor: Running,
    record: Record,
    rule: ReleaseRule,
    clock: Arc<AtomicI64>,
    operator: Identity,
    auditor: Identity,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    /// Whose gate's clock says this.
    fn at(now: Micros) -> Scene {
        let mut lab = Lab::at(clock::now());
        lab.monitor = None;
        let folder = lab.folder();
        let (certificate, key) = client::enrolled_pem(&folder, lab::GATE);
        let monitor = Running::start(&lab.monitor_dir(), &client::with(&folder, &certificate, &key));
        let door = fs::read(folder.door_cert()).unwrap();
        let tls = Tls::of_monitor(&door, certificate.as_bytes(), key.as_bytes()).unwrap();
        let (witness, redecided) = (lab.made.witness.parse().unwrap(), lab.made.redecided.parse().unwrap());
        let cosigners = [("witness", &witness), ("redecided", &redecided)];
        let rule = ReleaseRule::all_of(lab.gate.log.verifier(), &cosigners).unwrap();
        let (operator, auditor) = (Identity::generate(), Identity::generate());
        let told = Arc::new(AtomicI64::new(now.0));
        let tells = told.clone();
        let at = |name: &str| lab.dir.path().join("gate").join(name);
        let config = record::Config {
            origin: lab::ORIGIN.to_owned(),
            gate: lab::GATE.to_owned(),
            log_key: lab.gate.log.clone(),
            rule: rule.clone(),
            wal_dir: at("wal"),
            details_dir: at("details"),
            keys_dir: at("keys"),
            record_dir: at("record"),
            recipients: vec![
                operator.to_public().to_string(),
                lab.made.recipient.clone(),
                auditor.to_public().to_string(),
            ],
            monitor_url: Some(format!("https://{}", monitor.url)),
            monitor_tls: Some(tls),
            cosign_wait: Duration::from_millis(1_500),
            clock: Arc::new(move || Micros(tells.fetch_add(1, Ordering::Relaxed))),
        };
        let record = Record::open(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Scene { lab, monitor, record, rule, clock: told, operator, auditor, runtime }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.dir.path().join(name)
    }

    /// Appends all of them at once, and waits until they are witnessed and published.
    fn append(&self, drafts: Vec<Draft>) {
        let staged = self.record.lag().staged + u64::try_from(drafts.len()).unwrap();
        // They are queued at once, and not taken back.
        drafts.into_iter().for_each(|draft| drop(self.record.append(draft)));
        for _ in 0..TRIES {
            sleep(Duration::from_millis(50));
            let lag = self.record.lag();
            if lag.staged >= staged && lag.published == lag.staged {
                return;
            }
        }
        panic!("{:?}: not witnessed", self.record.lag());
    }

    fn start(&self) -> Draft {
        let bundle = &self.lab.gate.bundle;
        let profiles: BTreeMap<_, _> =
            bundle.profiles().iter().map(|p| (p.name.clone(), p.hash.to_string())).collect();
        let (version, sites) = ("0.1.0".to_owned(), vec![lab::SITE.to_owned()]);
        let detail = GateStart { version, profiles, sites, subject_key: None };
        Draft { policy: Some(bundle.hash().to_string()), ..draft(Kind::GateStart, &detail) }
    }

    /// A session from its open to its close.
    fn session(&self, id: u8) -> Vec<Draft> {
        let gate = &self.lab.gate;
        let permit = gate.bundle.decide(&gate.ask(&AOIFE)).unwrap();
        let role = gate.role(&AOIFE, 1);
        let opened = SessionOpen {
            principal: AOIFE.principal.to_owned(),
            listener: AOIFE.listener.to_owned(),
            address: None,
            purpose: AOIFE.purpose.map(str::to_owned),
            ticket: AOIFE.ticket.map(str::to_owned),
            profile: permit.profile().name.clone(),
            site: lab::SITE.to_owned(),
            csr: lab::csr(&role),
            role,
        };
        let statement = Statement {
            text: CLEARED.to_owned(),
            parameters: Vec::new(),
            rows: 0,
            bytes: 0,
            tag: None,
            error: None,
            cursor: None,
            subjects: None,
        };
        let closed = SessionClose { reason: "terminated".to_owned(), rows: 0, bytes: 0, subjects: None };
        let session = Some(hex(&[id; 16]));
        let open = Draft {
            session: session.clone(),
            principal: Some(AOIFE.principal.to_owned()),
            request: Some(permit.request()),
            place: Some(permit.place().to_string()),
            decision: Some(Decision::Permit),
            policy: Some(gate.bundle.hash().to_string()),
            profile: Some(permit.profile().hash.to_string()),
            classes: permit.profile().classes().iter().map(ToString::to_string).collect(),
            ..draft(Kind::SessionOpen, &opened)
        };
        let release = Draft {
            session: session.clone(),
            count: Some(Count { state: CountState::Exact, rows: 0, bytes: 0 }),
            ..draft(Kind::AccessRelease, &Released { statements: vec![statement] })
        };
        vec![open, release, Draft { session, ..draft(Kind::SessionClose, &closed) }]
    }

    /// Forgets a day, however often the monitor has to be asked.
    fn forget(&self, day: &str) -> record::Gone {
        for _ in 0..TRIES {
            match self.runtime.block_on(self.record.forget(day, None, |_| Some(DAYS))) {
                Ok(gone) => return <[_; 1]>::try_from(gone).unwrap()[0].clone(),
                Err(ForgetError::NotWitnessed(_) | ForgetError::NotPublished { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("{day} is not forgotten");
    }
}

fn draft(kind: Kind, detail: &impl serde::Serialize) -> Draft {
    Draft { detail: Detail::of(detail).ok(), ..Draft::new(kind) }
}

/// The published files.
struct Folder(PathBuf);

impl Source for Folder {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, io::Error> {
        match fs::read(self.0.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }
}

/// Whether a file of a folder, at any depth, holds these bytes.
fn is_anywhere(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_anywhere(&path, bytes);
        }
        path.is_file() && fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn a_day_that_is_forgotten_is_opened_by_nobody_and_verifies_everywhere() {
    let past = Micros(clock::now().0 - i64::from(DAYS + 35) * DAY_US);
    let day = past.to_string()[..10].to_owned();
    let scene = Scene::at(past);
    scene.append([vec![scene.start()], scene.session(1)].concat());
    scene.clock.store(clock::now().0, Ordering::Relaxed);
    scene.append(scene.session(2));

    let id = format!("{day}.access");
    let sides = [scene.path("gate/keys"), scene.path("monitor/keys")];
    let secrets = sides.clone().map(|keys| fs::read(keys.join(format!("{id}.age"))).unwrap());
    let secrets = secrets.map(|wrapped| wrapped[wrapped.len() - 64..].to_vec());
    // The day's entries are those before today's key: key, start, open, release, close.
    let open = |index: u64| {
        let at = |name: &str| scene.path("gate").join(name);
        let reading = Reading::open(at("record"), at("details"), at("wal")).unwrap();
        let shown = reading.get(index).unwrap().unwrap();
        Opener::new(scene.operator.to_string().expose_secret(), at("keys")).open(&shown)
    };
    let (of_the_day, of_today) = (3, 7);
    assert!(open(of_the_day).unwrap().is_some() && open(of_today).unwrap().is_some());

    let gone = scene.forget(&day);
    assert_eq!(gone.key, id);
    assert!(matches!(open(of_the_day), Err(ShowError::Forgotten { index: 3, .. })));
    assert!(open(of_today).unwrap().is_some());
    for secret in &secrets {
        let is_left = ["gate", "monitor"].map(|side| is_anywhere(&scene.path(side), secret));
        assert_eq!(is_left, [false, false], "a wrapped key is still there");
    }
    assert!(sides[0].join(format!("{id}.forgotten")).is_file());
    assert!(sides[1].join(format!("{id}.attested")).is_file());

    // The day after it goes on, and everybody finds it whole.
    scene.append(scene.session(3));
    scene.runtime.block_on(scene.record.stop()).unwrap();
    let Scene { lab, monitor, record, rule, auditor, .. } = scene;
    drop(record);
    assert_eq!(monitor.stop(), 0);
    let at = |name: &str| lab.dir.path().join("gate").join(name);
    let report = Reader::new(&Folder(at("record")), &rule).verify();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!(report.entries_by_kind.get(&Kind::KeyForgotten), Some(&1));
    let checked = Monitor::check(&lab.folder(), clock::now()).unwrap();
    let bundles = lab.dir.path().join("bundles");
    fs::create_dir_all(&bundles).unwrap();
    fs::rename(lab.dir.path().join("bundle"), bundles.join(lab.gate.bundle.hash().to_string())).unwrap();
    let plan = Plan {
        record: at("record"),
        details: at("details"),
        keys: at("keys"),
        bundles,
        operator: lab.operator.verifier().clone(),
        rule,
        identity: auditor.to_string().expose_secret().to_owned(),
    };
    let found = audit::replay(&plan, |_, _| ()).unwrap();
    assert!(found.agrees() && found.is_whole(), "{found:?}");
    assert_eq!((found.size, found.forgotten), (checked.size, 5), "{found:?}");

    // The monitor says so in a record of its own.
    let config = Config::read(&lab.folder()).unwrap();
    let identity = fs::read_to_string(lab.folder().identity()).unwrap();
    let own = Own::open(&lab.folder(), &config.own, identity.trim()).unwrap();
    let mut said = Vec::new();
    let note = |kept: monitor::own::Kept| {
        if kept.kind == Kind::KeyForgotten {
            said.push(kept.detail::<tlog::detail::Forgotten>()?);
        }
        Ok(())
    };
    own.each(0, note).unwrap();
    let said: Vec<_> = said.iter().map(|said| (said.key.as_str(), said.entry)).collect();
    assert_eq!(said, [(id.as_str(), gone.entry)]);
}
