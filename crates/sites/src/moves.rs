//! Moves the writing of a home from one site to another, exactly once, so that no two sites write it at a time: planned,
//! where nothing is lost; from a site that is gone; and bringing one back that was. The operator decides, and nobody else.
//! What is in force is what a notary has recorded: the signed statement of homes before the first change and after the last.
//!
//! A move is a list of steps. Each can be run again, and is run again when the program ended in its middle: the journal says
//! which were finished. Not here: the steps themselves (`steps`), the statements (`wall::homes`), signing and recording.

mod even;
mod journal;
mod pgoutput;
mod steps;
mod unshipped;

use std::future::Future;
use std::path::PathBuf;

use policy::{Bundle, Holders, Homes};

use crate::{Cluster, Event, SitesError, Watcher};

pub use journal::{Course, Journal, Kind, Step};
use journal::{Kept, Locked};

/// Keeps the statement of homes that is in force: signed, recorded, and told to the gates.
pub trait Notary {
    /// The statement in force.
    fn homes(&self) -> impl Future<Output = Result<Homes, String>>;

    /// Puts the next one in force. A statement that is in force already is no error.
    fn state(&self, homes: &Homes, of: &Stated) -> impl Future<Output = Result<(), String>>;
}

/// What a statement of homes is recorded with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The same for every statement of one move.
    pub id: String,
    pub kind: Kind,
    pub course: Course,
    pub home: String,
    pub from: String,
    pub to: String,
    /// Whether the move is over; else it begins.
    pub done: bool,
    /// Rows that the site that is back had committed and not shipped: how many, and SHA-256 of the file that keeps them.
    pub unshipped: Option<(u64, String)>,
}

/// What a move came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Each move that was carried out: home, from, to, and how.
    pub moves: Vec<(String, String, String, Course)>,
    /// Rows that a site which was gone had committed and not shipped.
    pub unshipped: u64,
    /// The file at that site that keeps them, when there are any.
    pub kept: Option<PathBuf>,
    /// Rows in which the siblings differed, when a site was gone.
    pub evened: u64,
}

/// The moment of a step at which a test ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing of it is done.
    Before,
    /// All of it is done, and the journal does not say so.
    Done,
}

/// Whether to end here, as a killed program would.
pub type Stop<'a> = dyn Fn(Step, When) -> bool + Send + Sync + 'a;

/// Moves homes.
pub struct Mover<'a, N> {
    pub bundle: &'a Bundle,
    pub clusters: &'a [Cluster],
    pub notary: &'a N,
    /// Where the journal of a move is kept until it is over; beside it is a lock, so that there is one mover.
    pub journal: PathBuf,
    pub watcher: Watcher,
    /// For tests.
    pub stop: Option<&'a Stop<'a>>,
}

impl<N: Notary> Mover<'_, N> {
    /// Makes the home of a site writable at another: the one named, or the sibling that has most of what it wrote. A site
    /// that answers is asked to stop first, and nothing is lost; one that does not is given up as it is.
    ///
    /// # Errors
    /// When it cannot be done. What was begun is finished when it is asked for again.
    pub async fn failover(&self, site: &str, to: Option<&str>) -> Result<Moved, SitesError> {
        let lock = Locked::take(&self.journal)?;
        self.cluster(site)?;
        let mut moved = Moved::default();
        if let Some(mut pending) = lock.pending()? {
            let same = pending.kind == Kind::Failover && pending.from == site;
            if !same || to.is_some_and(|to| to != pending.to) {
                return Err(SitesError::MovePending(pending.describe()));
            }
            if pending.course == Course::Planned && !self.answers(site).await {
                // It was asked to stop, and is gone since: it may have stopped or not.
                pending.give_up();
                lock.keep(&pending)?;
            }
            self.carry_out(&lock, pending, &mut moved).await?;
            return Ok(moved);
        }
        let homes = self.homes().await?;
        if homes.now().is_out(site) || !homes.now().holds(site, site) {
            let holder = homes.now().of(site).map(|holder| holder.site.clone()).unwrap_or_default();
            return Err(SitesError::HeldElsewhere { home: site.to_owned(), holder });
        }
        self.check_move(&homes, site, to)?;
        let planned = self.answers(site).await;
        for sibling in self.clusters.iter().filter(|sibling| sibling.site() != site) {
            if !self.answers(sibling.site()).await {
                let (site, gone) = (site.to_owned(), sibling.site().to_owned());
                return Err(SitesError::SiblingGone { site, gone });
            }
        }
        let to = match to {
            Some(to) => to.to_owned(),
            None => self.furthest(site).await?,
        };
        let course = if planned { Course::Planned } else { Course::TakenOver };
        let journal = Journal::new(Kind::Failover, course, site, site, &to);
        self.carry_out(&lock, journal, &mut moved).await?;
        Ok(moved)
    }

    /// Brings a site back: what it had not shipped is kept in a file there, it follows its siblings again, and its home
    /// is written there as before.
    ///
    /// # Errors
    /// When it cannot be done. What was begun is finished when it is asked for again.
    pub async fn failback(&self, site: &str) -> Result<Moved, SitesError> {
        let lock = Locked::take(&self.journal)?;
        self.cluster(site)?;
        let mut moved = Moved::default();
        if let Some(pending) = lock.pending()? {
            if pending.kind != Kind::Failback || pending.home != site {
                return Err(SitesError::MovePending(pending.describe()));
            }
            self.carry_out(&lock, pending, &mut moved).await?;
        }
        for cluster in self.clusters {
            if !self.answers(cluster.site()).await {
                let (site, gone) = (site.to_owned(), cluster.site().to_owned());
                return Err(SitesError::SiblingGone { site, gone });
            }
        }
        for course in [Course::Back, Course::Planned] {
            let homes = self.homes().await?;
            let holder = homes.now().of(site).map(|holder| holder.site.clone()).unwrap_or_default();
            let due = match course {
                Course::Back => homes.now().is_out(site),
                Course::Planned | Course::TakenOver => holder != site,
            };
            if due {
                let journal = Journal::new(Kind::Failback, course, site, &holder, site);
                self.carry_out(&lock, journal, &mut moved).await?;
            }
        }
        Ok(moved)
    }

    /// Runs what is left of a move.
    async fn carry_out(
        &self,
        lock: &Locked,
        mut journal: Journal,
        moved: &mut Moved,
    ) -> Result<(), SitesError> {
        while let Some(step) = journal.due() {
            (self.watcher)(Event::Moving { home: journal.home.clone(), step: step.as_str() });
            // The journal is there before anything is changed.
            lock.keep(&journal)?;
            self.stop(step, When::Before)?;
            if let Err(error) = self.perform(step, &mut journal, moved).await {
                if step == Step::Begin && matches!(error, SitesError::NotRecorded(_)) {
                    // Nothing has changed, and nothing was recorded of it.
                    lock.forget()?;
                }
                return Err(error);
            }
            self.stop(step, When::Done)?;
            journal.done(step);
            lock.keep(&journal)?;
        }
        if let Some(Kept { rows, file, .. }) = &journal.kept {
            moved.unshipped = *rows;
            moved.kept.clone_from(file);
        }
        moved.moves.push((journal.home.clone(), journal.from.clone(), journal.to.clone(), journal.course));
        lock.forget()
    }

    fn stop(&self, step: Step, when: When) -> Result<(), SitesError> {
        match self.stop {
            Some(stop) if stop(step, when) => Err(SitesError::Stopped(step.as_str())),
            _ => Ok(()),
        }
    }

    async fn homes(&self) -> Result<Homes, SitesError> {
        self.notary.homes().await.map_err(SitesError::NotRecorded)
    }

    /// The target is another site than the one that is left, and neither is out nor holds what is not its own.
    fn check_move(&self, homes: &Homes, site: &str, to: Option<&str>) -> Result<(), SitesError> {
        let refuse = |why: String| Err(SitesError::NoMove(why));
        if homes.next().is_some() {
            return refuse(format!(
                "statement {} says that a home moves, and there is no journal of it here; run the command where it was begun",
                homes.serial()
            ));
        }
        if let Some(other) = homes.now().held_by(site).find(|home| *home != site) {
            return refuse(format!(
                "{site} also holds {other}; bring that back first: `trefoil sites failback {other}`"
            ));
        }
        let Some(to) = to else { return Ok(()) };
        self.cluster(to)?;
        if to == site || homes.now().is_out(to) {
            return refuse(format!("{to} cannot take it over; name another site"));
        }
        Ok(())
    }

    pub(crate) fn cluster(&self, site: &str) -> Result<&Cluster, SitesError> {
        let found = self.clusters.iter().find(|cluster| cluster.site() == site);
        found.ok_or_else(|| SitesError::NoMove(format!("the enclave has no site {site}")))
    }

    /// Every site but this one.
    pub(crate) fn siblings(&self, site: &str) -> impl Iterator<Item = &Cluster> {
        self.clusters.iter().filter(move |cluster| cluster.site() != site)
    }

    async fn answers(&self, site: &str) -> bool {
        match self.cluster(site) {
            Ok(cluster) => cluster.answers().await,
            Err(_) => false,
        }
    }
}

/// What the holders will be when a move is over.
fn intended(homes: &Homes, journal: &Journal) -> Holders {
    let now = homes.now();
    match journal.course {
        Course::Planned => now.moved(&journal.home, &journal.to),
        Course::TakenOver => now.moved(&journal.home, &journal.to).with_out(&journal.from, true),
        Course::Back => now.with_out(&journal.to, false),
    }
}
