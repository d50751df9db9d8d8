//! Suspicious logins at this gate: every attempt is judged by `risk::Engine`, in process, and answered. `judge` is what
//! becomes of an attempt, `responses` what is in force, `confirm`, `codes` and `totp` the second proof, `state` and `journal`
//! how what is learnt survives, `verdicts` what analysts say, `orders` what an operator may ask. A source is locked, never an owner. Not here: scores
//! (crate `risk`), the logins of other systems (crate `logins`), what a monitor thinks of it.

mod codes;
mod config;
mod confirm;
mod file;
mod journal;
mod judge;
mod orders;
mod responses;
mod sealed;
mod state;
pub mod totp;
mod verdicts;
mod written;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use places::{Current, Places};
use risk::{Judgement, Place};

use crate::clock;
pub use codes::Codes;
pub use config::{Mode, RawLogins, Settings};
pub use confirm::confirm;
pub use file::FileError;
pub use journal::Ended;
use journal::Logged;
pub use judge::{check_source, failed, keep, note_at_start, proven};
pub use orders::{explain, hand_in, list, mark, marks, pass, undo};
pub use responses::{Responses, source_of, stops};
use state::State;

/// How often it is looked for responses that are over.
const LOOK_MS: u64 = 500;
/// How often it is looked whether files of places changed.
const PLACES_LOOK_MS: u64 = 10_000;
const DAY_MS: i64 = 86_400_000;

/// What the gate knows of logins, and does about them.
#[derive(Debug)]
pub struct Logins {
    pub settings: Settings,
    state: Mutex<State>,
    pub responses: Responses,
    pub codes: Codes,
    /// What addresses are.
    places: Option<Arc<Current>>,
    /// What was handed in of other systems, by who watches them.
    handed: Mutex<orders::Handed>,
}

impl Logins {
    /// What earlier runs learnt and did.
    ///
    /// # Errors
    /// When a file is not what a gate wrote: what is stopped, or what was learnt, would not be known.
    pub fn open(settings: Settings) -> Result<Self, FileError> {
        let folder = &settings.folder;
        std::fs::create_dir_all(folder).map_err(FileError::io(folder))?;
        let state = State::open(folder, settings.engine(), rand::random())?;
        let responses = Responses::open(responses::path(folder))?;
        let codes = Codes::open(folder)?;
        let handed = Mutex::new(orders::Handed::open(folder)?);
        let places = settings.places.as_deref().map(Current::open).transpose()?.map(Arc::new);
        match &places {
            Some(places) => say_places(&places.known()),
            None => tracing::info!("addresses are not looked up: logins.places of gate.toml names no folder"),
        }
        Ok(Self { state: Mutex::new(state), responses, codes, places, handed, settings })
    }

    /// Judges a login, and learns from it.
    fn learn(&self, logged: Logged) -> Judgement {
        self.state().judge(logged)
    }

    /// Remembers which login an entry holds the judgement of, so that it can be marked.
    fn tell(&self, entry: u64, logged: Logged) {
        if let Err(error) = self.state().verdicts.tell(entry, logged) {
            tracing::error!(%error, entry, "that this login can be marked ends with the gate");
        }
    }

    /// Adds what files say of an address to what the gate knows of it, which wins.
    fn look_up(&self, address: IpAddr, place: &mut Place) {
        if let Some(places) = &self.places {
            places.known().complete(address, place);
        }
    }

    fn snapshot_if_due(&self) {
        let mut state = self.state();
        if state.is_due()
            && let Err(error) = state.snapshot()
        {
            tracing::error!(%error, "what was learnt of logins is in the journal alone");
        }
    }

    /// Writes what was learnt; without it, the next start reads the journal.
    pub fn snapshot(&self) {
        if let Err(error) = self.state().snapshot() {
            tracing::error!(%error, "what was learnt of logins is in the journal alone");
        }
    }

    /// Whether what is usual for a principal is still being learnt.
    fn is_learning(&self, principal: &str) -> bool {
        let known = self.known(principal);
        let age = (clock::now().0 / 1_000).saturating_sub(known.first_ms);
        let days = i64::from(self.settings.learning_days);
        days > 0 && (known.logins == 0 || age < days.saturating_mul(DAY_MS))
    }

    fn known(&self, user: &str) -> risk::Known {
        self.state().known(user, clock::now().0 / 1_000)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files of places again when they have changed. It takes a second, in which logins are judged by what was known.
async fn reload_places(places: Arc<Current>) {
    match tokio::task::spawn_blocking(move || places.reload()).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(places))) => say_places(&places),
        Ok(Err(error)) => tracing::warn!(%error, "what was known of addresses before is used on"),
        Err(error) => tracing::error!(%error, "files of places were not read"),
    }
}

fn say_places(places: &Places) {
    match places.missing().join(", ") {
        none if none.is_empty() => tracing::info!("what addresses are is looked up in files"),
        missing => {
            tracing::warn!(missing, "what addresses are is looked up in files, and these are not there")
        }
    }
}
