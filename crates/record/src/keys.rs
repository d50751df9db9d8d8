//! Day keys: one for each UTC day and start of the gate, made here, held in memory, and wrapped to all recipients
//! for the record. The gate has no identity that opens a wrapped key, so after a restart it makes another one.
//! Sealing with a key is in `tlog::detail`; opening is in `show`.

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

/// Makes the day keys.
pub(crate) struct Keys {
    dir: PathBuf,
    recipients: Vec<age::x25519::Recipient>,
    steps: Steps,
    /// The day, counted from 1970, and its key.
    today: Option<(i64, DayKey)>,
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
        durable::make_dir(dir).map_err(|error| OpenError::Io { path: dir.to_owned(), error })?;
        if recipients.is_empty() {
            return Err(OpenError::NoRecipient);
        }
        let parse = |text: &String| {
            let problem =
                |problem: &str| OpenError::Recipient { recipient: text.clone(), problem: problem.to_owned() };
            text.parse::<age::x25519::Recipient>().map_err(problem)
        };
        let recipients = recipients.iter().map(parse).collect::<Result<_, _>>()?;
        Ok(Self { dir: dir.to_owned(), recipients, steps, today: None })
    }

    /// The key for entries of this time, if it is the one that is held.
    pub(crate) fn at(&self, time: Micros) -> Option<&DayKey> {
        let today = self.today.as_ref().filter(|(day, _)| time.0.div_euclid(DAY_MICROS) == *day);
        today.map(|(_, key)| key)
    }

    /// Makes the key for the day of this time and stores it wrapped. It replaces the one that is held.
    pub(crate) fn make(&mut self, time: Micros) -> io::Result<Made> {
        let id = self.free_id(time)?;
        let (mut seal, mut names, mut salt) = ([0; 32], [0; 32], [0; 32]);
        for secret in [&mut seal, &mut names, &mut salt] {
            OsRng.try_fill_bytes(secret).map_err(io::Error::other)?;
        }
        let key = DayKey { id: id.clone(), seal, names };
        let detail = tlog::json::canonical(&key.to_value()).map_err(io::Error::other)?;
        let commitment = tlog::hash::hex(&tlog::detail::commitment(&salt, &detail));
        let wrapped = self.wrap(&key.wrapped_plaintext(&salt).map_err(io::Error::other)?)?;
        let path = self.dir.join(format!("{id}.age"));
        // Crash here or after: a key that nothing was sealed with. Its id is not used again.
        let beside = self.dir.join(format!("{id}.tmp"));
        self.steps.run(Step::KeyStored, || durable::replace(&path, &beside, &wrapped))?;
        self.today = Some((time.0.div_euclid(DAY_MICROS), key));
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

    /// `YYYY-MM-DD.access`, or with `.2` and so on after it for the day's later keys.
    fn free_id(&self, time: Micros) -> io::Result<String> {
        let mut day = time.to_string();
        day.truncate(DAY_BYTES);
        let ids =
            std::iter::once(format!("{day}.access")).chain((2u32..).map(|n| format!("{day}.access.{n}")));
        for id in ids {
            if !self.dir.join(format!("{id}.age")).try_exists()? {
                return Ok(id);
            }
        }
        Err(io::Error::other("no key id is free today"))
    }
}
