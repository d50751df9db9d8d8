//! `trefoil sites …`: how the sites are, and moving the home of one. The operator's, over the sites' Unix sockets. Not here: asking and moving (`sites`).

mod moves;
mod status;

pub(crate) use moves::{failback, failover};
pub(crate) use status::status;

use crate::ended::{Ended, OrEnded};

fn runtime() -> Result<tokio::runtime::Runtime, Ended> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_cannot_tell("starting")
}
