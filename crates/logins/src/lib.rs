//! Streams of login events through `risk`, and what becomes of its judgements: formats, files, HTTP, NATS, state on
//! disk, worlds to try it on, and figures of how well it does. Not here: how a login is judged (crate `risk`), the
//! gate's own logins (crate `access`).

pub mod answer;
pub mod clock;
pub mod evaluate;
pub mod http;
pub mod import;
pub mod lines;
pub mod login;
pub mod nats;
pub mod ocsf;
pub mod problem;
pub mod share;
pub mod simulate;
pub mod state;
mod steps;
pub mod tail;
mod text;
pub mod train;
pub mod watch;
pub mod why;
pub mod words;
