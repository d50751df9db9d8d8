//! Honeytokens: subjects who do not exist, planted among those who do, so that whoever is shown one was looking where
//! there is no business. The monitor invents them, hides them in a file of subjects that the operator is about to load,
//! and keeps their keys sealed in its own folder. A touch is seen in the digests of the subjects of a release, which
//! anybody can work out who has the subject key of the gate's run and the keys that were planted.
//! Not here: what a touch means (`detect::honey`).

pub mod invent;

use std::{
    collections::{BTreeSet, HashSet},
    io::{Read, Write},
};

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;
use tlog::hash::{hex, unhex};

use crate::{
    detect,
    folder::{self, Folder, FolderError, write_file},
    monitor::Monitor,
};

/// Most subjects that are planted in one enclave.
pub const PLANTED_MAX: usize = 10_000;
/// Bytes of a digest of a subject, as the record has them.
const DIGEST_BYTES: usize = 16;

/// Why nothing is planted, or what was planted is not known.
#[derive(Debug, Error)]
pub enum HoneyError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("planted.age: {0}; put the original back")]
    Sealed(String),
    #[error("{PLANTED_MAX} subjects at most are planted; {0} would be")]
    Many(usize),
}

/// The keys of the subjects who were planted, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    keys: BTreeSet<String>,
}

impl Planted {
    /// Opens what was planted before; nothing was when there is no file.
    pub fn open(folder: &Folder, identity: &str) -> Result<Planted, HoneyError> {
        let path = folder.planted();
        if !path.exists() {
            return Ok(Planted::default());
        }
        let wrong = |problem: &dyn std::fmt::Display| HoneyError::Sealed(problem.to_string());
        let identity: age::x25519::Identity = identity.trim().parse().map_err(|e| wrong(&e))?;
        let sealed = folder::read_bytes(&path)?;
        let opened = age::Decryptor::new_buffered(&*sealed)
            .and_then(|sealed| sealed.decrypt(std::iter::once(&identity as &dyn age::Identity)));
        let mut text = String::new();
        opened.map_err(|e| wrong(&e))?.read_to_string(&mut text).map_err(|e| wrong(&e))?;
        serde_json::from_str(&text).map_err(|e| wrong(&e))
    }

    /// Adds keys, and seals all of them for the monitor alone.
    pub fn add(&mut self, folder: &Folder, identity: &str, keys: BTreeSet<String>) -> Result<(), HoneyError> {
        let all: BTreeSet<String> = self.keys.union(&keys).cloned().collect();
        if all.len() > PLANTED_MAX {
            return Err(HoneyError::Many(all.len()));
        }
        let with = Planted { keys: all };
        let wrong = |problem: &dyn std::fmt::Display| HoneyError::Sealed(problem.to_string());
        let identity: age::x25519::Identity = identity.trim().parse().map_err(|e| wrong(&e))?;
        let recipient = identity.to_public();
        let text = serde_json::to_vec(&with).map_err(|e| wrong(&e))?;
        let mut sealed = Vec::new();
        let sealing = age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient));
        let mut writer = sealing.map_err(|e| wrong(&e))?.wrap_output(&mut sealed).map_err(|e| wrong(&e))?;
        writer.write_all(&text).and_then(|()| writer.finish().map(drop)).map_err(|e| wrong(&e))?;
        write_file(&folder.planted(), &sealed, 0o600)?;
        *self = with;
        Ok(())
    }

    /// How many were planted.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Their digests under the subject key of a gate's run, where keys are shown clear. A pseudonym's digest is of a
    /// token that the monitor does not know.
    pub fn digests(&self, subject_key: &[u8; 32]) -> HashSet<[u8; DIGEST_BYTES]> {
        self.keys.iter().filter_map(|key| digest(subject_key, "", key)).collect()
    }

    /// What the detector compares with.
    pub fn honey(&self, subject_key: &[u8; 32]) -> detect::Honey {
        let digests: Vec<String> = self.digests(subject_key).iter().map(|digest| hex(digest)).collect();
        detect::Honey::new(digests.iter().map(String::as_str))
    }
}

/// What was planted so far, for the detectors of a monitor: by the subject key of a gate's run.
pub fn lookup(monitor: &Monitor) -> impl Fn(&str) -> detect::Honey + Send + use<> {
    let (folder, identity) = (monitor.folder().clone(), monitor.identity().to_owned());
    move |subject_key| {
        let Some(key) = unhex::<32>(subject_key) else { return detect::Honey::default() };
        let planted = Planted::open(&folder, &identity);
        let planted = planted.inspect_err(|error| eprintln!("no planted subject is looked for: {error}"));
        planted.map(|planted| planted.honey(&key)).unwrap_or_default()
    }
}

/// The first half of HMAC-SHA-256(subject key, scope, newline, value).
fn digest(subject_key: &[u8; 32], scope: &str, value: &str) -> Option<[u8; DIGEST_BYTES]> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(subject_key).ok()?;
    mac.update(scope.as_bytes());
    mac.update(b"\n");
    mac.update(value.as_bytes());
    let whole: [u8; 32] = mac.finalize().into_bytes().into();
    whole.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn what_is_planted_is_sealed_and_its_digests_are_the_gates() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path());
        let secret = || age::x25519::Identity::generate().to_string().expose_secret().to_owned();
        let (ours, other) = (secret(), secret());
        let mut planted = Planted::open(&folder, &ours).unwrap();
        planted.add(&folder, &ours, ["17".to_owned(), "4711".to_owned()].into()).unwrap();
        planted.add(&folder, &ours, ["17".to_owned(), "9".to_owned()].into()).unwrap();
        assert_eq!(Planted::open(&folder, &ours).unwrap(), planted);
        assert_eq!(planted.count(), 3);
        assert!(Planted::open(&folder, &other).is_err(), "nobody else opens it");
        let sealed = std::fs::read(folder.planted()).unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"4711"));
        // HMAC-SHA-256(32 bytes of 7, "\n17"), worked out by Python's hmac.
        let expected = "2197fa1ce1b0fb2ade7b246612ec7df6";
        let digests: Vec<String> = planted.digests(&[7; 32]).iter().map(|digest| hex(digest)).collect();
        assert!(digests.iter().any(|digest| digest == expected), "{digests:?}");
    }
}
