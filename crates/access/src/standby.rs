//! How far a site's standby is behind it: twice a second the gate asks the site how far it has written and the standby how
//! far it has followed, as `trefoil_watch`. What it shows is at most as old as the last moment at which it had everything
//! that the site had then. Not here: whether it is as policy says (`drift`), who is sent there (`admit`).

use std::collections::VecDeque;
use std::sync::Arc;

use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_postgres::Client;

use crate::config::Site;
use crate::gate::Gate;
use crate::standing::Stand;
use crate::{clock, drift};

/// A standby that is further behind takes no new sessions.
pub(crate) const LAG_MS_MAX: u64 = 2_000;
const LOOK_MS: u64 = 500;
/// Positions that are remembered: more than are made in the time that counts.
const POSITIONS_MAX: usize = 16;

const WRITTEN: &str = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint";
/// None when it follows nobody: then it is no standby.
const FOLLOWED: &str =
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint END";

/// What is known of a standby's lag.
#[derive(Debug, Default)]
struct Lag {
    /// How far the site had written, and when it was asked; oldest first.
    written: VecDeque<(Instant, i64)>,
    /// When the site had no more than the standby has.
    level: Option<Instant>,
}

impl Lag {
    fn written(&mut self, asked: Instant, position: i64) {
        if self.written.len() >= POSITIONS_MAX {
            self.written.pop_front();
        }
        self.written.push_back((asked, position));
    }

    fn followed(&mut self, position: i64) {
        while let Some((asked, _)) = self.written.front().copied().filter(|(_, written)| *written <= position)
        {
            self.level = Some(asked);
            self.written.pop_front();
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.level.is_some_and(|level| now.duration_since(level) <= Duration::from_millis(LAG_MS_MAX))
    }
}

/// Keeps the stand of a standby up to date, until `stop` becomes true.
pub(crate) async fn follow(gate: Arc<Gate>, stand: Arc<Stand>, mut stop: watch::Receiver<bool>) {
    let Some(site) = gate.sites.iter().find(|site| site.site.name == stand.site.site()) else { return };
    let password = gate.config.secrets.watch.get(stand.site.site()).cloned().unwrap_or_default();
    let [mut at_site, mut at_standby] = [&site.site, &stand.site].map(|site| Asked {
        site,
        roots: &gate.roots,
        password: &password,
        client: None,
    });
    let mut lag = Lag::default();
    loop {
        let asked = clock::instant();
        if let Some(position) = at_site.position(WRITTEN).await {
            lag.written(asked, position);
        }
        if let Some(position) = at_standby.position(FOLLOWED).await {
            lag.followed(position);
        } else {
            // Nobody is sent to a standby that does not answer.
            lag = Lag::default();
        }
        let fresh = lag.is_fresh(clock::instant());
        if stand.set_fresh(fresh) {
            tracing::info!(site = stand.site.name, fresh, "a standby follows its site, or is behind it");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(Duration::from_millis(LOOK_MS)) => {}
        }
    }
}

/// A server that is asked again and again.
struct Asked<'a> {
    site: &'a Site,
    roots: &'a Arc<RootCertStore>,
    password: &'a str,
    client: Option<Client>,
}

impl Asked<'_> {
    /// The answer, if there is one in time; otherwise the next question is asked on a connection of its own.
    async fn position(&mut self, query: &str) -> Option<i64> {
        let answer = timeout(Duration::from_millis(LAG_MS_MAX), self.ask(query)).await;
        match answer {
            Ok(Ok(position)) => position,
            Ok(Err(_)) | Err(_) => {
                self.client = None;
                None
            }
        }
    }

    async fn ask(&mut self, query: &str) -> Result<Option<i64>, tokio_postgres::Error> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(drift::connect(self.site, self.roots, self.password).await?.0),
        };
        client.query_one(query, &[]).await?.try_get(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_as_fresh_as_the_last_moment_at_which_it_had_everything() {
        let start = clock::instant();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut lag = Lag::default();
        assert!(!lag.is_fresh(at(0)), "nothing is known");
        lag.written(at(0), 100);
        lag.followed(90);
        assert!(!lag.is_fresh(at(0)), "it has not all");
        lag.written(at(500), 100);
        lag.written(at(1_000), 200);
        lag.followed(150);
        assert!(lag.is_fresh(at(2_500)) && !lag.is_fresh(at(2_501)), "it has what the site had at 500");
        lag.followed(200);
        assert!(lag.is_fresh(at(3_000)) && !lag.is_fresh(at(3_001)), "the site is not heard of any more");
        for n in 0..100 {
            lag.written(at(4_000 + n), 300);
        }
        lag.followed(299);
        assert!(lag.written.len() <= POSITIONS_MAX && !lag.is_fresh(at(4_100)));
    }
}
