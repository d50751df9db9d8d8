//! The logins that were judged since the last snapshot, so that what is learnt survives the gate's being killed: a sealed
//! line each, because they name people. Not here: what is learnt from them (`state`).

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use risk::{Act, Event, Network, Outcome, Place, Why};
use serde::{Deserialize, Serialize};

use super::file::{self, FileError};

/// Bytes of the key that seals lines.
pub const SEAL_BYTES: usize = 32;
/// Bytes of a nonce.
const NONCE_BYTES: usize = 24;
/// What is lost without the file.
const HELD: &str = "what was learnt of the last logins";

/// A login as the engine is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// Counts logins, so that none is learnt from twice.
    pub number: u64,
    pub time_ms: i64,
    pub user: String,
    pub ip: IpAddr,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Autonomous system; like what follows, as the files of places said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Latitude and longitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point: Option<(f32, f32)>,
    /// Kind of network, by its word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    pub agent: Option<String>,
    pub target: Option<String>,
    pub group: Option<String>,
    pub outcome: Ended,
    /// A second proof was given shortly before.
    pub is_confirmed: bool,
    /// What is said of it is done: where it is not let in, nothing is learnt of it.
    pub is_enforced: bool,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The password was theirs.
    Proven,
    /// There is no such principal.
    UnknownUser,
    /// The password was not theirs.
    Password,
    /// It was, and the code was not.
    Code,
    /// It was, and policy permits nothing.
    Denied,
}

impl Logged {
    /// What is known of its address.
    pub fn place(&self) -> Place {
        let network = self.network.as_deref().and_then(Network::of_word).unwrap_or_default();
        let country = self.country.as_deref().and_then(places::code);
        Place { country, asn: self.asn, point: self.point, network }
    }

    /// Likewise, from now on.
    pub fn set_place(&mut self, place: Place) {
        let Place { country, asn, point, network } = place;
        self.country = country.map(|code| code.map(char::from).iter().collect());
        (self.asn, self.point) = (asn, point);
        self.network = (network != Network::Unknown).then(|| network.word().to_owned());
    }

    /// As the engine reads it.
    pub fn event(&self) -> Event<'_> {
        let outcome = match self.outcome {
            Ended::Proven => Outcome::Success,
            Ended::UnknownUser => Outcome::Failure(Why::UnknownUser),
            Ended::Password => Outcome::Failure(Why::Password),
            Ended::Code => Outcome::Failure(Why::Factor),
            Ended::Denied => Outcome::Failure(Why::Other),
        };
        Event {
            time_ms: self.time_ms,
            act: Act::Logon,
            outcome,
            user: &self.user,
            ip: Some(self.ip),
            place: self.place(),
            agent: self.agent.as_deref(),
            host: None,
            target: self.target.as_deref(),
            // A session here is one connection, which cannot be taken elsewhere: whoever comes from elsewhere proves
            // themselves anew. A name for it would never come twice.
            session: None,
            group: self.group.as_deref(),
            rtt_ms: None,
            is_mfa: self.is_confirmed,
            id: None,
        }
    }
}

/// The file, open at its end.
pub struct Journal {
    path: PathBuf,
    file: File,
    cipher: XChaCha20Poly1305,
    /// Lines since the last snapshot.
    pub lines: u64,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Journal({}, {} lines)", self.path.display(), self.lines)
    }
}

impl Journal {
    /// Opens the journal, and gives every login in it to `each`. A last line that was not written whole is one whose
    /// login was not answered; it is cut off.
    pub fn open(
        path: PathBuf,
        key: &[u8; SEAL_BYTES],
        mut each: impl FnMut(Logged),
    ) -> Result<Self, FileError> {
        let cipher = XChaCha20Poly1305::new(key.into());
        let bytes = file::bytes(&path)?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let mut lines = 0;
        for line in bytes.get(..whole).unwrap_or_default().split_inclusive(|byte| *byte == b'\n') {
            lines += 1;
            let logged = unseal(&cipher, line.strip_suffix(b"\n").unwrap_or(line));
            each(logged.ok_or_else(|| {
                let problem = format!("line {lines} is not one that this gate sealed");
                FileError::invalid(&path, problem, HELD)
            })?);
        }
        let open = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let file = open.map_err(FileError::io(&path))?;
        if whole < bytes.len() {
            tracing::warn!(file = %path.display(), "the last login was not written whole, and is left out");
            let length = u64::try_from(whole).unwrap_or(u64::MAX);
            file.set_len(length).map_err(FileError::io(&path))?;
        }
        Ok(Self { path, file, cipher, lines })
    }

    /// Appends a login. It is in the system's hands when this returns, and survives the gate, though not a power cut.
    pub fn append(&mut self, logged: &Logged) -> Result<(), FileError> {
        let plain = serde_json::to_vec(logged).map_err(|error| FileError::io(&self.path)(error.into()))?;
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), plain.as_slice());
        let sealed =
            sealed.map_err(|_| FileError::io(&self.path)(std::io::Error::other("cannot be sealed")))?;
        let mut line = STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat());
        line.push('\n');
        self.file.write_all(line.as_bytes()).map_err(FileError::io(&self.path))?;
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    /// Everything in it is in a snapshot.
    pub fn clear(&mut self) -> Result<(), FileError> {
        self.file.set_len(0).map_err(FileError::io(&self.path))?;
        self.lines = 0;
        Ok(())
    }
}

fn unseal(cipher: &XChaCha20Poly1305, line: &[u8]) -> Option<Logged> {
    let bytes = STANDARD_NO_PAD.decode(line).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
    let plain = cipher.decrypt(XNonce::from_slice(nonce), sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// In which folder's file it is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn logged(number: u64, user: &str, ip: &str) -> Logged {
        Logged {
            number,
            time_ms: 1_772_366_400_000 + i64::try_from(number).unwrap() * 60_000,
            user: user.to_owned(),
            ip: ip.parse().unwrap(),
            country: Some("IE".to_owned()),
            asn: Some(5_466),
            point: Some((53.3498, -6.2603)),
            network: Some("access".to_owned()),
            agent: Some("psql".to_owned()),
            target: Some("europe/support".to_owned()),
            group: Some("support of fernway".to_owned()),
            outcome: Ended::Proven,
            is_confirmed: false,
            is_enforced: true,
        }
    }

    fn open(path: &Path, key: u8) -> Result<(Journal, Vec<u64>), FileError> {
        let mut read = Vec::new();
        let journal = Journal::open(path.to_owned(), &[key; SEAL_BYTES], |logged| read.push(logged.number))?;
        Ok((journal, read))
    }

    #[test]
    fn what_was_judged_is_read_again_and_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let (mut journal, _) = open(&path, 1).unwrap();
        for number in 0..3 {
            journal.append(&logged(number, "aoife", "192.0.2.7")).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("aoife"));
        assert_eq!(open(&path, 1).unwrap().1, [0, 1, 2]);
        // Killed while it wrote: whatever is there of the last line.
        for cut in 1..40 {
            std::fs::write(&path, &bytes[..bytes.len() - cut]).unwrap();
            assert_eq!(open(&path, 1).unwrap().1, [0, 1], "{cut}");
            assert_eq!(open(&path, 1).unwrap().1, [0, 1], "it is gone");
        }
        let (mut journal, _) = open(&path, 1).unwrap();
        journal.append(&logged(7, "aoife", "192.0.2.7")).unwrap();
        assert_eq!(open(&path, 1).unwrap().1, [0, 1, 7]);
        journal.clear().unwrap();
        journal.append(&logged(8, "aoife", "192.0.2.7")).unwrap();
        assert_eq!(open(&path, 1).unwrap().1, [8]);
    }

    #[test]
    fn a_place_is_read_again_as_it_was() {
        let (mut one, bare) = (logged(1, "aoife", "192.0.2.7"), Place::default());
        let read =
            |one: &Logged| serde_json::from_slice::<Logged>(&serde_json::to_vec(one).unwrap()).unwrap();
        let place = Place {
            country: Some(*b"DE"),
            asn: Some(u32::MAX),
            point: Some((-0.1, 179.999_98)),
            network: Network::Anonymous,
        };
        for place in [one.place(), place, bare] {
            one.set_place(place);
            assert_eq!((read(&one).place(), one.event().place), (place, place));
        }
        // As a gate wrote it before it looked anything up.
        let text = r#"{"number":1,"time_ms":2,"user":"aoife","ip":"192.0.2.7","country":"IE","agent":null,"target":null,
            "group":null,"outcome":"proven","is_confirmed":false,"is_enforced":true}"#;
        let earlier: Logged = serde_json::from_str(text).unwrap();
        assert_eq!(earlier.place(), Place { country: Some(*b"IE"), ..bare });
    }

    #[test]
    fn what_is_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path());
        let (mut journal, _) = open(&path, 1).unwrap();
        journal.append(&logged(0, "aoife", "192.0.2.7")).unwrap();
        journal.append(&logged(1, "aoife", "192.0.2.7")).unwrap();
        let said = open(&path, 2).unwrap_err().to_string();
        assert!(said.contains("journal: line 1 is not one that this gate sealed"), "{said}");
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.len() - 9;
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(open(&path, 1).unwrap_err().to_string().contains("line 2"));
    }
}
