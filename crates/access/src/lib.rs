//! The access gate: people and services speak PostgreSQL to it, and see what policy lets them see.
//!
//! A connection is authenticated (`client`), decided on, recorded and let into a site with two keys (`admit`,
//! `upstream`), and then relayed (`session` moves bytes, `relay` decides about them). Not here: what policy says
//! (`policy`), what statements may be (`sql`), how the wall is built (`wall`, `sites`), how the log works (`record`).

mod admit;
mod cancel;
mod client;
mod clock;
mod config;
mod drift;
mod fault;
mod gate;
mod pool;
mod relay;
mod session;
mod upstream;

pub use config::{
    Config, ConfigError, Listener, Secrets, Site, bundle_files, bundle_note_text, signed_bundle,
};
pub use drift::{DriftError, SiteDrift, drift_at};
pub use gate::{GateError, run};
