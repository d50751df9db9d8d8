//! The access gate: people and services speak PostgreSQL to it, and see what policy lets them see.
//!
//! A listener takes a connection (`serve`); it is authenticated (`client`), decided on, recorded and let into a site
//! with two keys (`admit`, `upstream`), and then relayed (`session` moves bytes, `relay` decides about them). Not here:
//! what policy says (`policy`), what statements may be (`sql`), how the wall is built (`wall`, `sites`), how the log
//! works (`record`).
//!
//! # Three proofs, each made by its step alone
//!
//! A [`policy::Permit`] is made by a decision, an [`sql::Cleared`] by a verdict under a permit, a
//! [`record::Witnessed`] by the record when the monitor has cosigned. The gate's functions take them, so that a
//! forgotten step does not compile. They can be read:
//!
//! ```
//! fn of(permit: &policy::Permit, cleared: &sql::Cleared, witnessed: &record::Witnessed) -> (String, String, u64) {
//!     (permit.principal().to_owned(), cleared.text().to_owned(), witnessed.index())
//! }
//! ```
//!
//! They cannot be made or changed, from parts of others or at all:
//!
//! ```compile_fail,E0451
//! fn forge(permit: policy::Permit) -> policy::Permit {
//!     policy::Permit { principal: "eve".to_owned(), ..permit }
//! }
//! ```
//!
//! ```compile_fail,E0451
//! fn forge(cleared: sql::Cleared) -> sql::Cleared {
//!     sql::Cleared { text: "TABLE secrets".into(), ..cleared }
//! }
//! ```
//!
//! ```compile_fail,E0624
//! fn forge() -> record::Witnessed {
//!     record::Witnessed::new(7, None)
//! }
//! ```
//!
//! Nor can they be copied, so that one witness releases one thing:
//!
//! ```compile_fail,E0599
//! fn twice(witnessed: &record::Witnessed) -> record::Witnessed {
//!     std::clone::Clone::clone(witnessed)
//! }
//! ```

mod admit;
mod attempts;
mod brake;
mod cancel;
mod client;
mod clock;
mod config;
mod control;
mod descriptors;
mod drift;
mod entries;
mod evidence;
mod fault;
mod figures;
mod gate;
mod homes;
mod login;
mod logins;
mod meter;
mod origin;
mod pool;
mod probe;
mod relay;
#[cfg(feature = "rogue")]
pub mod rogue;
mod serve;
mod session;
mod standby;
mod standing;
mod status;
mod upstream;
mod workers;

pub use brake::FileError;
pub use config::{
    Config, ConfigError, Listener, Secrets, Site, bundle_files, bundle_note_text, monitor_tls, signed_bundle,
};
pub use control::{Answer, CONTROL_SOCKET, LoginMark, Order, Probed, ask as ask_gate};
pub use drift::{DriftError, SiteDrift, drift_at};
pub use figures::{Rates, Totals, Waits};
pub use gate::GateError;
pub use homes::{HOMES_FILE, read_homes};
pub use logins::totp;
pub use serve::run;
pub use status::{GateLag, GateStatus, Sessions, SessionsOf, SiteStatus, ask as ask_status};
