//! A small gate and a monitor to post to: entries made as the gate makes them, so that tests can forge one thing at a
//! time. Not here: what is expected of the monitor.
#![allow(dead_code, clippy::panic, reason = "each test file uses its part; a test that cannot go on may end")]

pub mod client;
mod logins;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use monitor::{
    brake::rules::RawBrakes,
    bundle,
    config::RawConfig,
    folder::Folder,
    incident::report::Contacts,
    init::{self, Made, Plan},
    monitor::{Answer, Cosigned, Monitor},
};
use policy::{Ask, Bundle};
use rcgen::{CertificateParams, DnType, KeyPair};
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;
use tlog::{
    checkpoint::Checkpoint,
    detail::{
        self, Change, CheckEvidence, CheckResult, Committed, Counted, Cut, DayKey, Exhibit, Refused,
        Released, ResidencyEvidence, SessionClose, SessionOpen, SiteEvidence, Stage, Statement, Subjects,
        WriteStatement, Written,
    },
    entry::{Count, CountState, Decision, Entry, Kind, Micros},
    hash::{hex, leaf_hash},
    note::{KeyType, SigningKey},
    tree::Frontier,
};

pub const GATE: &str = "gate-1";
pub const ORIGIN: &str = "europe.example/access";
pub const SECOND: i64 = 1_000_000;
/// 2026-03-01T12:00:00Z.
pub const START: Micros = Micros(1_772_366_400 * SECOND);
/// A statement that every profile with users may run.
pub const CLEARED: &str = "SELECT 1";
/// A statement that the billing service may run.
pub const WRITE: &str = "UPDATE payments SET status = 'paid' WHERE id = 1";
pub const REFUSED: &str = "DROP TABLE users";

/// An entry before it is sealed.
#[derive(Clone)]
pub struct Piece {
    pub entry: Entry,
    pub detail: Option<Value>,
}

/// An entry as it is posted.
pub type Sealed = (Vec<u8>, Option<Vec<u8>>);

/// Who asks.
#[derive(Clone, Copy)]
pub struct Who {
    pub principal: &'static str,
    pub listener: &'static str,
    pub purpose: Option<&'static str>,
    pub ticket: Option<&'static str>,
}

pub const AOIFE: Who =
    Who { principal: "aoife", listener: "ireland", purpose: Some("support"), ticket: Some("SUP-1") };
pub const AOIFE_WITHOUT: Who = Who { purpose: None, ticket: None, ..AOIFE };
pub const LUKAS: Who =
    Who { principal: "lukas", listener: "germany", purpose: Some("analytics"), ticket: None };
/// A service that may write payments.
pub const BILLING: Who =
    Who { principal: "billing", listener: "ireland", purpose: Some("billing"), ticket: None };
pub const NOWHERE: Who = Who { listener: "unmapped", ..AOIFE };

pub struct Gate {
    pub log: SigningKey,
    pub tree: Frontier,
    pub key: DayKey,
    pub recipient: String,
    pub bundle: Bundle,
    pub now: Micros,
    counter: u64,
}

/// The site that sessions of these tests use, and the role of the first session there.
pub const SITE: &str = "dublin-1";

impl Gate {
    fn unique<const N: usize>(&mut self) -> [u8; N] {
        self.counter += 1;
        let mut bytes = [0xa5; N];
        bytes[..8].copy_from_slice(&self.counter.to_be_bytes());
        bytes
    }

    pub fn session_id(&mut self) -> String {
        hex(&self.unique::<16>())
    }

    pub fn piece(&mut self, kind: Kind, detail: impl Serialize) -> Piece {
        self.now.0 += 1;
        let entry = Entry::new(self.now, kind, "gate-1");
        Piece { entry, detail: Some(serde_json::to_value(detail).unwrap()) }
    }

    /// Seals the detail and commits to it.
    pub fn seal(&mut self, piece: Piece) -> Sealed {
        let Piece { mut entry, detail } = piece;
        let (salt, nonce) = (self.unique::<32>(), self.unique::<24>());
        let blob = detail.map(|value| {
            let canonical = tlog::json::canonical(&value).unwrap();
            entry.key.get_or_insert_with(|| self.key.id.clone());
            entry.detail.get_or_insert_with(|| hex(&detail::commitment(&salt, &canonical)));
            detail::seal(&self.key, &salt, &nonce, &value).unwrap()
        });
        (entry.encode().unwrap(), blob)
    }

    /// key.made, with another age file and value where a test forges them.
    pub fn key_made(&mut self) -> Sealed {
        let salt = self.unique::<32>();
        let recipient: age::x25519::Recipient = self.recipient.parse().unwrap();
        let blob = age::encrypt(&recipient, &self.key.wrapped_plaintext(&salt).unwrap()).unwrap();
        let canonical = tlog::json::canonical(&self.key.to_value()).unwrap();
        self.now.0 += 1;
        let mut entry = Entry::new(self.now, Kind::KeyMade, "gate-1");
        entry.key = Some(self.key.id.clone());
        entry.detail = Some(hex(&detail::commitment(&salt, &canonical)));
        (entry.encode().unwrap(), Some(blob))
    }

    /// The first entries of a log.
    pub fn first(&mut self) -> [Sealed; 2] {
        let key = self.key_made();
        let start = self.start();
        [key, self.seal(start)]
    }

    pub fn start(&mut self) -> Piece {
        let profiles: BTreeMap<_, _> =
            self.bundle.profiles().iter().map(|p| (p.name.clone(), p.hash.to_string())).collect();
        let sites = vec![SITE.to_owned()];
        let detail = detail::GateStart {
            version: "0.1.0".to_owned(),
            profiles,
            sites,
            subject_key: Some("5a".repeat(32)),
        };
        let mut piece = self.piece(Kind::GateStart, detail);
        piece.entry.policy = Some(self.bundle.hash().to_string());
        piece
    }

    pub fn stop(&mut self) -> Piece {
        self.piece(Kind::GateStop, detail::GateStop { reason: "asked".to_owned() })
    }

    pub fn ask<'a>(&self, who: &'a Who) -> Ask<'a> {
        let place = self.bundle.place_of(who.listener);
        Ask { principal: who.principal, place, purpose: who.purpose, ticket: who.ticket }
    }

    pub fn role(&self, who: &Who, n: u16) -> String {
        let permit = self.bundle.decide(&self.ask(who)).unwrap();
        wall::names::pool_role(&permit.profile().hash, SITE, n)
    }

    /// session.open as the gate writes it.
    pub fn open(&mut self, who: &Who, session: &str) -> Piece {
        let permit = self.bundle.decide(&self.ask(who)).unwrap();
        let role = self.role(who, 1);
        let detail = SessionOpen {
            principal: who.principal.to_owned(),
            listener: who.listener.to_owned(),
            address: Some("192.0.2.7".to_owned()),
            purpose: who.purpose.map(str::to_owned),
            ticket: who.ticket.map(str::to_owned),
            profile: permit.profile().name.clone(),
            site: SITE.to_owned(),
            csr: csr(&role),
            role,
        };
        let mut piece = self.piece(Kind::SessionOpen, detail);
        let entry = &mut piece.entry;
        entry.session = Some(session.to_owned());
        entry.principal = Some(self.key.principal(who.principal));
        entry.request = Some(self.key.request(&permit.request()).unwrap());
        entry.place = Some(permit.place().to_string());
        entry.decision = Some(Decision::Permit);
        entry.policy = Some(self.bundle.hash().to_string());
        entry.profile = Some(permit.profile().hash.to_string());
        entry.classes = permit.profile().classes().iter().map(|class| class.as_str().to_owned()).collect();
        entry.key = Some(self.key.id.clone());
        piece
    }

    pub fn release(&mut self, session: &str, text: &str, state: CountState, rows: u64, bytes: u64) -> Piece {
        let (given, bytes_given) = if state == CountState::Window { (0, 0) } else { (rows, bytes) };
        let nobody = Subjects { state: Counted::Exact, n: 0, digests: Vec::new(), sketch: None };
        let statement = Statement {
            text: text.to_owned(),
            parameters: Vec::new(),
            rows: given,
            bytes: bytes_given,
            tag: None,
            error: None,
            cursor: None,
            subjects: (given > 0).then_some(nobody),
        };
        let mut piece = self.piece(Kind::AccessRelease, Released { statements: vec![statement] });
        piece.entry.session = Some(session.to_owned());
        piece.entry.count = Some(Count { state, rows, bytes });
        piece
    }

    /// access.write of statements at the first site.
    pub fn write(&mut self, session: &str, texts: &[&str]) -> Piece {
        let statement = |text: &&str| WriteStatement { text: (*text).to_owned(), parameters: Vec::new() };
        let statements = texts.iter().map(statement).collect();
        let mut piece = self.piece(Kind::AccessWrite, Written { site: SITE.to_owned(), statements });
        piece.entry.session = Some(session.to_owned());
        piece
    }

    pub fn commit(&mut self, session: &str, writes: u64, text: &str) -> Piece {
        let mut piece = self.piece(Kind::AccessCommit, Committed { writes, text: text.to_owned() });
        piece.entry.session = Some(session.to_owned());
        piece
    }

    pub fn cut(&mut self, session: &str, limit: &str, rows: u64, bytes: u64) -> Piece {
        let (limit, reason) = (Some(limit.to_owned()), "the limit is reached".to_owned());
        let statement = Some(CLEARED.to_owned());
        let detail = Cut { limit, reason, rows, bytes, subjects: None, statement };
        let mut piece = self.piece(Kind::AccessCut, detail);
        piece.entry.session = Some(session.to_owned());
        piece
    }

    pub fn refusal(
        &mut self,
        who: &Who,
        session: Option<&str>,
        stage: Stage,
        statement: Option<&str>,
    ) -> Piece {
        let rule = match (stage, statement) {
            (Stage::Statement, Some(text)) => {
                let permit = self.bundle.decide(&self.ask(who)).unwrap();
                sql::judge(&permit, text).map_or_else(|refusal| refusal.rule.to_owned(), |_| "ddl".to_owned())
            }
            (Stage::Connect, _) => self
                .bundle
                .decide(&self.ask(who))
                .map_or_else(|denial| denial.rule, |_| "no-permit".to_owned()),
            _ => "wall".to_owned(),
        };
        let detail = Refused {
            principal: who.principal.to_owned(),
            listener: who.listener.to_owned(),
            purpose: who.purpose.map(str::to_owned),
            ticket: who.ticket.map(str::to_owned),
            stage,
            statement: statement.map(str::to_owned),
            rule,
            sentence: "refused".to_owned(),
        };
        let kind = if stage == Stage::Login { Kind::LoginJudged } else { Kind::AccessDecision };
        let mut piece = self.piece(kind, detail);
        let place = self.bundle.place_of(who.listener).to_string();
        let request = self.bundle.request(&self.ask(who));
        let entry = &mut piece.entry;
        entry.session = session.map(str::to_owned);
        entry.decision = Some(Decision::Deny);
        entry.principal = Some(self.key.principal(who.principal));
        entry.request = Some(self.key.request(&request).unwrap());
        entry.place = Some(place);
        entry.policy = Some(self.bundle.hash().to_string());
        entry.key = Some(self.key.id.clone());
        piece
    }

    /// Everything passed.
    pub fn evidence(&mut self) -> Piece {
        let check = |name: &&str| CheckEvidence {
            name: (*name).to_owned(),
            result: CheckResult::Pass,
            findings: Vec::new(),
            more: 0,
        };
        let checks: Vec<_> = wall::residency::CHECKS.iter().map(check).collect();
        let site = |site: &policy::Site| SiteEvidence {
            site: site.name.clone(),
            queries: "5a".repeat(32),
            checks: checks.clone(),
        };
        let detail = ResidencyEvidence {
            version: "0.1.0".to_owned(),
            began: self.now.to_string(),
            took_ms: 80,
            country_file: None,
            sites: self.bundle.enclave().sites.iter().map(site).collect(),
        };
        let counts = detail.counts();
        let mut piece = self.piece(Kind::ResidencyEvidence, detail);
        piece.entry.policy = Some(self.bundle.hash().to_string());
        piece.entry.checks = Some(counts);
        piece
    }

    pub fn close(&mut self, session: &str, rows: u64, bytes: u64) -> Piece {
        let detail = SessionClose { reason: "terminated".to_owned(), rows, bytes, subjects: None };
        let mut piece = self.piece(Kind::SessionClose, detail);
        piece.entry.session = Some(session.to_owned());
        piece
    }

    /// The tree with these entries, without taking them over.
    pub fn tree_with(&self, items: &[Sealed]) -> Frontier {
        let mut tree = self.tree.clone();
        items.iter().for_each(|(entry, _)| tree.push(leaf_hash(entry)));
        tree
    }

    pub fn batch(&self, items: &[Sealed]) -> Vec<u8> {
        let tree = self.tree_with(items);
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
        encode(&sign(&self.log, &checkpoint), self.tree.size(), items)
    }
}

pub fn sign(log: &SigningKey, checkpoint: &Checkpoint) -> String {
    log.sign_note(&checkpoint.to_string()).unwrap().to_string()
}

pub fn encode(note: &str, first: u64, items: &[Sealed]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut put = |bytes: &[u8]| {
        body.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
        body.extend(bytes);
    };
    put(note.as_bytes());
    let mut rest = Vec::new();
    std::mem::swap(&mut rest, &mut body);
    rest.extend(first.to_be_bytes());
    for (entry, blob) in items {
        for part in [entry.as_slice(), blob.as_deref().unwrap_or_default()] {
            rest.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            rest.extend(part);
        }
    }
    rest
}

pub fn csr(common_name: &str) -> String {
    csr_of(common_name, &KeyPair::generate().unwrap())
}

pub fn csr_of(common_name: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serialize_request(key).unwrap().pem().unwrap()
}

/// A monitor in a folder, and the gate whose log it follows.
pub struct Lab {
    pub dir: TempDir,
    pub made: Made,
    pub monitor: Option<Monitor>,
    pub gate: Gate,
    pub operator: SigningKey,
}

impl Lab {
    pub fn new() -> Lab {
        Lab::at(START)
    }

    /// A lab at this time.
    pub fn at(now: Micros) -> Lab {
        let dir = TempDir::new().unwrap();
        let operator = SigningKey::from_seed("europe/operator", KeyType::Ed25519, [1; 32]).unwrap();
        let log = SigningKey::from_seed(ORIGIN, KeyType::Ed25519, [2; 32]).unwrap();
        let bundle = signed_bundle(&dir.path().join("bundle"), &operator, "");
        let config = RawConfig {
            listen: "127.0.0.1:0".to_owned(),
            origin: ORIGIN.to_owned(),
            log: log.verifier().to_string(),
            bundle: operator.verifier().to_string(),
            brakes: RawBrakes::at_first(),
            detect: monitor::detect::thresholds::SHIPPED,
            own: None,
            report: Contacts::default(),
            notify: BTreeMap::new(),
            sites: None,
        };
        let plan = Plan {
            config,
            bundle: &dir.path().join("bundle"),
            witness_name: None,
            redecided_name: None,
            own_origin: None,
        };
        let made = init::init(&Folder::new(dir.path().join("monitor")), plan, now).unwrap();
        let day = now.to_string()[..10].to_owned();
        let gate = Gate {
            log,
            tree: Frontier::new(),
            key: DayKey { id: format!("{day}.access"), seal: [3; 32], names: [4; 32] },
            recipient: made.recipient.clone(),
            bundle,
            now,
            counter: 0,
        };
        let mut lab = Lab { dir, made, monitor: None, gate, operator };
        lab.restart();
        lab
    }

    /// A lab whose gate has started.
    pub fn started() -> Lab {
        let mut lab = Lab::new();
        let items = lab.gate.first();
        lab.accept(&items);
        lab
    }

    pub fn folder(&self) -> Folder {
        Folder::new(self.monitor_dir())
    }

    pub fn monitor_dir(&self) -> PathBuf {
        self.dir.path().join("monitor")
    }

    /// Drops the monitor and opens it again, as after a crash.
    pub fn restart(&mut self) {
        self.monitor = None;
        self.monitor = Some(Monitor::open(&self.folder(), self.gate.now).unwrap());
    }

    pub fn monitor(&mut self) -> &mut Monitor {
        self.monitor.as_mut().unwrap()
    }

    pub fn submit(&mut self, body: &[u8]) -> Answer {
        let now = self.gate.now;
        self.monitor().submit(GATE, body, now)
    }

    pub fn post(&mut self, items: &[Sealed]) -> Answer {
        let body = self.gate.batch(items);
        self.submit(&body)
    }

    /// Posts what must be cosigned, and takes it over into the gate's tree.
    pub fn accept(&mut self, items: &[Sealed]) -> Cosigned {
        match self.post(items) {
            Answer::Cosigned(cosigned) => {
                self.gate.tree = self.gate.tree_with(items);
                cosigned
            }
            other => panic!("not cosigned: {other:?}"),
        }
    }

    /// Opens a session that must be cosigned; answers its id.
    pub fn open(&mut self, who: &Who) -> String {
        let id = self.gate.session_id();
        let piece = self.gate.open(who, &id);
        let items = [self.gate.seal(piece)];
        self.accept(&items);
        id
    }

    /// What was refused, in order: kind, index, and what was kept of it.
    pub fn refused(&mut self) -> Vec<(String, u64, Exhibit)> {
        let read = self.monitor().incidents().read(|store| {
            let mut from = 0;
            let mut refused = Vec::new();
            while let Some((index, incident)) = store.event(from) {
                from = index + 1;
                let (reasons, evidence, exhibit) = match incident.steps.last().map(|step| step.change.clone())
                {
                    None => (incident.opened.reasons, incident.opened.evidence, incident.opened.exhibit),
                    Some(Change::Evidence { reasons, evidence, exhibit, .. }) => (reasons, evidence, exhibit),
                    Some(_) => continue,
                };
                refused.push((reasons[0].what.clone(), evidence[0], exhibit.unwrap()));
            }
            refused
        });
        read.unwrap()
    }
}

/// A copy of the example's bundle with a line added to its enclave.toml, signed by the operator.
pub fn signed_bundle(dir: &Path, operator: &SigningKey, addition: &str) -> Bundle {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/europe");
    fs::create_dir_all(dir.join("policy")).unwrap();
    let mut files = bundle::read_files(&example).unwrap();
    files.get_mut("enclave.toml").unwrap().extend(addition.as_bytes());
    for (name, bytes) in &files {
        fs::write(dir.join(name), bytes).unwrap();
    }
    let bundle = Bundle::read(&files).unwrap();
    let note = operator.sign_note(&bundle::statement(&bundle.hash().to_string())).unwrap();
    fs::write(dir.join(bundle::NOTE), note.to_string()).unwrap();
    bundle
}
