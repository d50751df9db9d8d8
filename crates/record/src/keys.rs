//! Day keys: one for each UTC day, retention class and start of the gate, made here when it is needed, held in memory,
//! and wrapped to all recipients for the record. The gate has no identity that opens a wrapped key, so after a restart
//! it makes another one. Sealing with a key is in `tlog::detail`; opening is in `show`; destroying in `forget`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rand::TryRngCore as _;
use rand::rngs::OsRng;
use tlog::detail::DayKey;
use tlog::entry::Micros;

use crate::config::OpenError;
use crate::durable;
use crate::steps::{Step, Steps};

/// Length of `YYYY-MM-DD` in front of a time.
const DAY_BYTES: usize = 10;
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;
/// What an age file begins with. A sealed detail begins with its version.
const WRAPPED_START: &[u8] = b"age-encryption.org/";

/// Makes the day keys.
pub(crate) struct Keys {
    dir: PathBuf,
    recipients: Vec<age::x25519::Recipient>,
    steps: Steps,
    /// By retention class: the day, counted from 1970, and its key.
    held: BTreeMap<&'static str, (i64, DayKey)>,
}

/// A key that was made just now; its entry must come before the first entry that uses it.
pub(crate) struct Made {
    pub(crate) id: String,
    /// The age file that wraps the key.
    pub(crate) wrapped: Vec<u8>,
    /// The commitment to the wrapped detail, 64 hex digits.
    pub(crate) commitment: String,
}

impl Keys {
    pub(crate) fn open(dir: &Path, recipients: &[String], steps: Steps) -> Result<Self, OpenError> {
        let io = |error| OpenError::Io { path: dir.to_owned(), error };
        durable::make_dir(dir).map_err(io)?;
        durable::finish_destroying(dir).map_err(io)?;
        if recipients.is_empty() {
            return Err(OpenError::NoRecipient);
        }
        let parse = |text: &String| {
            let problem =
                |problem: &str| OpenError::Recipient { recipient: text.clone(), problem: problem.to_owned() };
            text.parse::<age::x25519::Recipient>().map_err(problem)
        };
        let recipients = recipients.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.to_owned(), recipients, steps, held: BTreeMap::new() })
    }

    /// The key of a class for entries of this time, if it is the one that is held.
    pub(crate) fn at(&self, time: Micros, class: &str) -> Option<&DayKey> {
        let held = self.held.get(class).filter(|(day, _)| day_of(time) == *day);
        held.map(|(_, key)| key)
    }

    /// Lets go of the keys of other days than that of this time.
    pub(crate) fn drop_earlier(&mut self, time: Micros) {
        self.held.retain(|_, (day, _)| *day == day_of(time));
    }

    /// Whether the key is held in memory.
    pub(crate) fn holds(&self, id: &str) -> bool {
        self.held.values().any(|(_, key)| key.id == id)
    }

    /// Makes the key of a class for the day of this time and stores it wrapped. It replaces the one that is held.
    pub(crate) fn make(&mut self, time: Micros, class: &'static str) -> io::Result<Made> {
        let id = self.free_id(time, class)?;
        let (mut seal, mut names, mut salt) = ([0; 32], [0; 32], [0; 32]);
        for secret in [&mut seal, &mut names, &mut salt] {
            OsRng.try_fill_bytes(secret).map_err(io::Error::other)?;
        }
        let key = DayKey { id: id.clone(), seal, names };
        let detail = tlog::json::canonical(&key.to_value()).map_err(io::Error::other)?;
        let commitment = tlog::hash::hex(&tlog::detail::commitment(&salt, &detail));
        let wrapped = self.wrap(&key.wrapped_plaintext(&salt).map_err(io::Error::other)?)?;
        let path = path_of(&self.dir, &id);
        // Crash here or after: a key that nothing was sealed with. Its id is not used again.
        let beside = self.dir.join(format!("{id}.tmp"));
        self.steps.run(Step::KeyStored, || durable::replace(&path, &beside, &wrapped))?;
        self.drop_earlier(time);
        self.held.insert(class, (day_of(time), key));
        Ok(Made { id, wrapped, commitment })
    }

    fn wrap(&self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let recipients = self.recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut wrapped = Vec::new();
        let mut writer = encryptor.wrap_output(&mut wrapped)?;
        writer.write_all(plain)?;
        writer.finish()?;
        Ok(wrapped)
    }

    /// `YYYY-MM-DD.access`, or with `.2` and so on after it for the day's later keys of the class.
    fn free_id(&self, time: Micros, class: &str) -> io::Result<String> {
        let mut day = time.to_string();
        day.truncate(DAY_BYTES);
        let ids =
            std::iter::once(format!("{day}.{class}")).chain((2u32..).map(|n| format!("{day}.{class}.{n}")));
        for id in ids {
            if !path_of(&self.dir, &id).try_exists()? {
                return Ok(id);
            }
        }
        Err(io::Error::other("no key id is free today"))
    }
}

/// Where the wrapped key of an id is. It is kept here alone: the details beside the published record lack it, so that
/// there is one place to destroy it.
pub(crate) fn path_of(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!("{id}.age"))
}

/// Whether the sealed part of an entry is a wrapped key.
pub(crate) fn is_wrapped(blob: &[u8]) -> bool {
    blob.starts_with(WRAPPED_START)
}

/// The day of a time, counted from 1970 in UTC.
pub(crate) fn day_of(time: Micros) -> i64 {
    time.0.div_euclid(DAY_MICROS)
}
