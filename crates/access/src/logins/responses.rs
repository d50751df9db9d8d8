//! What the gate does about suspicious logins now: which sources are stopped or slowed down, who has given a second proof.
//! Kept in a file, so that it holds after a restart before a door opens; each has an end. A response names a source, and
//! perhaps a principal from there; never an owner alone, whom nobody can lock out by trying. Not here: why (`judge`).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tlog::detail::{LoginResponse, ResponseKind};
use tlog::entry::Micros;
use tokio::time::{Duration, Instant};

use super::file::{self, FileError};
use crate::attempts;

/// Responses in force at a time. Past it, the one that ends first makes room, which is recorded like its end.
const RESPONSES_MAX: usize = 4_096;
/// A source that is slowed down has an attempt in this time.
const THROTTLED_EVERY_MS: u64 = 10_000;
/// What is lost without the file.
const HELD: &str = "which sources are stopped, and who has given a second proof";

/// The responses in force.
#[derive(Debug)]
pub struct Responses {
    path: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By id.
    force: BTreeMap<String, Kept>,
    /// When a source that is slowed down may try again.
    next: HashMap<IpAddr, Instant>,
    /// Refused attempts that were told already, by the response that refused them.
    told: BTreeMap<String, u64>,
}

/// A response and whether the record holds its beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    response: LoginResponse,
    noted: bool,
}

/// What is to begin.
#[derive(Debug, Clone, Copy)]
pub struct New<'a> {
    pub kind: ResponseKind,
    pub source: IpAddr,
    /// Only this principal from there; needed of a pass.
    pub principal: Option<&'a str>,
    pub because: &'a str,
    pub lasts: Duration,
}

/// A source as it is written: an IPv4 address, or the /64 network of an IPv6 address.
pub fn source_of(address: IpAddr) -> String {
    match attempts::shared(address) {
        IpAddr::V6(network) => format!("{network}/64"),
        v4 @ IpAddr::V4(_) => v4.to_string(),
    }
}

/// Whether a response stops a principal's logins and sessions from a source.
pub fn stops(response: &LoginResponse, source: &str, principal: &str) -> bool {
    response.kind == ResponseKind::Block && is_about(response, source, principal)
}

fn is_about(response: &LoginResponse, source: &str, principal: &str) -> bool {
    response.source == source && response.principal.as_deref().is_none_or(|only| only == principal)
}

/// A response that is in force now.
#[derive(Debug)]
pub struct Begun {
    pub response: LoginResponse,
    /// What had to make room for it.
    pub gone: Option<LoginResponse>,
    /// Why it will not survive the gate, if it could not be kept.
    pub lost: Option<FileError>,
}

impl Responses {
    /// Those of an earlier run.
    pub fn open(path: PathBuf) -> Result<Self, FileError> {
        let kept: Vec<Kept> = file::read(&path, HELD)?;
        let force = kept.into_iter().map(|kept| (kept.response.id.clone(), kept)).collect();
        Ok(Self { path, known: Mutex::new(Known { force, ..Known::default() }) })
    }

    /// The response that stops this principal's logins from this address, and whether it is the first that it refuses.
    pub fn stopping(&self, address: IpAddr, principal: &str, now: Micros) -> Option<(LoginResponse, bool)> {
        let source = source_of(address);
        let known = &mut *self.known();
        let stopping = known.in_force(now).find(|response| stops(response, &source, principal))?.clone();
        let told = known.told.entry(stopping.id.clone()).or_default();
        *told = told.saturating_add(1);
        let is_first = *told == 1;
        Some((stopping, is_first))
    }

    /// Whether this principal's second proof from this address holds.
    pub fn passes(&self, address: IpAddr, principal: &str, now: Micros) -> bool {
        let source = source_of(address);
        let passes = |response: &LoginResponse| {
            response.kind == ResponseKind::Pass && is_about(response, &source, principal)
        };
        self.known().in_force(now).any(passes)
    }

    /// Seconds until a source that is slowed down may try; an attempt that may is counted.
    pub fn slowed(&self, address: IpAddr, principal: &str, now: Micros, instant: Instant) -> Option<u64> {
        let (source, address) = (source_of(address), attempts::shared(address));
        let known = &mut *self.known();
        let slows = |response: &LoginResponse| {
            response.kind == ResponseKind::Throttle && is_about(response, &source, principal)
        };
        if !known.in_force(now).any(slows) {
            known.next.remove(&address);
            return None;
        }
        // It holds those alone that are slowed down now or were when they last came.
        if known.next.len() >= RESPONSES_MAX {
            known.next.retain(|_, next| *next > instant);
        }
        let next = known.next.entry(address).or_insert(instant);
        let wait = next.saturating_duration_since(instant);
        if wait.is_zero() {
            *next = instant + Duration::from_millis(THROTTLED_EVERY_MS);
            return None;
        }
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// Puts a response in force, unless there is such a one.
    ///
    /// # Errors
    /// When a pass cannot be kept: it is not in force then. What stops or slows down is, until the gate ends.
    pub fn begin(&self, new: New<'_>, id: String, now: Micros) -> Result<Option<Begun>, FileError> {
        let source = source_of(new.source);
        let known = &mut *self.known();
        let same = |response: &LoginResponse| {
            response.kind == new.kind
                && response.source == source
                && response.principal.as_deref() == new.principal
        };
        if known.in_force(now).any(same) {
            return Ok(None);
        }
        let first = known.force.values().min_by(|a, b| a.response.until.cmp(&b.response.until));
        let first = first.map(|kept| kept.response.id.clone()).filter(|_| known.force.len() >= RESPONSES_MAX);
        let gone = first.and_then(|id| known.force.remove(&id));
        let lasts = i64::try_from(new.lasts.as_micros()).unwrap_or(i64::MAX);
        let response = LoginResponse {
            id: id.clone(),
            kind: new.kind,
            principal: new.principal.map(str::to_owned),
            source,
            since: now.to_string(),
            until: Micros(now.0.saturating_add(lasts)).to_string(),
            because: new.because.to_owned(),
        };
        known.force.insert(id.clone(), Kept { response: response.clone(), noted: false });
        let lost = match self.keep(known) {
            Ok(()) => None,
            Err(error) if new.kind == ResponseKind::Pass => {
                known.remove(&id);
                known.force.extend(gone.map(|kept| (kept.response.id.clone(), kept)));
                return Err(error);
            }
            Err(error) => Some(error),
        };
        Ok(Some(Begun { response, gone: gone.map(|kept| kept.response), lost }))
    }

    /// The record holds its beginning.
    pub fn noted(&self, id: &str) -> Result<(), FileError> {
        let known = &mut *self.known();
        let Some(kept) = known.force.get_mut(id) else { return Ok(()) };
        kept.noted = true;
        self.keep(known)
    }

    /// Those whose beginning the record may not hold.
    pub fn unnoted(&self) -> Vec<LoginResponse> {
        self.known().force.values().filter(|kept| !kept.noted).map(|kept| kept.response.clone()).collect()
    }

    /// Takes those out that have come to their end.
    pub fn expire(&self, now: Micros) -> Result<Vec<LoginResponse>, FileError> {
        let known = &mut *self.known();
        let is_over = |kept: &Kept| !is_in_force(&kept.response, now);
        let over: Vec<_> = known.force.values().filter(|kept| is_over(kept)).cloned().collect();
        if over.is_empty() {
            return Ok(Vec::new());
        }
        for kept in &over {
            known.remove(&kept.response.id);
        }
        if let Err(error) = self.keep(known) {
            // Its end is told when it can be kept.
            known.force.extend(over.into_iter().map(|kept| (kept.response.id.clone(), kept)));
            return Err(error);
        }
        Ok(over.into_iter().map(|kept| kept.response).collect())
    }

    /// Takes one out before its end; none where there is none of that id.
    pub fn undo(&self, id: &str) -> Result<Option<LoginResponse>, FileError> {
        let known = &mut *self.known();
        let Some(kept) = known.remove(id) else { return Ok(None) };
        if let Err(error) = self.keep(known) {
            // What could come back with the next start is not said to be undone.
            known.force.insert(id.to_owned(), kept);
            return Err(error);
        }
        Ok(Some(kept.response))
    }

    /// All of them.
    pub fn list(&self, now: Micros) -> Vec<LoginResponse> {
        self.known().in_force(now).cloned().collect()
    }

    fn keep(&self, known: &Known) -> Result<(), FileError> {
        file::write(&self.path, &known.force.values().collect::<Vec<_>>())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn in_force(&self, now: Micros) -> impl Iterator<Item = &LoginResponse> {
        self.force.values().map(|kept| &kept.response).filter(move |response| is_in_force(response, now))
    }

    fn remove(&mut self, id: &str) -> Option<Kept> {
        self.told.remove(id);
        self.force.remove(id)
    }
}

fn is_in_force(response: &LoginResponse, now: Micros) -> bool {
    Micros::parse_rfc3339(&response.until).is_some_and(|until| now < until)
}

/// Whether a text names a source as responses do.
pub fn parse_source(text: &str) -> Option<IpAddr> {
    let address = text.strip_suffix("/64").unwrap_or(text);
    address.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// In which folder's file they are.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("responses.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn at(seconds: i64) -> Micros {
        Micros(seconds * 1_000_000)
    }

    fn new(kind: ResponseKind, source: &str, principal: Option<&'static str>) -> New<'static> {
        New { kind, source: address(source), principal, because: "a drill", lasts: HOUR }
    }

    #[test]
    fn a_source_is_stopped_and_never_an_owner() {
        let folder = tempfile::tempdir().unwrap();
        let responses = Responses::open(path(folder.path())).unwrap();
        for (number, (source, principal)) in
            [("192.0.2.7", None), ("2001:db8::7", None), ("198.51.100.1", Some("aoife"))]
                .into_iter()
                .enumerate()
        {
            let begun =
                responses.begin(new(ResponseKind::Block, source, principal), format!("{number:016x}"), at(0));
            assert!(begun.unwrap().is_some());
        }
        let stopped = |from, who| responses.stopping(address(from), who, at(10)).is_some();
        for (from, who, expected) in [
            ("192.0.2.7", "aoife", true),
            ("192.0.2.7", "lukas", true),
            ("192.0.2.8", "aoife", false),
            ("::ffff:192.0.2.7", "aoife", true),
            ("2001:db8::99", "aoife", true),
            ("2001:db8:0:1::7", "aoife", false),
            ("198.51.100.1", "aoife", true),
            ("198.51.100.1", "lukas", false),
            ("203.0.113.9", "aoife", false),
        ] {
            assert_eq!(stopped(from, who), expected, "{who} from {from}");
        }
        assert!(!responses.stopping(address("192.0.2.7"), "aoife", at(10)).unwrap().1, "told once");
        assert!(responses.stopping(address("192.0.2.7"), "aoife", at(3_600)).is_none(), "it has an end");
    }

    #[test]
    fn responses_are_kept_ended_and_undone() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Responses::open(path(folder.path())).unwrap();
        let responses = open();
        let pass = new(ResponseKind::Pass, "192.0.2.7", Some("aoife"));
        let block = new(ResponseKind::Block, "192.0.2.9", None);
        assert!(responses.begin(pass, "a".repeat(16), at(0)).unwrap().is_some());
        assert!(responses.begin(block, "b".repeat(16), at(60)).unwrap().is_some());
        assert!(responses.begin(block, "c".repeat(16), at(61)).unwrap().is_none(), "it is stopped already");
        responses.noted(&"a".repeat(16)).unwrap();
        drop(responses);

        let again = open();
        assert!(again.passes(address("192.0.2.7"), "aoife", at(100)));
        assert!(!again.passes(address("192.0.2.7"), "lukas", at(100)), "a pass is one principal's");
        assert!(!again.passes(address("192.0.2.8"), "aoife", at(100)), "from one source");
        assert_eq!(again.unnoted().len(), 1);
        assert_eq!(again.expire(at(3_600)).unwrap().len(), 1, "the pass is over");
        assert_eq!(again.list(at(3_600)).len(), 1);
        assert_eq!(again.undo(&"b".repeat(16)).unwrap().unwrap().source, "192.0.2.9");
        assert!(again.undo(&"b".repeat(16)).unwrap().is_none());
        assert!(open().list(at(100)).is_empty());

        std::fs::write(path(folder.path()), b"[{}]").unwrap();
        let said = Responses::open(path(folder.path())).unwrap_err().to_string();
        assert!(said.contains("responses.json") && said.contains("which sources are stopped"), "{said}");
    }

    #[test]
    fn what_cannot_be_kept_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let responses = Responses::open(path(folder.path())).unwrap();
        let begin = |kind, source, principal, id: &str| {
            responses.begin(new(kind, source, principal), id.repeat(16), at(0))
        };
        assert!(begin(ResponseKind::Throttle, "192.0.2.1", None, "a").unwrap().unwrap().lost.is_none());
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert!(begin(ResponseKind::Pass, "192.0.2.7", Some("aoife"), "b").is_err());
        assert!(!responses.passes(address("192.0.2.7"), "aoife", at(1)), "a pass that is not kept is none");
        assert!(begin(ResponseKind::Block, "192.0.2.9", None, "c").unwrap().unwrap().lost.is_some());
        assert!(responses.stopping(address("192.0.2.9"), "aoife", at(1)).is_some(), "a block is one");
        assert!(responses.undo(&"c".repeat(16)).is_err());
        assert!(responses.stopping(address("192.0.2.9"), "aoife", at(1)).is_some(), "it is not undone");
        assert!(responses.expire(at(3_600)).is_err());
        assert_eq!(responses.unnoted().len(), 2, "their ends are still to be told");
    }

    #[test]
    fn a_slowed_source_tries_now_and_then() {
        let folder = tempfile::tempdir().unwrap();
        let responses = Responses::open(path(folder.path())).unwrap();
        responses.begin(new(ResponseKind::Throttle, "192.0.2.7", None), "a".repeat(16), at(0)).unwrap();
        let start = crate::clock::instant();
        let wait = |from: &str, ms: u64| {
            responses.slowed(address(from), "aoife", at(1), start + Duration::from_millis(ms))
        };
        assert_eq!(
            (wait("192.0.2.7", 0), wait("192.0.2.7", 100), wait("192.0.2.7", 9_500)),
            (None, Some(10), Some(1))
        );
        assert_eq!((wait("192.0.2.7", 10_000), wait("192.0.2.7", 10_001)), (None, Some(10)));
        assert_eq!(wait("192.0.2.8", 100), None);
    }

    #[test]
    fn memory_is_bounded_and_what_makes_room_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let responses = Responses::open(path(folder.path())).unwrap();
        {
            // As many as there may be, without as many writes.
            let mut known = responses.known();
            for n in 0..RESPONSES_MAX {
                let id = format!("{n:016x}");
                let response = LoginResponse {
                    id: id.clone(),
                    kind: ResponseKind::Block,
                    principal: None,
                    source: format!("10.0.{}.{}", n / 256, n % 256),
                    since: at(0).to_string(),
                    until: at(3_600 + i64::try_from(n).unwrap()).to_string(),
                    because: "a drill".to_owned(),
                };
                known.force.insert(id, Kept { response, noted: true });
            }
        }
        let begun = responses.begin(new(ResponseKind::Block, "192.0.2.7", None), "f".repeat(16), at(1_800));
        let gone = begun.unwrap().unwrap().gone;
        assert_eq!(gone.unwrap().source, "10.0.0.0", "the one that ends first");
        assert_eq!(responses.list(at(1_800)).len(), RESPONSES_MAX);
    }
}
