//! A process that judges its part of the shares: it takes as many as fall to it, gives back what is too many when others
//! come, and takes over from those that are gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use futures_util::StreamExt as _;
use rand::TryRngCore;
use rand::rngs::OsRng;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::held::Held;
use super::lease::{self, Alive, View};
use super::{Asking, Estate, HANDS_KEY, NatsError};
use crate::clock;
use crate::share::Judging;
use crate::steps::Steps;
use crate::watch::Handed;

/// A share that failed is left alone for so many leases.
const FAILED_LEASES: u32 = 3;
/// At the end, shares have so many leases to commit.
const END_LEASES: u32 = 3;

/// Takes risky logins of a share, under a number that grows; whether they are there now. What comes again under a number,
/// or under one before the last, is the same as it was.
pub type Hand = Arc<dyn Fn(u32, u64, &[Handed]) -> Result<(), String> + Send + Sync>;

/// How a process works.
#[derive(Clone)]
pub struct Settings {
    /// How events are judged.
    pub judging: Judging,
    /// Who does not renew for so long is gone.
    pub lease: Duration,
    /// A snapshot of a share is due after so many events…
    pub snapshot_events: u64,
    /// …or so long after the last one.
    pub snapshot_after: Duration,
    /// Where risky logins are handed in before their judgements are published.
    pub hand: Option<Hand>,
    /// What is said to whoever runs this.
    pub tell: Arc<dyn Fn(String) + Send + Sync>,
    pub(crate) steps: Steps,
}

impl Settings {
    /// With the usual times.
    pub fn new(judging: Judging, tell: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self {
            judging,
            lease: Duration::from_secs(10),
            snapshot_events: 100_000,
            snapshot_after: Duration::from_secs(60),
            hand: None,
            tell: Arc::new(tell),
            steps: Steps::default(),
        }
    }
}

/// A process that judges shares.
pub struct Worker {
    estate: Estate,
    settings: Settings,
    id: String,
    alive: Alive,
    view: View,
    tasks: JoinSet<(u32, Result<(), NatsError>)>,
    /// What stops each share that is held.
    held: BTreeMap<u32, watch::Sender<bool>>,
    /// Until when shares that failed are left alone.
    failed: BTreeMap<u32, Instant>,
}

impl Worker {
    /// A process of this estate, under a name of its own.
    pub async fn new(estate: Estate, settings: Settings) -> Result<Self, NatsError> {
        estate.check(&settings.judging.secret).await?;
        estate.hands_in(settings.hand.is_some()).await?;
        let mut id = [0; 8];
        OsRng.try_fill_bytes(&mut id).asking(|| "drawing a name".to_owned())?;
        Ok(Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            estate,
            settings,
            alive: Alive::new(),
            view: View::default(),
            tasks: JoinSet::new(),
            held: BTreeMap::new(),
            failed: BTreeMap::new(),
        })
    }

    /// Works until `stop` says so, then commits everything and gives it back.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), NatsError> {
        let (bucket, alive) = (self.estate.bucket.clone(), self.alive.clone());
        let mut beat = JoinSet::new();
        beat.spawn(lease::beat(bucket, self.id.clone(), self.settings.lease, alive));
        let mut ticks = tokio::time::interval(self.settings.lease / 4);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut entries = self.entries().await?;
        let mut refused = Ok(());
        loop {
            tokio::select! {
                () = super::told_to_stop(&mut stop) => break,
                _ = ticks.tick() => self.balance().await,
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                entry = entries.next() => match entry {
                    // Another process hands in from now on.
                    Some(Ok(entry)) if entry.key == HANDS_KEY => {
                        refused = self.estate.hands_in(self.settings.hand.is_some()).await;
                        if refused.is_err() {
                            break;
                        }
                    }
                    Some(Ok(entry)) => self.view.take(&entry),
                    // The connection was lost: what is there is read anew.
                    _ => match self.entries().await {
                        Ok(anew) => entries = anew,
                        Err(_) => tokio::time::sleep(self.settings.lease / 10).await,
                    }
                },
            }
        }
        self.end().await;
        drop(beat);
        // Others need not wait until we are missed.
        let _ = self.estate.bucket.delete(lease::worker_key(&self.id)).await;
        refused
    }

    async fn entries(&self) -> Result<kv::Watch, NatsError> {
        self.estate.bucket.watch_with_history(">").await.asking(|| "watching who holds what".to_owned())
    }

    /// Takes or gives back what makes our part even.
    async fn balance(&mut self) {
        if !self.alive.is() || !self.view.is_whole() {
            return;
        }
        let workers = self.view.workers(&self.id, self.settings.lease);
        let Some(rank) = workers.iter().position(|id| *id == self.id) else { return };
        let (shares, count) = (usize::try_from(self.estate.shares()).unwrap_or(0), workers.len().max(1));
        let ours = shares / count + usize::from(rank < shares % count);
        let first = shares * rank / count;
        if self.held.len() > ours {
            let much = self.held.len() - ours;
            self.held.values().rev().take(much).for_each(|stop| {
                stop.send_replace(true);
            });
        }
        let wanted = ours.saturating_sub(self.held.len());
        let gone = self.gone().await;
        let order: Vec<u32> = (0..self.estate.shares()).cycle().skip(first).take(shares).collect();
        let mut free: Vec<u32> = order.iter().copied().filter(|share| self.is_free(*share, &gone)).collect();
        if free.len() < wanted {
            // Nothing is heard of what was missed on the way.
            for share in order {
                if let Ok((entry, _)) = lease::entry(&self.estate.bucket, share).await {
                    self.view.correct(share, entry);
                }
            }
            free = (0..self.estate.shares()).filter(|share| self.is_free(*share, &gone)).collect();
        }
        for share in free.into_iter().take(wanted) {
            if let Err(error) = self.claim(share).await {
                // Somebody else was faster.
                if !matches!(error, NatsError::Lost(_)) {
                    self.fail(share, &error);
                }
            }
        }
        self.give_back().await;
    }

    /// Gives back what the bucket says is ours and we hold no longer: it failed, or we were late, and have enough now.
    async fn give_back(&mut self) {
        for share in 0..self.estate.shares() {
            if self.held.contains_key(&share) || self.view.owner(share) != Some(&self.id) {
                continue;
            }
            // Whatever fails here is tried again, or somebody else holds it.
            let Ok((mut entry, revision)) = lease::entry(&self.estate.bucket, share).await else { continue };
            if entry.owner.as_deref() == Some(&self.id) {
                entry.owner = None;
                let _ = lease::replace(&self.estate.bucket, share, &entry, revision).await;
            }
            self.view.correct(share, entry);
        }
    }

    /// Processes that are gone, by their last heartbeat as the bucket has it now.
    async fn gone(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        for (id, revision) in self.view.gone(&self.id, self.settings.lease) {
            match self.estate.bucket.entry(lease::worker_key(&id)).await {
                Ok(Some(entry)) if entry.revision != revision => self.view.take(&entry),
                Ok(_) => {
                    if !self.view.is_owner(&id) {
                        // Nobody will ask for it again.
                        let key = lease::worker_key(&id);
                        let _ = self.estate.bucket.delete_expect_revision(key, Some(revision)).await;
                    }
                    gone.push(id);
                }
                Err(_) => {}
            }
        }
        gone
    }

    fn is_free(&mut self, share: u32, gone: &[String]) -> bool {
        if self.held.contains_key(&share) {
            return false;
        }
        if self.failed.get(&share).is_some_and(|until| clock::instant() < *until) {
            return false;
        }
        self.failed.remove(&share);
        match self.view.owner(share) {
            None => true,
            // Ours from before we lost it.
            Some(owner) if owner == self.id => true,
            // Whoever is in no list has ended, or is gone so long that it was forgotten.
            Some(owner) => gone.iter().any(|id| id == owner) || !self.view.knows(owner),
        }
    }

    async fn claim(&mut self, share: u32) -> Result<(), NatsError> {
        let bucket = &self.estate.bucket;
        let (mut entry, revision) = lease::entry(bucket, share).await?;
        if entry.owner.as_deref() != self.view.owner(share) {
            self.view.correct(share, entry);
            return Err(NatsError::Lost(share));
        }
        entry.epoch += 1;
        entry.owner = Some(self.id.clone());
        let revision = lease::replace(bucket, share, &entry, revision).await?;
        let (stop, stopped) = watch::channel(false);
        self.held.insert(share, stop);
        let (estate, settings, alive) = (self.estate.clone(), self.settings.clone(), self.alive.clone());
        self.tasks.spawn(async move {
            let ended = async {
                let mut held = Held::take_up(&estate, &settings, &alive, share, (entry, revision)).await?;
                held.run(stopped).await
            };
            (share, ended.await)
        });
        Ok(())
    }

    fn ended(&mut self, ended: Result<(u32, Result<(), NatsError>), tokio::task::JoinError>) {
        match ended {
            Ok((share, Ok(()))) => drop(self.held.remove(&share)),
            Ok((share, Err(error))) => {
                self.held.remove(&share);
                if !matches!(error, NatsError::Lost(_)) {
                    self.fail(share, &error);
                }
            }
            Err(error) => {
                (self.settings.tell)(format!("a share has ended: {error}"));
                self.held.retain(|_, stop| stop.receiver_count() > 0);
            }
        }
    }

    fn fail(&mut self, share: u32, error: &NatsError) {
        (self.settings.tell)(format!("share {share} is not judged for now: {error}"));
        self.failed.insert(share, clock::instant() + self.settings.lease * FAILED_LEASES);
    }

    /// Has every share commit and end.
    async fn end(&mut self) {
        self.held.values().for_each(|stop| {
            stop.send_replace(true);
        });
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                if let Ok((share, Err(error))) = ended {
                    (self.settings.tell)(format!("share {share} did not commit: {error}"));
                }
            }
        };
        if tokio::time::timeout(self.settings.lease * END_LEASES, all).await.is_err() {
            (self.settings.tell)("some shares did not commit in time; they are judged again".to_owned());
        }
    }
}
