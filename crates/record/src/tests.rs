//! The record against a monitor made of `tlog`'s own witness rule, over real HTTP and real files: what a caller
//! sees, what survives a failure at every step, and what an outsider can verify afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may say so by ending")]

mod behaviour;
mod faults;
mod fixture;
mod forget;
mod monitor;
mod simulation;
mod stranger;
mod witnesses;
