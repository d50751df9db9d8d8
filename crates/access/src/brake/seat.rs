//! A session's place in the list of those that a brake may end: what it is told, and what it says of its end.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use tlog::brake::{Order, Subject};
use tlog::detail::{Ended, LoginResponse};
use tlog::entry::Micros;
use tokio::sync::watch;

use super::Brakes;
use crate::clock;
use crate::fault::Fault;

/// Held by a session from before it is admitted until its backend has ended.
#[derive(Debug)]
pub struct Seat {
    brakes: Arc<Brakes>,
    number: u64,
    told: watch::Receiver<Option<Stop>>,
    times: Arc<Times>,
    _alive: watch::Sender<()>,
}

/// The list's side of a seat.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) principal: String,
    pub(super) session: Option<String>,
    pub(super) address: IpAddr,
    teller: watch::Sender<Option<Stop>>,
    times: Arc<Times>,
    alive: watch::Receiver<()>,
}

/// Why a session ends.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// The monitor says so.
    Brake(Arc<Order>),
    /// The gate responds to suspicious logins.
    Response(Arc<LoginResponse>),
}

impl Stop {
    fn fault(&self) -> Fault {
        match self {
            Self::Brake(order) => Fault::braked(order),
            Self::Response(response) => Fault::blocked(response),
        }
    }
}

/// When a session fell silent, and when its backend was gone.
#[derive(Debug, Default)]
struct Times {
    session: OnceLock<String>,
    silent: OnceLock<Micros>,
    gone: OnceLock<Micros>,
}

pub(super) fn pair(brakes: Arc<Brakes>, number: u64, principal: &str, address: IpAddr) -> (Seat, Live) {
    let (teller, told) = watch::channel(None);
    let (sender, alive) = watch::channel(());
    let times = Arc::<Times>::default();
    let (principal, times_too) = (principal.to_owned(), Arc::clone(&times));
    let live = Live { principal, session: None, address, teller, times: times_too, alive };
    (Seat { brakes, number, told, times, _alive: sender }, live)
}

impl Seat {
    /// The session has an id by now, under which it can be stopped.
    pub fn opens(&self, session: &str) {
        let known = &mut *self.brakes.known();
        let Some(live) = known.live.get_mut(&self.number) else { return };
        live.session = Some(session.to_owned());
        let _ = self.times.session.set(session.to_owned());
        let subject = Subject { session: Some(session), principal: &live.principal, gate: &self.brakes.gate };
        if let Some(order) = known.force.stops(subject) {
            live.tell(Stop::Brake(Arc::new(order.clone())));
        }
    }

    /// Ends when something stops the session.
    pub fn stopped(&self) -> impl Future<Output = Fault> + Send + use<> {
        let mut told = self.told.clone();
        async move {
            match told.wait_for(Option::is_some).await.map(|told| told.as_ref().map(Stop::fault)) {
                Ok(Some(fault)) => fault,
                _ => std::future::pending().await,
            }
        }
    }

    /// The last byte to the client is written.
    pub fn is_silent(&self) {
        let _ = self.times.silent.set(clock::now());
    }

    /// The site has closed the backend's connection, which it does when the backend has ended.
    pub fn is_gone(&self) {
        let _ = self.times.gone.set(clock::now());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.brakes.known().live.remove(&self.number);
    }
}

impl Live {
    /// Tells the session that it is stopped.
    pub(super) fn tell(&self, why: Stop) -> Ending {
        self.teller.send_replace(Some(why));
        Ending { times: Arc::clone(&self.times), alive: self.alive.clone() }
    }
}

/// A session that was told to end.
pub struct Ending {
    times: Arc<Times>,
    alive: watch::Receiver<()>,
}

impl Ending {
    /// Waits until it has ended; how, if it had come so far as to be a session.
    pub(super) async fn wait(mut self) -> Option<Ended> {
        // Nothing is ever sent: the sender's end is the end.
        while self.alive.changed().await.is_ok() {}
        let session = self.times.session.get()?.clone();
        let silent = self.times.silent.get()?.to_string();
        Some(Ended { session, silent, gone: self.times.gone.get().map(ToString::to_string) })
    }
}
