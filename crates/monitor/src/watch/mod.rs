//! Reconciliation: what the sites themselves count and log, against the record. Each site has a task that reads its
//! counters and connections as `trefoil_stats`, and its log as it is shipped; what the record does not explain is told
//! as `Outside`. The fold of each site is kept in the monitor's folder, so that what happens while the monitor is away
//! is held against the record when it is back.
//!
//! `fold` and `account` judge, purely; `line` reads a line of a log; `reader` and `tail` do the reading.

pub mod account;
pub mod config;
pub mod fold;
pub mod line;
pub mod reader;
pub mod tail;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use policy::Bundle;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tlog::entry::Micros;
use tokio::{sync::mpsc::Sender, task::JoinHandle, time::sleep};
use tokio_postgres_rustls::MakeRustlsConnect;
use wall::identities::{Identity, identities};

use crate::{
    clock,
    config::ConfigError,
    detect::{
        feed::Seen,
        observation::{Measure, Observation, Outside},
    },
    folder::{self, Folder, FolderError, make_dir, write_file},
    monitor::Monitor,
};
use config::{Site, Sites};
use fold::{Fold, outside};
use line::{Line, Login};
use reader::{CaError, Reader};
use tail::{News, Position};

pub const SECOND_US: i64 = 1_000_000;

/// Why the sites are not watched.
#[derive(Debug, Error)]
pub enum WatchError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Ca(#[from] CaError),
    #[error("monitor.toml: sites: the enclave has no site {0:?}; write those of its bundle")]
    Site(String),
    #[error("{}: {problem}; put it back, or remove it and begin without what it knew", path.display())]
    Kept { path: PathBuf, problem: String },
}

/// What is kept of a site between two runs.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    fold: Fold,
    log: Option<Position>,
}

/// One site that is watched.
struct Watched {
    site: Site,
    identities: Vec<Identity>,
    path: PathBuf,
    kept: Mutex<Kept>,
    /// What was written down last.
    written: Mutex<Vec<u8>>,
}

/// All sites that are watched.
pub struct Watch {
    settings: Sites,
    tls: MakeRustlsConnect,
    sites: BTreeMap<String, Arc<Watched>>,
}

impl Watch {
    /// The sites of a monitor's configuration; none when it names none.
    pub fn of(monitor: &Monitor) -> Result<Option<Watch>, WatchError> {
        let Some(raw) = &monitor.config().sites else {
            eprintln!("no site is watched: monitor.toml has no [sites]");
            return Ok(None);
        };
        let settings = Sites::check(raw.clone(), monitor.folder().path())?;
        Watch::open(monitor.folder(), settings, &monitor.bundle()).map(Some)
    }

    /// Takes up what was kept. Nothing is read yet.
    pub fn open(folder: &Folder, settings: Sites, bundle: &Bundle) -> Result<Watch, WatchError> {
        let tls = reader::tls(&settings.ca)?;
        let dir = folder.path().join("watch");
        make_dir(&dir)?;
        let mut sites = BTreeMap::new();
        for site in &settings.sites {
            let known = bundle.enclave().site_of_server(&site.name);
            let known = known.ok_or_else(|| WatchError::Site(site.name.clone()))?;
            let path = dir.join(format!("{}.json", site.name));
            let kept = if path.exists() {
                let problem =
                    |e: serde_json::Error| WatchError::Kept { path: path.clone(), problem: e.to_string() };
                serde_json::from_str(&folder::read_text(&path)?).map_err(problem)?
            } else {
                Kept::default()
            };
            let identities = identities(bundle, &known.name);
            let watched = Watched {
                site: site.clone(),
                identities,
                path,
                kept: Mutex::new(kept),
                written: Mutex::default(),
            };
            sites.insert(site.name.clone(), Arc::new(watched));
        }
        Ok(Watch { settings, tls, sites })
    }

    /// Where the sites are, and how they are known.
    pub fn settings(&self) -> &Sites {
        &self.settings
    }

    /// Number of the entry from which on the record has to be shown.
    pub fn next(&self) -> u64 {
        let next = |watched: &Arc<Watched>| watched.with(|kept| kept.fold.index);
        self.sites.values().map(next).min().unwrap_or(u64::MAX)
    }

    /// Folds one observation of the record, in its order.
    pub fn recorded(&self, o: &Observation) {
        for (name, watched) in &self.sites {
            watched.with(|kept| kept.fold.recorded(name, o));
        }
    }

    /// Writes down what is known, so that another run goes on from it.
    pub fn keep(&self) {
        self.sites.values().for_each(|watched| watched.keep());
    }

    /// Reads every site again and again, and tells what is not explained, until nobody listens. `heard` says until
    /// when the record is known.
    pub fn start(
        &self,
        heard: Arc<dyn Fn() -> Micros + Send + Sync>,
        found: Sender<Seen>,
    ) -> Vec<JoinHandle<()>> {
        let start = |watched: &Arc<Watched>| {
            let (watched, settings, heard, found) =
                (Arc::clone(watched), self.settings.clone(), Arc::clone(&heard), found.clone());
            let mut reader = Reader::new(watched.site.stats.clone(), self.tls.clone());
            tokio::spawn(async move {
                loop {
                    for outside in watched.look(&settings, &mut reader, &*heard).await {
                        if found.send(Seen::Outside(outside)).await.is_err() {
                            return;
                        }
                    }
                    sleep(settings.interval).await;
                }
            })
        };
        self.sites.values().map(start).collect()
    }
}

impl Watched {
    fn with<T>(&self, what: impl FnOnce(&mut Kept) -> T) -> T {
        what(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the site once, and judges what the record is known far enough for.
    async fn look(
        &self,
        settings: &Sites,
        reader: &mut Reader,
        heard: &(dyn Fn() -> Micros + Send + Sync),
    ) -> Vec<Outside> {
        let name = &self.site.name;
        let mut found = Vec::new();
        let blind = |why: &dyn std::fmt::Display| {
            eprintln!("site {name}: {why}");
            outside(name, "every role", Measure::Blindness, 1, 0)
        };
        let read = reader.read().await;
        let now = clock::now();
        match read {
            Ok(reading) => self.with(|kept| kept.fold.read(fold::Reading { at: now.0, ..reading })),
            Err(error) => found.push(blind(&describe(&error))),
        }
        match self.log() {
            Ok(news) => {
                if news.cut {
                    found.push(blind(&"its log was cut, or is another one"));
                }
                found.extend(self.logins(news, now));
            }
            Err(error) => found.push(blind(&format!("{}: {error}", self.site.log.display()))),
        }
        let judged = self.with(|kept| kept.fold.judge(name, &self.identities, &settings.limits, heard()));
        found.extend(judged);
        self.keep();
        found
    }

    /// Whole lines that are new. What was written before the first look is not looked at.
    fn log(&self) -> std::io::Result<News> {
        self.with(|kept| {
            let position = match &mut kept.log {
                Some(position) => position,
                none => none.insert(Position::at_end(&self.site.log)?),
            };
            let mut all = News::default();
            loop {
                let mut news = position.read(&self.site.log)?;
                all.cut |= news.cut;
                all.lines.append(&mut news.lines);
                if !news.more {
                    break;
                }
            }
            Ok(all)
        })
    }

    /// Who came in, or tried to. The same of one role is told once, with how often.
    fn logins(&self, news: News, now: Micros) -> Vec<Outside> {
        let mut told: BTreeMap<(String, Measure), u64> = BTreeMap::new();
        let mut tell = |role: String, measure| {
            let times = told.entry((role, measure)).or_default();
            *times = times.saturating_add(1);
        };
        self.with(|kept| {
            for line in news.lines {
                match Line::parse(&line) {
                    Line::Login(login) => {
                        if let Some((role, measure)) = kept.fold.login(&self.identities, login, now) {
                            tell(role, measure);
                        }
                    }
                    Line::Refused(Login { role, .. }) => tell(role, Measure::Refusals),
                    Line::Unreadable => tell("unknown".to_owned(), Measure::Blindness),
                    Line::Other => {}
                }
            }
        });
        let said = |((role, measure), times): ((String, Measure), u64)| {
            outside(&self.site.name, &role, measure, times, 0)
        };
        told.into_iter().map(said).collect()
    }

    /// Writes down what is known, if there is anything new.
    fn keep(&self) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.with(|kept| serde_json::to_vec(kept)).map_err(std::io::Error::from);
        let kept = kept.map_err(folder::at(&self.path)).and_then(|text| {
            if text != *written {
                write_file(&self.path, &text, 0o600)?;
                *written = text;
            }
            Ok(())
        });
        if let Err(error) = kept {
            let lost = "what happens while the monitor is away is not held against the record";
            eprintln!("site {}: {error}; {lost}", self.site.name);
        }
    }
}

fn describe(error: &reader::ReadError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
