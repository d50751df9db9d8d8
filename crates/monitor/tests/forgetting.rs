//! What the monitor has of a key that is forgotten, and what an auditor can decide again, before and after.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on may end")]

mod lab;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use age::secrecy::ExposeSecret;
use lab::{AOIFE, CLEARED, Lab, NOWHERE, SECOND, START, Sealed, Who, csr};
use monitor::{
    audit::{self, Found, Plan},
    monitor::{Answer, Monitor, StartError},
};
use policy::Ask;
use record::{Detail, Draft, Record};
use tlog::{
    detail::{
        GateStart, Probe, ProbeRevealed, ProbesCommitted, ProbesRevealed, Released, SessionOpen, Statement,
    },
    entry::{Count, CountState, Decision, Entry, Kind, Micros},
    hash::hex,
    note::{KeyType, SigningKey},
    rule::ReleaseRule,
};

const DAY: i64 = 86_400 * SECOND;

fn forgotten(lab: &mut Lab, id: &str) -> Sealed {
    lab.gate.now.0 += 1;
    let mut entry = Entry::new(lab.gate.now, Kind::KeyForgotten, "gate-1");
    entry.key = Some(id.to_owned());
    (entry.encode().unwrap(), None)
}

/// So many days later, with the key of that day.
fn later(lab: &mut Lab, days: i64) {
    // The gate was not silent all the time.
    lab.gate.now.0 += days * DAY;
    let day = lab.gate.now.to_string()[..10].to_owned();
    lab.gate.key = tlog::detail::DayKey { id: format!("{day}.access"), seal: [7; 32], names: [8; 32] };
    let made = lab.gate.key_made();
    lab.accept(&[made]);
}

fn refused(lab: &mut Lab, item: Sealed) -> String {
    match lab.post(&[item]) {
        Answer::Refused(refused) => refused.reason,
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether a file of a folder, at any depth, holds these bytes.
fn is_anywhere(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().map(|item| item.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_anywhere(&path, bytes);
        }
        fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes)
    })
}

#[test]
fn a_forgotten_key_is_nowhere_and_the_copy_is_whole() {
    let mut lab = Lab::started();
    let old = lab.gate.key.id.clone();
    let session = lab.open(&AOIFE);
    for piece in
        [lab.gate.release(&session, CLEARED, CountState::Exact, 1, 10), lab.gate.close(&session, 1, 10)]
    {
        let sealed = lab.gate.seal(piece);
        lab.accept(&[sealed]);
    }
    let own_day = forgotten(&mut lab, &old);
    assert!(refused(&mut lab, own_day).contains("after 0 days; policy has it kept for 365"));
    later(&mut lab, 364);
    let early = forgotten(&mut lab, &old);
    assert!(refused(&mut lab, early).contains("after 364 days; policy has it kept for 365"));
    later(&mut lab, 1);
    let unknown = forgotten(&mut lab, "2026-03-01.access.2");
    assert!(refused(&mut lab, unknown).contains("was not made or is forgotten already"));

    let path = lab.monitor_dir().join("keys").join(format!("{old}.age"));
    let wrapped = fs::read(&path).unwrap();
    let secret = &wrapped[wrapped.len() - 64..];
    let copies = lab.monitor_dir().join("copy");
    assert!(!is_anywhere(&copies, secret), "the copy holds a wrapped key");
    let forget = forgotten(&mut lab, &old);
    lab.accept(&[forget]);
    assert!(!is_anywhere(&lab.monitor_dir(), secret), "the wrapped key is still there");
    let attested = lab.monitor_dir().join("keys").join(format!("{old}.attested"));
    assert!(attested.is_file(), "the own record does not say so");
    let again = forgotten(&mut lab, &old);
    assert!(refused(&mut lab, again).contains("was not made or is forgotten already"));

    // From a snapshot, then from the whole copy; and the copy is still checked.
    lab.monitor().stop().unwrap();
    lab.restart();
    lab.monitor = None;
    let _ = fs::remove_file(lab.folder().snapshot());
    lab.restart();
    lab.open(&AOIFE);
    let size = lab.monitor().size();
    lab.monitor = None;
    assert_eq!(Monitor::check(&lab.folder(), lab.gate.now).unwrap().size, size);

    // A key that no entry forgets must be there.
    let kept = lab.monitor_dir().join("keys").join(format!("{}.age", lab.gate.key.id));
    fs::rename(&kept, kept.with_extension("elsewhere")).unwrap();
    let opened = Monitor::open(&lab.folder(), lab.gate.now);
    assert!(matches!(opened, Err(StartError::Key(id)) if id == lab.gate.key.id));
    // Nor may one come back.
    fs::rename(kept.with_extension("elsewhere"), &kept).unwrap();
    fs::write(&path, &wrapped).unwrap();
    lab.restart();
    assert!(!path.exists());
}

/// A record as a gate writes it, whose monitor cosigns everything: there is none.
struct Lazy {
    lab: Lab,
    record: Record,
    log: SigningKey,
    auditor: age::x25519::Identity,
    runtime: tokio::runtime::Runtime,
}

impl Lazy {
    fn new() -> Lazy {
        let lab = Lab::new();
        let auditor = age::x25519::Identity::generate();
        let log = SigningKey::from_seed("europe.example/lazy", KeyType::Ed25519, [9; 32]).unwrap();
        let at = |name: &str| lab.dir.path().join("handed").join(name);
        let clock = AtomicI64::new(START.0);
        let config = record::Config {
            origin: log.name().to_owned(),
            gate: "gate-1".to_owned(),
            log_key: log.clone(),
            rule: ReleaseRule::all_of(log.verifier(), &[]).unwrap(),
            wal_dir: at("wal"),
            details_dir: at("details"),
            keys_dir: at("keys"),
            record_dir: at("record"),
            recipients: vec![auditor.to_public().to_string()],
            monitor_url: None,
            monitor_tls: None,
            cosign_wait: Duration::from_millis(1_500),
            clock: Arc::new(move || Micros(clock.fetch_add(SECOND, Ordering::Relaxed))),
        };
        let record = Record::open(config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Lazy { lab, record, log, auditor, runtime }
    }

    fn append(&self, kind: Kind, detail: &impl serde::Serialize, fill: impl FnOnce(&mut Draft)) -> u64 {
        let mut draft = Draft::new(kind);
        draft.detail = Detail::of(detail).ok();
        fill(&mut draft);
        self.runtime.block_on(self.record.append(draft)).unwrap().index()
    }

    fn start(&self) -> u64 {
        let bundle = &self.lab.gate.bundle;
        let profiles: BTreeMap<_, _> =
            bundle.profiles().iter().map(|p| (p.name.clone(), p.hash.to_string())).collect();
        let (version, sites) = ("0.1.0".to_owned(), vec![lab::SITE.to_owned()]);
        self.append(Kind::GateStart, &GateStart { version, profiles, sites, subject_key: None }, |draft| {
            draft.policy = Some(bundle.hash().to_string());
        })
    }

    /// A session of `who`, opened with the profile that policy gives to Aoife.
    fn open(&self, who: &Who, session: &str) -> u64 {
        let gate = &self.lab.gate;
        let ask = |who: &'static Who| gate.ask(who);
        let permit = gate.bundle.decide(&ask(&AOIFE)).unwrap();
        let role = gate.role(&AOIFE, 1);
        let place = gate.bundle.place_of(who.listener);
        let asked = Ask { principal: who.principal, place, purpose: who.purpose, ticket: who.ticket };
        let detail = SessionOpen {
            principal: who.principal.to_owned(),
            listener: who.listener.to_owned(),
            address: None,
            purpose: who.purpose.map(str::to_owned),
            ticket: who.ticket.map(str::to_owned),
            profile: permit.profile().name.clone(),
            site: lab::SITE.to_owned(),
            csr: csr(&role),
            role,
        };
        self.append(Kind::SessionOpen, &detail, |draft| {
            draft.session = Some(session.to_owned());
            draft.principal = Some(who.principal.to_owned());
            draft.request = Some(gate.bundle.request(&asked));
            draft.place = Some(place.to_string());
            draft.decision = Some(Decision::Permit);
            draft.policy = Some(gate.bundle.hash().to_string());
            draft.profile = Some(permit.profile().hash.to_string());
            draft.classes = permit.profile().classes().iter().map(ToString::to_string).collect();
        })
    }

    fn release(&self, session: &str, text: &str) -> u64 {
        let statement = Statement {
            text: text.to_owned(),
            parameters: Vec::new(),
            rows: 0,
            bytes: 0,
            tag: None,
            error: None,
            cursor: None,
            subjects: None,
        };
        self.append(Kind::AccessRelease, &Released { statements: vec![statement] }, |draft| {
            draft.session = Some(session.to_owned());
            draft.count = Some(Count { state: CountState::Exact, rows: 0, bytes: 0 });
        })
    }

    /// What the operator hands over, after a clean stop.
    fn hand_over(&self) -> PathBuf {
        let dir = self.lab.dir.path().join("handed");
        self.runtime.block_on(self.record.stop()).unwrap();
        let kept = dir.join("bundles").join(self.lab.gate.bundle.hash().to_string());
        copy_dir(&self.lab.dir.path().join("bundle"), &kept);
        dir
    }

    fn audit(&self, dir: &Path, identity: &age::x25519::Identity) -> Found {
        let plan = Plan {
            record: dir.join("record"),
            details: dir.join("details"),
            keys: dir.join("keys"),
            bundles: dir.join("bundles"),
            operator: self.lab.operator.verifier().clone(),
            rule: ReleaseRule::all_of(self.log.verifier(), &[]).unwrap(),
            identity: identity.to_string().expose_secret().to_owned(),
        };
        audit::replay(&plan, |_, _| ()).unwrap()
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(item.file_name());
        if item.path().is_dir() {
            copy_dir(&item.path(), &to)
        } else {
            let _ = fs::copy(item.path(), to).unwrap();
        }
    }
}

#[test]
fn an_auditor_finds_what_a_monitor_that_cosigns_everything_let_through() {
    let lazy = Lazy::new();
    let (one, other) = (hex(&[1; 16]), hex(&[2; 16]));
    lazy.start();
    lazy.open(&AOIFE, &one);
    lazy.release(&one, CLEARED);
    let salt = [5; 32];
    let probe = Probe {
        principal: "aoife".to_owned(),
        listener: "unmapped".to_owned(),
        purpose: None,
        ticket: None,
        profile: "support".to_owned(),
        site: lab::SITE.to_owned(),
    };
    let committed = ProbesCommitted { probes: vec![probe.commitment(&salt).unwrap()] };
    let committed = lazy.append(Kind::ProbeCommitted, &committed, |_| ());
    let wrong = lazy.open(&NOWHERE, &other);
    let shown = ProbeRevealed {
        probe,
        salt: hex(&salt),
        index: wrong,
        line: String::new(),
        cosigned: true,
        reason: None,
    };
    let revealed = ProbesRevealed { committed, probes: vec![shown.clone()] };
    lazy.append(Kind::ProbeRevealed, &revealed, |_| ());
    let other_salt = ProbeRevealed { salt: hex(&[6; 32]), ..shown };
    let forged = ProbesRevealed { committed, probes: vec![other_salt] };
    let forged = lazy.append(Kind::ProbeRevealed, &forged, |_| ());
    let refused = lazy.release(&one, lab::REFUSED);
    let last = lazy.release(&one, CLEARED);
    let dir = lazy.hand_over();

    let found = lazy.audit(&dir, &lazy.auditor);
    let indexes: Vec<_> = found.disagreements.iter().map(|one| one.index).collect();
    assert_eq!(indexes, [Some(wrong), Some(forged), Some(refused)], "{found:?}");
    assert!(found.is_whole() && !found.agrees(), "{found:?}");
    assert_eq!((found.size, found.decided), (last + 1, last + 1));
    assert_eq!((found.probes, found.probes_cosigned), (1, 1));

    // Nobody else can tell.
    let stranger = lazy.audit(&dir, &age::x25519::Identity::generate());
    assert!(stranger.agrees() && !stranger.is_whole(), "{stranger:?}");
    assert_eq!(stranger.keys_missing.len(), 1);

    // A tree that is not the one that was signed.
    let tile = dir.join("record/tile/entries").join(format!("000.p/{}", last + 1));
    let mut bytes = fs::read(&tile).unwrap();
    let at = bytes.windows(7).position(|part| part == b"\"rows\":").unwrap() + 7;
    bytes[at] = b'9';
    fs::write(&tile, bytes).unwrap();
    let altered = lazy.audit(&dir, &lazy.auditor);
    assert!(altered.disagreements.iter().any(|one| one.index.is_none()), "{altered:?}");

    // A bundle that was not handed over.
    let bundles = dir.join("bundles");
    let hash = lazy.lab.gate.bundle.hash().to_string();
    lab::signed_bundle(&bundles.join("0".repeat(64)), &lazy.lab.operator, "");
    fs::remove_dir_all(bundles.join(&hash)).unwrap();
    let plan_is_refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        lazy.audit(&dir, &lazy.auditor);
    }));
    assert!(plan_is_refused.is_err(), "a folder that is not named after its bundle's hash is taken");
    let other = lab::signed_bundle(&bundles.join("x"), &lazy.lab.operator, "\n# another\n");
    fs::remove_dir_all(bundles.join("0".repeat(64))).unwrap();
    fs::rename(bundles.join("x"), bundles.join(other.hash().to_string())).unwrap();
    let without = lazy.audit(&dir, &lazy.auditor);
    assert!(!without.is_whole() && without.bundles_missing.contains(&hash), "{without:?}");
    assert_eq!(without.decided, 1, "{without:?}");
}
