//! A whole enclave in a temporary folder: three PostgreSQL clusters, the gate, the record and the monitor, all of
//! them the real programs. Each test starts its own. Here: what only the whole can show; not the parts' own rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends by panicking")]

mod attacks;
mod audit;
mod beside;
mod bounded;
mod brakes;
mod foreign;
mod lab;
mod lifecycle;
mod logins;
mod observing;
mod opening;
mod principals;
mod protocol;
mod raw;
mod received;
mod residency;
mod rogue;
mod scripts;
mod standing;
mod storm;
mod verdicts;
mod watched;
