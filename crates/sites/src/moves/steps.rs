//! The steps of a move. Each looks first or does what can be done twice.

use std::collections::BTreeSet;
use std::time::Duration;

use policy::Holders;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use wall::homes::{self, CLAIM, NOTE_APPLIED, TOLD};
use wall::names::{self, literal, quoted};
use wall::pseudonyms::BEHIND;

use super::journal::{Course, Journal, Step};
use super::{Moved, Mover, Notary, Stated, even, intended, unshipped};
use crate::apply::run;
use crate::{Cluster, SitesError, mesh};

/// How long the siblings may take to have everything that a site wrote before it stopped.
const CATCH_UP_SECS_MAX: u64 = 300;
/// How long a worker that applies what a sibling writes may take to end.
const LEAVE_SECS_MAX: u64 = 60;
const POLL: Duration = Duration::from_millis(50);
/// Tries to get the locks of a home's tables; who holds them after the first is ended.
const LOCK_TRIES_MAX: u32 = 20;

impl<N: Notary> Mover<'_, N> {
    pub(super) async fn perform(
        &self,
        step: Step,
        journal: &mut Journal,
        moved: &mut Moved,
    ) -> Result<(), SitesError> {
        match step {
            Step::Begin => self.state(journal, false).await,
            Step::Claim => self.claim(journal).await,
            Step::Fence => self.fence(journal).await,
            Step::CatchUp => self.catch_up(journal).await,
            Step::Leave => self.leave(journal).await,
            Step::Even => {
                moved.evened = self.even(journal).await?;
                Ok(())
            }
            Step::Publish => self.publish(journal).await,
            Step::Open => self.open(journal).await,
            Step::Keep => self.keep(journal).await,
            Step::Copy => self.copy(journal).await,
            Step::Follow => self.follow(journal).await,
            Step::End => self.state(journal, true).await,
        }
    }

    /// The first statement says how it will be, the last that it is so.
    async fn state(&self, journal: &Journal, done: bool) -> Result<(), SitesError> {
        let homes = self.homes().await?;
        let stated = Stated {
            id: journal.id.clone(),
            kind: journal.kind,
            course: journal.course,
            home: journal.home.clone(),
            from: journal.from.clone(),
            to: journal.to.clone(),
            done,
            unshipped: journal.kept.as_ref().map(|kept| (kept.rows, kept.sha256.clone())),
        };
        let next = if done {
            if homes.next().is_none() {
                return Ok(());
            }
            homes.finish()
        } else {
            let next = intended(&homes, journal);
            if homes.next() == Some(&next) {
                return Ok(());
            }
            homes.begin(next)
        };
        self.notary.state(&next, &stated).await.map_err(SitesError::NotRecorded)
    }

    /// How it will be when the move is over, as the statement in force says.
    async fn next(&self) -> Result<Holders, SitesError> {
        let homes = self.homes().await?;
        let next = homes.next().cloned();
        next.ok_or_else(|| SitesError::NotRecorded("the statement in force says of no move".to_owned()))
    }

    /// The sites that take part: all, or all but the one that is gone.
    fn present(&self, journal: &Journal) -> impl Iterator<Item = &Cluster> {
        let gone = (journal.course == Course::TakenOver).then(|| journal.from.clone());
        self.clusters.iter().filter(move |cluster| gone.as_deref() != Some(cluster.site()))
    }

    /// Tells every site that takes part, in their order. Who moves the same home elsewhere under the same term has told one
    /// of them before, and is found out.
    async fn claim(&self, journal: &Journal) -> Result<(), SitesError> {
        let next = self.next().await?;
        for cluster in self.present(journal) {
            let client = cluster.admin().await?;
            tell(&client, cluster.site(), &next, &journal.home).await?;
        }
        Ok(())
    }

    /// Makes a site refuse to write the home: the holder, or one that is back.
    async fn fence(&self, journal: &mut Journal) -> Result<(), SitesError> {
        let (at, holders) = match journal.course {
            Course::Back => (&journal.to, self.next().await?),
            Course::Planned | Course::TakenOver => (&journal.from, self.next().await?),
        };
        let cluster = self.cluster(at)?;
        let client = cluster.admin().await?;
        tell(&client, at, &holders, &journal.home).await?;
        self.change(&client, at, &journal.home, &homes::fence(self.bundle, &journal.home)).await?;
        journal.position = Some(position(&client, at).await?);
        if journal.course == Course::Back {
            // It refuses to write by itself now: the others may come in again.
            cluster.let_in(self.bundle, &client).await?;
        }
        Ok(())
    }

    /// Waits until every sibling has confirmed what was written before the fence.
    async fn catch_up(&self, journal: &Journal) -> Result<(), SitesError> {
        let site = &journal.from;
        let client = self.cluster(site)?.admin().await?;
        let failed = || SitesError::database(site, "see how far its siblings are");
        let mut siblings = 0;
        for _ in 0..CATCH_UP_SECS_MAX * 20 {
            let row = client.query_one(BEHIND, &[&journal.position]).await;
            siblings = row.and_then(|row| row.try_get(0)).map_err(failed())?;
            if siblings == 0 {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(SitesError::NotCaughtUp { site: site.clone(), siblings, seconds: CATCH_UP_SECS_MAX })
    }

    /// Stops following the site that is gone: should it come back, nothing of it arrives unasked.
    async fn leave(&self, journal: &Journal) -> Result<(), SitesError> {
        let subscription = names::subscription(&journal.from);
        for cluster in self.siblings(&journal.from) {
            let client = cluster.admin().await?;
            let failed = || SitesError::database(cluster.site(), format!("leave {}", journal.from));
            let disable = format!("ALTER SUBSCRIPTION {} DISABLE", quoted(&subscription));
            client.batch_execute(&disable).await.map_err(failed())?;
            let working = "SELECT count(*) FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL";
            let mut left = 1_i64;
            for _ in 0..LEAVE_SECS_MAX * 20 {
                let row = client.query_one(working, &[&subscription]).await;
                left = row.and_then(|row| row.try_get(0)).map_err(failed())?;
                if left == 0 {
                    break;
                }
                tokio::time::sleep(POLL).await;
            }
            if left > 0 {
                let (site, of) = (cluster.site().to_owned(), format!("the subscription to {}", journal.from));
                return Err(SitesError::Sessions { site, of, left });
            }
        }
        Ok(())
    }

    /// Gives every sibling what the one with most has of what the site that is gone wrote, and notes at the new holder up to
    /// where that is. Nobody writes these rows meanwhile.
    async fn even(&self, journal: &Journal) -> Result<u64, SitesError> {
        let mut furthest: Option<(u64, String, &Cluster)> = None;
        let mut applied = Vec::new();
        for cluster in self.siblings(&journal.from) {
            let (at, text) = applied_at(cluster, &journal.from).await?;
            applied.push((at, cluster));
            if furthest.as_ref().is_none_or(|(most, _, _)| at > *most) {
                furthest = Some((at, text, cluster));
            }
        }
        let Some((most, text, source)) = furthest else { return Ok(0) };
        let mut rows = 0;
        for (_, behind) in applied.into_iter().filter(|(at, _)| *at < most) {
            rows += even::even(self.bundle, &journal.home, source, behind).await?;
        }
        let holder = self.cluster(&journal.to)?;
        let client = holder.admin().await?;
        let noted = client.execute(NOTE_APPLIED, &[&journal.home, &text]).await;
        noted.map_err(SitesError::database(holder.site(), "note what it has"))?;
        Ok(rows)
    }

    /// The new holder publishes the home and the old one does not; everybody follows. What is written from now on reaches
    /// every sibling, and nothing is written yet.
    async fn publish(&self, journal: &Journal) -> Result<(), SitesError> {
        let next = self.next().await?;
        let publishers: Vec<&Cluster> = self
            .present(journal)
            .filter(|one| [&journal.from, &journal.to].contains(&&one.site().to_owned()))
            .collect();
        for cluster in &publishers {
            self.publish_at(cluster, &next).await?;
        }
        for subscriber in self.present(journal) {
            for publisher in publishers.iter().filter(|one| one.site() != subscriber.site()) {
                refresh(subscriber, publisher.site(), false).await?;
            }
        }
        Ok(())
    }

    async fn publish_at(&self, cluster: &Cluster, next: &Holders) -> Result<(), SitesError> {
        let site = cluster.site();
        let client = cluster.admin().await?;
        let query = "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = $1";
        let rows = client.query(query, &[&names::publication(site)]).await;
        let live: BTreeSet<String> = rows
            .and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect())
            .map_err(SitesError::database(site, "see what it publishes"))?;
        run(&client, site, "publish its homes", &homes::publish(self.bundle, next, site, &live)).await
    }

    /// From here on the home is written again.
    async fn open(&self, journal: &Journal) -> Result<(), SitesError> {
        let client = self.cluster(&journal.to)?.admin().await?;
        self.change(&client, &journal.to, &journal.home, &homes::open(self.bundle, &journal.home)).await
    }

    /// Writes down what the site that is back had committed and never shipped.
    async fn keep(&self, journal: &mut Journal) -> Result<(), SitesError> {
        let (back, holder) = (self.cluster(&journal.to)?, self.cluster(&journal.from)?);
        let applied = told(holder, &journal.home).await?;
        let name = format!("{}-{}", journal.home, journal.id);
        journal.kept = Some(unshipped::keep(self.bundle, &journal.home, back, holder, applied, &name).await?);
        Ok(())
    }

    /// Empties the home's tables at the site that is back, which nobody reads, and has PostgreSQL copy them from the holder
    /// and follow from there. A copy that was begun is only waited for.
    async fn copy(&self, journal: &Journal) -> Result<(), SitesError> {
        let (site, holder) = (&journal.to, &journal.from);
        let cluster = self.cluster(site)?;
        let client = cluster.admin().await?;
        let failed = || SitesError::database(site, format!("begin anew with what {holder} has"));
        let tables: Vec<String> = homes::relations(self.bundle, &journal.home);
        let following = format!(
            "SELECT count(*) FROM pg_subscription_rel JOIN pg_subscription s ON s.oid = srsubid \
             WHERE subname = {} AND srrelid = ANY (ARRAY[{}]::regclass[])",
            literal(&names::subscription(holder)),
            tables.iter().map(|table| literal(table)).collect::<Vec<_>>().join(", ")
        );
        let row = client.query_one(&following, &[]).await;
        if row.and_then(|row| row.try_get::<_, i64>(0)).map_err(failed())? == 0 {
            self.publish_at(cluster, &self.next().await?).await?;
            let mut ddl = vec!["SET LOCAL session_replication_role = replica".to_owned()];
            ddl.extend(tables.iter().map(|table| format!("DELETE FROM {table}")));
            run(&client, site, "empty the home's tables", &ddl).await?;
            refresh(cluster, holder, true).await?;
        }
        mesh::wait_one(cluster, &self.watcher).await
    }

    /// The siblings follow the site that is back from here on, and not from where they left it.
    async fn follow(&self, journal: &Journal) -> Result<(), SitesError> {
        let site = &journal.to;
        let cluster = self.cluster(site)?;
        let client = cluster.admin().await?;
        // Should it have been started again since it was fenced, it is shut again.
        cluster.let_in(self.bundle, &client).await?;
        for sibling in self.siblings(site) {
            let slot = names::slot(sibling.site());
            let advance = "SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) \
                FROM pg_replication_slots WHERE slot_name = $1::text AND NOT active";
            let failed = || SitesError::database(site, "leave behind what it had not shipped");
            client.query(advance, &[&slot]).await.map_err(failed())?;
            // A slot that was moved is only remembered by the next checkpoint.
            client.batch_execute("CHECKPOINT").await.map_err(failed())?;
            let there = sibling.admin().await?;
            let enable = format!("ALTER SUBSCRIPTION {} ENABLE", quoted(&names::subscription(site)));
            there
                .batch_execute(&enable)
                .await
                .map_err(SitesError::database(sibling.site(), format!("follow {site}")))?;
            refresh(sibling, site, false).await?;
        }
        Ok(())
    }

    /// Changes the triggers of a home's tables. Whoever is in the middle of a transaction there is waited for a moment and
    /// then ended.
    async fn change(
        &self,
        client: &Client,
        site: &str,
        home: &str,
        ddl: &[String],
    ) -> Result<(), SitesError> {
        let script = format!("BEGIN; SET LOCAL lock_timeout = '2s';\n{};\nCOMMIT", ddl.join(";\n"));
        for _ in 0..LOCK_TRIES_MAX {
            match client.batch_execute(&script).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let rolled_back = client.batch_execute("ROLLBACK").await;
                    rolled_back.map_err(SitesError::database(site, "roll back"))?;
                    if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
                        return Err(SitesError::database(site, "change who writes a home")(error));
                    }
                }
            }
            let ended = client.query_one(&homes::end_users(self.bundle, home), &[]).await;
            ended.map_err(SitesError::database(site, "end the sessions that use a home"))?;
        }
        let (site, of) = (site.to_owned(), format!("the home {home}"));
        Err(SitesError::Sessions { site, of, left: 1 })
    }

    /// The sibling that has applied most of what a site wrote; of those with as much, the first.
    pub(super) async fn furthest(&self, site: &str) -> Result<String, SitesError> {
        let mut best: Option<(u64, &str)> = None;
        for cluster in self.siblings(site) {
            let (at, _) = applied_at(cluster, site).await?;
            if best.is_none_or(|(most, _)| at > most) {
                best = Some((at, cluster.site()));
            }
        }
        best.map(|(_, site)| site.to_owned())
            .ok_or_else(|| SitesError::NoMove("there is no other site".to_owned()))
    }
}

async fn tell(client: &Client, site: &str, holders: &Holders, home: &str) -> Result<(), SitesError> {
    let Some(holder) = holders.of(home) else {
        return Err(SitesError::NoMove(format!("there is no home {home}")));
    };
    let term = i64::try_from(holder.term).unwrap_or(i64::MAX);
    let told = client.execute(CLAIM, &[&home, &holder.site, &term]).await;
    match told.map_err(SitesError::database(site, "be told who holds a home"))? {
        1 => Ok(()),
        _ => Err(SitesError::Claimed { site: site.to_owned(), home: home.to_owned(), term: holder.term }),
    }
}

/// Up to where a site's predecessor was applied when the site took a home over.
async fn told(cluster: &Cluster, home: &str) -> Result<Option<u64>, SitesError> {
    let client = cluster.admin().await?;
    let failed = || SitesError::database(cluster.site(), "see who holds each home");
    for row in client.query(TOLD, &[]).await.map_err(failed())? {
        if row.try_get::<_, String>(0).map_err(failed())? == home {
            let applied: Option<String> = row.try_get(3).map_err(failed())?;
            return Ok(applied.as_deref().and_then(lsn));
        }
    }
    Ok(None)
}

/// Up to where a sibling has applied what a site wrote. One that still copies whole tables has nothing that could count.
async fn applied_at(cluster: &Cluster, from: &str) -> Result<(u64, String), SitesError> {
    let client = cluster.admin().await?;
    let failed = || SitesError::database(cluster.site(), format!("see how far it follows {from}"));
    let query = "SELECT coalesce(o.remote_lsn, '0/0')::text, \
        (SELECT count(*) FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND srsubstate <> 'r') \
        FROM pg_subscription s LEFT JOIN pg_replication_origin_status o ON o.external_id = 'pg_' || s.oid WHERE subname = $1";
    let row = client.query_one(query, &[&names::subscription(from)]).await.map_err(failed())?;
    let (text, copying): (String, i64) =
        (row.try_get(0).map_err(failed())?, row.try_get(1).map_err(failed())?);
    if copying > 0 {
        let (site, tables) = (cluster.site().to_owned(), copying);
        return Err(SitesError::NotSynchronised { site, tables, seconds: 0 });
    }
    Ok((lsn(&text).unwrap_or_default(), text))
}

/// Takes over what a publisher publishes now, copying what is there already or not.
async fn refresh(subscriber: &Cluster, publisher: &str, copy: bool) -> Result<(), SitesError> {
    let client = subscriber.admin().await?;
    let statement = format!(
        "ALTER SUBSCRIPTION {} REFRESH PUBLICATION WITH (copy_data = {copy})",
        quoted(&names::subscription(publisher))
    );
    let done = client.batch_execute(&statement).await;
    done.map_err(SitesError::database(subscriber.site(), format!("follow what {publisher} publishes")))
}

async fn position(client: &Client, site: &str) -> Result<String, SitesError> {
    let row = client.query_one("SELECT pg_current_wal_lsn()::text", &[]).await;
    row.and_then(|row| row.try_get(0)).map_err(SitesError::database(site, "say where it is"))
}

/// A position of the write-ahead log, `1A/2B` in text.
pub(super) fn lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let (high, low) = (u32::from_str_radix(high, 16).ok()?, u32::from_str_radix(low, 16).ok()?);
    Some(u64::from(high) << 32 | u64::from(low))
}
