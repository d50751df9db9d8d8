//! Where a gate does not obey: sessions of what is stopped are found by their roles at the sites, as `trefoil_stop`, and
//! ended each second, until no certificate that was issued for one of them could open another. An honest gate has ended
//! them long before; whatever is found is an incident. Not here: what that role may do (`wall::stop`).
//!
//! A role is whose certificate was the last for it. A gate asks for the next one when the session before has ended: one
//! that goes on under an earlier certificate was said to have ended and has not, whoever it is of, and while a brake is
//! carried out it is ended as well. So nobody who is stopped hides behind a role that was certified again for somebody
//! else, and whoever that is goes on. Certificates are told apart by their numbers, which `trefoil_stats` sees.

use std::{collections::BTreeMap, time::Duration};

use thiserror::Error;
use tlog::{
    brake::{Order, Target},
    detail::{About, Severity},
    entry::Micros,
};
use tokio::{
    task::spawn_blocking,
    time::{interval, timeout},
};
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;
use wall::stop::END_SESSIONS;

use super::Brakes;
use crate::{
    ca::CERTIFICATE_S_MAX,
    clock,
    detect::finding::said,
    incident::{Incidents, store::Found},
    watch::{
        SECOND_US,
        config::Sites,
        fold::{Live, POOL_PREFIX},
        reader::{CaError, ReadError, Reader, tls},
    },
};

/// What an incident is called that comes of it.
pub const NAME: &str = "brake-disobeyed";
/// How long a gate may take before its sessions are looked for.
const GRACE_MS: i64 = 1_000;
/// How long a site may take.
const SITE_MS_MAX: u64 = 5_000;

/// Ends the sessions of what is stopped, at all sites.
pub struct Stopper {
    brakes: Brakes,
    incidents: Incidents,
    sites: BTreeMap<String, Site>,
    /// By order: when sessions of it were last found.
    found: BTreeMap<String, Micros>,
}

/// One site's connection, made anew whenever it broke.
struct Site {
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    client: Option<Client>,
    /// Who is connected under which certificate.
    stats: Reader,
}

#[derive(Debug, Error)]
enum SiteError {
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("no answer within {SITE_MS_MAX} ms")]
    Late,
}

impl Stopper {
    /// For the sites at which the monitor may end sessions.
    ///
    /// # Errors
    /// When the sites' authority cannot be read.
    pub fn new(brakes: Brakes, incidents: Incidents, sites: &Sites) -> Result<Stopper, CaError> {
        let tls = tls(&sites.ca)?;
        let with_stop = sites.sites.iter().filter_map(|site| Some((site, site.stop.clone()?)));
        let sites = with_stop.map(|(site, config)| {
            let stats = Reader::new(site.stats.clone(), tls.clone());
            (site.name.clone(), Site { config, tls: tls.clone(), client: None, stats })
        });
        Ok(Stopper { brakes, incidents, sites: sites.collect(), found: BTreeMap::new() })
    }

    /// Looks each second, until it is dropped.
    async fn run(mut self) {
        let mut seconds = interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            let orders = self.brakes.orders();
            self.found.retain(|id, _| orders.iter().any(|stopped| stopped.order.id == *id));
            for stopped in orders {
                self.enforce(&stopped.order, clock::now()).await;
            }
        }
    }

    async fn enforce(&mut self, order: &Order, now: Micros) {
        let given = order.given().map_or(0, |given| given.0);
        if now.0 < given.saturating_add(GRACE_MS * 1_000) {
            return;
        }
        let mut by_site: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (site, role, certified) in self.brakes.roles(&order.target) {
            if may_return(certified.max(Micros(given)), self.found.get(&order.id), now) {
                by_site.entry(site).or_default().push(role);
            }
        }
        let whose = format!("of {}", order.target);
        for (name, roles) in by_site {
            let Some(site) = self.sites.get_mut(&name) else { continue };
            let ended = site.end(&roles, None).await;
            self.ended(order, &name, &whose, ended, now).await;
        }
        if may_return(Micros(given), self.found.get(&order.id), now)
            && !matches!(order.target, Target::Destination(_))
        {
            self.end_strays(order, now).await;
        }
    }

    async fn end_strays(&mut self, order: &Order, now: Micros) {
        let names: Vec<String> = self.sites.keys().cloned().collect();
        for name in names {
            let Some(site) = self.sites.get_mut(&name) else { continue };
            let brakes = &self.brakes;
            let ended = site.end_strays(|role, session| brakes.holds(&name, role, session)).await;
            self.ended(order, &name, "under certificates that others have followed", ended, now).await;
        }
    }

    async fn ended(
        &mut self,
        order: &Order,
        site: &str,
        which: &str,
        ended: Result<u64, SiteError>,
        now: Micros,
    ) {
        match ended {
            Ok(0) => {}
            Ok(ended) => {
                self.found.insert(order.id.clone(), now);
                self.tell(order, site, which, ended, now).await;
            }
            Err(error) => {
                if let Some(site) = self.sites.get_mut(site) {
                    site.client = None;
                }
                eprintln!("brake {}: site {site}: {error}", order.id);
            }
        }
    }

    async fn tell(&self, order: &Order, site: &str, which: &str, ended: u64, now: Micros) {
        eprintln!(
            "brake {} on {}: ended {ended} sessions {which} at {site} that the gate had not",
            order.id, order.target
        );
        let what = format!("sessions {which} that were ended at {site} under brake {}", order.id);
        let found = Found {
            detector: NAME.to_owned(),
            severity: Severity::Critical,
            at: now,
            about: about(&order.target),
            evidence: Vec::new(),
            reasons: vec![said(&what, ended.to_string(), "0: the gate ends them")],
            exhibit: None,
        };
        let incidents = self.incidents.clone();
        let opened = spawn_blocking(move || incidents.open_one(found, now)).await;
        if let Ok(Err(error)) = opened {
            eprintln!("the incident is not kept: {error}");
        }
    }
}

/// Runs one where there are sites, until it is dropped.
pub async fn run(stopper: Option<Stopper>) {
    match stopper {
        Some(stopper) => stopper.run().await,
        None => std::future::pending().await,
    }
}

/// Whether somebody with a certificate that was issued for this could still be connected, or come back.
fn may_return(since: Micros, found: Option<&Micros>, now: Micros) -> bool {
    let over_us = (CERTIFICATE_S_MAX + 1) * SECOND_US;
    // A session that was found may have been opened with the last use of its certificate.
    let last = found.map_or(since, |found| since.max(*found));
    now.0 <= last.0.saturating_add(over_us)
}

fn about(target: &Target) -> About {
    let named = |wanted: bool| wanted.then(|| target.name().to_owned());
    About {
        session: named(matches!(target, Target::Session(_))),
        principal: named(matches!(target, Target::Principal(_))),
        gate: named(matches!(target, Target::Gate(_))),
        ..About::default()
    }
}

impl Site {
    /// Ends the sessions that go on under another certificate than the one by which their role is held.
    async fn end_strays(&mut self, holds: impl Fn(&str, &str) -> bool) -> Result<u64, SiteError> {
        // Read first: whoever is connected by then was certified before.
        let live = self.stats.live().await?;
        let (roles, processes): (Vec<String>, Vec<i32>) = strays(&live, holds).into_iter().unzip();
        if roles.is_empty() { Ok(0) } else { self.end(&roles, Some(&processes)).await }
    }

    /// Ends every session of these roles, or those of them with these processes; how many there were.
    async fn end(&mut self, roles: &[String], processes: Option<&[i32]>) -> Result<u64, SiteError> {
        let limit = Duration::from_millis(SITE_MS_MAX);
        timeout(limit, self.try_end(roles, processes)).await.unwrap_or(Err(SiteError::Late))
    }

    async fn try_end(&mut self, roles: &[String], processes: Option<&[i32]>) -> Result<u64, SiteError> {
        let client = match &self.client {
            Some(client) if !client.is_closed() => client,
            _ => {
                let (client, connection) = self.config.connect(self.tls.clone()).await?;
                // It ends when the client is dropped; what breaks it shows in the queries.
                drop(tokio::spawn(connection));
                self.client.insert(client)
            }
        };
        let ended = client.query(END_SESSIONS, &[&roles, &processes]).await?;
        Ok(u64::try_from(ended.len()).unwrap_or(u64::MAX))
    }
}

/// Role and process of those under a role of gates which `holds` (role, session) does not know as its holder's.
fn strays(live: &[Live], holds: impl Fn(&str, &str) -> bool) -> Vec<(String, i32)> {
    let of_gates = live.iter().filter(|live| live.role.starts_with(POOL_PREFIX));
    let is_stray = |live: &&Live| {
        let session = live.serial.map(|serial| format!("{serial:032x}"));
        session.is_none_or(|session| !holds(&live.role, &session))
    };
    of_gates.filter(is_stray).map(|live| (live.role.clone(), live.pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_under_a_certificate_that_another_followed_is_a_stray() {
        let live =
            |pid, role: &str, serial| Live { pid, role: role.to_owned(), address: None, serial, since: 0 };
        let live = [
            live(1, "tp_a_dublin-1_001", Some(1)),
            // Its role was certified for 3 since.
            live(2, "tp_a_dublin-1_002", Some(2)),
            live(4, "tp_a_dublin-1_004", None),
            live(5, "trefoil_stats", None),
        ];
        let holders = [("tp_a_dublin-1_001", 1), ("tp_a_dublin-1_002", 3)];
        let holds = |role: &str, session: &str| {
            holders.iter().any(|(held, serial)| *held == role && format!("{serial:032x}") == session)
        };
        let found: Vec<i32> = strays(&live, holds).into_iter().map(|(_, pid)| pid).collect();
        assert_eq!(found, [2, 4]);
    }

    #[test]
    fn sessions_are_looked_for_until_no_certificate_opens_one() {
        let second = |n: i64| Micros(n * SECOND_US);
        for (since, found, now, expected) in [
            (0, None, 1, true),
            (0, None, 61, true),
            (0, None, 62, false),
            (30, None, 62, true),
            (0, Some(61), 100, true),
            (0, Some(61), 123, false),
        ] {
            let found = found.map(second);
            assert_eq!(
                may_return(second(since), found.as_ref(), second(now)),
                expected,
                "{since} {found:?} {now}"
            );
        }
    }
}
