//! The last risky logins: why they were held to be, and how they came, so that a verdict on one can be learnt. Sealed
//! wherever it is written. Not here: what is risky.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read, Write};

use risk::{Event, Judgement, Tag};
use serde::{Deserialize, Serialize};

use crate::answer::{self, At};
use crate::login::Aside;
use crate::ocsf::{self, Product};
use crate::state::{Refused, Sealer, Secret};

const RECENT: &str = "recent";
/// So many are kept.
const RECENT_MAX: usize = 1_024;
/// So many bytes of them are kept.
const RECENT_BYTES_MAX: usize = 2 << 20;
/// Events that verdicts are about are kept until these are taken back.
const KEPT_MAX: usize = 4_096;
/// What the file of a snapshot holds of it is not longer than this.
const SEALED_BYTES_MAX: u64 = 64 << 20;

/// A risky login.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risky {
    /// Which event: what `trefoil logins mark` takes.
    pub event: String,
    /// The source's own identifier of it.
    pub id: Option<String>,
    /// What was said of it, as a line of JSON that names nobody.
    pub judgement: String,
    user: u64,
    line: String,
}

/// The last ones.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recent {
    ring: VecDeque<Risky>,
    bytes: usize,
    /// Lines that verdicts are about, by their events.
    kept: BTreeMap<String, String>,
}

impl Recent {
    pub(super) fn add(&mut self, at: At, user: Tag, event: &Event<'_>, judgement: &Judgement) {
        let (mut said, mut line) = (Vec::new(), Vec::new());
        let product = Product::new("Trefoil logins", "Trefoil");
        // Writing to memory does not fail.
        let written = answer::write_nameless(&mut said, at, event, judgement)
            .and_then(|()| ocsf::write(&mut line, event, &Aside::default(), &product));
        let (Ok(()), Ok(judgement), Ok(line)) = (written, String::from_utf8(said), String::from_utf8(line))
        else {
            return;
        };
        let id = event.id.map(str::to_owned);
        let risky = Risky { event: at.to_string(), id, judgement, user: user.0, line };
        self.bytes += risky.bytes();
        self.ring.push_back(risky);
        while self.ring.len() > RECENT_MAX || self.bytes > RECENT_BYTES_MAX {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    /// How an event came, by our name of it or its source's.
    pub(super) fn line(&self, event: &str) -> Option<Vec<u8>> {
        let is_it = |risky: &&Risky| risky.event == event || risky.id.as_deref() == Some(event);
        let recent = self.ring.iter().rev().find(is_it).map(|risky| &risky.line);
        recent.or_else(|| self.kept.get(event)).map(|line| line.clone().into_bytes())
    }

    /// Keeps how an event came, for as long as there is a verdict on it.
    pub(super) fn keep(&mut self, event: &str, line: &[u8]) {
        if self.kept.len() < KEPT_MAX {
            self.kept.insert(event.to_owned(), String::from_utf8_lossy(line).into_owned());
        }
    }

    pub(super) fn release(&mut self, event: &str) {
        self.kept.remove(event);
    }

    /// Those of a user, the newest first.
    pub(super) fn of(&self, user: Tag) -> Vec<Risky> {
        self.ring.iter().rev().filter(|risky| risky.user == user.0).cloned().collect()
    }

    pub(super) fn write(&self, secret: &Secret, out: &mut dyn Write) -> io::Result<()> {
        let bytes = Sealer::new(secret, RECENT).seal(&[], &serde_json::to_vec(self)?)?;
        out.write_all(&u64::try_from(bytes.len()).map_err(io::Error::other)?.to_be_bytes())?;
        out.write_all(&bytes)
    }

    pub(super) fn read(secret: &Secret, from: &mut dyn Read) -> Result<Self, Refused> {
        let mut length = [0; 8];
        from.read_exact(&mut length)?;
        let length = u64::from_be_bytes(length);
        if length > SEALED_BYTES_MAX {
            return Err(Refused::Form);
        }
        let mut bytes = Vec::new();
        from.take(length).read_to_end(&mut bytes)?;
        let opened = Sealer::new(secret, RECENT).open(&[], &bytes).ok_or(Refused::Altered)?;
        serde_json::from_slice(&opened).map_err(|error| Refused::Contents(error.to_string()))
    }
}

impl Risky {
    fn bytes(&self) -> usize {
        self.line.len() + self.judgement.len() + self.event.len() + 128
    }
}
