//! How suspicious a login is, and why: a score in log-odds, an action, reasons, and findings about campaigns. Pure: the
//! same events in the same order under the same key give the same judgements, so that history can be replayed.
//!
//! Read `event` first (what comes in), then `judgement` (what comes out), then `engine`. Not here: where events come
//! from and go to (crate `logins`, and the gate for its own), what an address's country is (they look it up).

mod agent;
pub mod baseline;
mod bytes;
pub mod campaign;
pub mod engine;
pub mod event;
mod everybody;
pub mod judgement;
pub mod key;
mod lines;
mod places;
pub mod seen;
mod store;
pub mod weights;
mod words;

pub use baseline::Baseline;
pub use campaign::{Campaigns, Evidence, Familiarity};
pub use engine::{Engine, Features, Known, Settings, SnapshotError, Verdict};
pub use event::{Act, Event, Network, Outcome, Place, Why};
pub use judgement::{Action, Finding, Judgement, Kind, Reason, Term, Value};
pub use key::{Key, Tag};
pub use seen::Seen;
pub use weights::{Weights, WeightsError};
