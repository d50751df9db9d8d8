//! The running detectors: a thread that reads the copy as it grows, folds what it finds there, opens incidents and asks for
//! the brakes that rules lead to. It is never on the way of a cosignature: the monitor does not wait for it, and hands it
//! nothing that is in the copy. What it missed while it was slow or away it reads later, so nothing is lost; its own
//! snapshot is a shortcut.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tlog::{entry::Micros, hash::Hash};
use tokio::sync::mpsc::{self, Receiver};

use super::{
    Detectors, Finding, Honey, Observation, Thresholds, What,
    observation::Outside,
    read::{Reader, Reading},
};
use crate::{
    batch::Batch,
    brake::Brakes,
    bundle::Shelf,
    clock,
    copy::{self, Position, read_mark},
    folder::{self, Folder},
    forget::Wrapped,
    incident::{Incidents, probes::Probes},
    monitor::{Answer, Monitor, StartError},
    snapshot::{Sections, Snapshot},
};

/// How often the thread looks whether the copy has grown.
const LOOK_MS: u64 = 25;
/// What was seen beside the record and waits for the thread.
pub const OUTSIDE_MAX: usize = 1_024;
/// A finding that is older leads to no brake: what it is about is over.
const BRAKE_AGE_US_MAX: i64 = 600 * 1_000_000;
/// Entries after which the state is written down again.
const SAVE_ENTRIES: u64 = 65_536;
/// How often the detectors are told that time passes.
const TICK_US: i64 = 5_000_000;
/// How often what was planted is asked for again, for what is planted while the gate runs.
const HONEY_US: i64 = 1_000_000;

const SECTION: &str = "detect";

/// What is planted, under the subject key of the gate's run.
pub type Planted = Box<dyn Fn(&str) -> Honey + Send>;
/// Whoever else folds the record.
pub type Beside = Box<dyn Fn(&Observation) + Send>;

/// What the thread works with.
pub struct Parts {
    pub folder: Folder,
    pub thresholds: Thresholds,
    pub reader: Reader,
    pub incidents: Incidents,
    pub brakes: Brakes,
    pub planted: Planted,
    pub beside: Beside,
}

impl Parts {
    /// Those of a monitor.
    pub fn of(monitor: &Monitor, planted: Planted, beside: Beside) -> Result<Parts, StartError> {
        let (folder, config) = (monitor.folder().clone(), monitor.config());
        let shelf = Shelf::open(&folder.bundles(), config.bundle.clone())?;
        let identity = folder::read_secret(&folder.identity())?.trim().to_owned();
        let reader = Reader::new(shelf, Wrapped::open(folder.keys())?, identity);
        let (incidents, brakes) = (monitor.incidents().clone(), monitor.brakes().clone());
        Ok(Parts { folder, thresholds: config.detect.clone(), reader, incidents, brakes, planted, beside })
    }
}

/// A handle on the thread.
pub struct Feed {
    stop: Sender<()>,
    outside: mpsc::Sender<Seen>,
    heard: Arc<AtomicI64>,
    thread: JoinHandle<()>,
}

/// What was seen beside the record.
#[derive(Debug)]
pub enum Seen {
    Outside(Outside),
    /// A batch was posted that does not begin where the copy ends.
    Elsewhere {
        first: u64,
        size: u64,
    },
}

/// Tells of a batch that was not taken because the copy ends elsewhere. What is told too fast is told once less.
pub fn answered(told: &mpsc::Sender<Seen>, body: &[u8], answer: &Answer) {
    if let (Answer::Elsewhere(size), Ok(Batch { first, .. })) = (answer, Batch::parse(body)) {
        let _ = told.try_send(Seen::Elsewhere { first, size: *size });
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    policies: usize,
    subject_key: Option<String>,
    detectors: Detectors,
    probes: Probes,
}

struct Thread {
    parts: Parts,
    detectors: Detectors,
    probes: Probes,
    subject_key: Option<String>,
    planted_at: i64,
    ticked_at: i64,
    saved: u64,
    gate: Arc<str>,
    heard: Arc<AtomicI64>,
    failed: Option<String>,
    /// Whether it goes on from what was written down, and has read nothing since.
    resumed: bool,
}

impl Feed {
    /// Takes up what was written down and reads on from there.
    pub fn start(parts: Parts) -> Feed {
        let (stop, stopped) = channel();
        let (outside, mut seen) = mpsc::channel(OUTSIDE_MAX);
        let heard = Arc::new(AtomicI64::new(0));
        let mut thread = Thread::new(parts, heard.clone());
        let run = move || {
            loop {
                thread.look();
                thread.take(&mut seen);
                match stopped.recv_timeout(Duration::from_millis(LOOK_MS)) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return thread.save(),
                }
            }
        };
        Feed { stop, outside, heard, thread: std::thread::spawn(run) }
    }

    /// For whoever sees something beside the record.
    pub fn outside(&self) -> mpsc::Sender<Seen> {
        self.outside.clone()
    }

    /// Until when the record is known to the detectors, by the monitor's clock.
    pub fn heard(&self) -> Arc<dyn Fn() -> Micros + Send + Sync> {
        let heard = self.heard.clone();
        Arc::new(move || Micros(heard.load(Ordering::Acquire)))
    }

    /// Ends after what is in the copy now, and writes the state down.
    pub fn stop(self) {
        if self.stop.send(()).is_ok() && self.thread.join().is_err() {
            eprintln!("the detectors had ended before");
        }
    }
}

impl Thread {
    fn new(mut parts: Parts, heard: Arc<AtomicI64>) -> Thread {
        let read = Snapshot::read(&path(&parts.folder), &parts.reader.identity);
        let read = read.unwrap_or_else(|why| {
            eprintln!("the detectors read the whole copy: {why}");
            None
        });
        let mut detectors = Detectors::new(parts.thresholds.clone());
        let (mut subject_key, mut probes) = (None, Probes::default());
        if let Some((snapshot, saved)) =
            read.and_then(|snapshot| Some((snapshot.clone(), snapshot.sections.get_json::<Saved>(SECTION)?)))
        {
            let reader = &mut parts.reader;
            (reader.position, reader.size, reader.policies) =
                (snapshot.position, snapshot.size, saved.policies);
            subject_key = saved.subject_key;
            (detectors, probes) = (saved.detectors, saved.probes);
            detectors.set_limits(parts.thresholds.clone());
        }
        let (saved, gate) = (parts.reader.size, Arc::from(""));
        let resumed = saved > 0;
        Thread {
            parts,
            detectors,
            probes,
            subject_key,
            planted_at: 0,
            ticked_at: 0,
            saved,
            gate,
            heard,
            failed: None,
            resumed,
        }
    }

    /// Reads what is new in the copy.
    fn look(&mut self) {
        let now = clock::now();
        let dir = self.parts.folder.copy();
        let marked = read_mark(&dir).ok().flatten().unwrap_or(0);
        if marked > self.parts.reader.size {
            self.plant(now);
            if let Err(why) = self.read(&dir) {
                return self.failed(why);
            }
            self.resumed = false;
        }
        self.settle(now);
        self.heard.store(now.0, Ordering::Release);
        if now.0.saturating_sub(self.ticked_at) >= TICK_US {
            self.ticked_at = now.0;
            self.see(What::Tick);
        }
        if self.parts.reader.size.saturating_sub(self.saved) >= SAVE_ENTRIES {
            self.save();
        }
    }

    /// The copy does not go on from where the detectors' state was written down, or cannot be read.
    fn failed(&mut self, why: String) {
        if self.resumed {
            eprintln!("the detectors read the whole copy: {why}");
            self.resumed = false;
            self.detectors = Detectors::new(self.parts.thresholds.clone());
            self.probes = Probes::default();
            let reader = &mut self.parts.reader;
            (reader.position, reader.size, reader.policies) = (Position::default(), 0, 0);
        } else if self.failed.as_ref() != Some(&why) {
            // Said once; the thread tries again, and incidents wait.
            eprintln!("the detectors cannot read the copy: {why}");
            self.failed = Some(why);
        }
    }

    fn read(&mut self, dir: &std::path::Path) -> Result<(), String> {
        let Thread { parts, detectors, probes, subject_key, gate, planted_at, .. } = self;
        let Parts { reader, incidents, brakes, planted, beside, .. } = parts;
        let show = |o: &Observation| {
            match &o.what {
                What::Started { subject_key: key } => {
                    *subject_key = key.clone();
                    *planted_at = 0;
                    detectors.set_honey(key.as_deref().map(&**planted).unwrap_or_default());
                }
                What::Committed(commitments) => probes.committed(o.index, commitments.clone()),
                What::Revealed(said) => probes.revealed(o.index, said.as_ref().clone()),
                _ => {}
            }
            if **gate != *o.gate {
                *gate = o.gate.clone();
            }
            beside(o);
            for finding in detectors.observe(o) {
                tell(incidents, brakes, finding);
            }
        };
        copy::verify(dir, &mut Reading { reader, show }).map_err(|e| e.to_string())
    }

    /// Closes what probes explain.
    fn settle(&mut self, now: Micros) {
        let Parts { reader, incidents, .. } = &mut self.parts;
        // What cannot be kept is tried again at the next look; that it cannot be, whoever serves says.
        let _ = self.probes.settle(incidents, &mut |entry, blob| reader.open_beside(entry, blob), now);
    }

    /// What was planted since the last time.
    fn plant(&mut self, now: Micros) {
        if now.0.saturating_sub(self.planted_at) >= HONEY_US {
            self.planted_at = now.0;
            let key = self.subject_key.as_deref();
            self.detectors.set_honey(key.map(&*self.parts.planted).unwrap_or_default());
        }
    }

    /// Takes what was seen beside the record.
    fn take(&mut self, seen: &mut Receiver<Seen>) {
        while let Ok(seen) = seen.try_recv() {
            let what = match seen {
                Seen::Outside(outside) => What::Outside(outside),
                Seen::Elsewhere { first, size } => What::Elsewhere { first, size },
            };
            self.see(what);
        }
    }

    /// Shows the detectors what is in no entry.
    fn see(&mut self, what: What) {
        let (time, index) = (clock::now(), self.parts.reader.size);
        let gate = self.gate.clone();
        let o = Observation { index, time, received: time, gate, session: None, what };
        for finding in self.detectors.observe(&o) {
            tell(&self.parts.incidents, &self.parts.brakes, finding);
        }
    }

    /// Writes the state down; without it the next start reads the whole copy.
    fn save(&mut self) {
        // What was found and is not kept yet must be found again after a crash.
        if self.parts.incidents.sound().is_err() {
            return;
        }
        let Reader { position, size, policies, identity, .. } = &self.parts.reader;
        self.saved = *size;
        let detectors = std::mem::replace(&mut self.detectors, Detectors::new(self.parts.thresholds.clone()));
        let probes = std::mem::take(&mut self.probes);
        let saved = Saved { policies: *policies, subject_key: self.subject_key.clone(), detectors, probes };
        let mut sections = Sections::default();
        sections.put_json(SECTION, &saved);
        (self.detectors, self.probes) = (saved.detectors, saved.probes);
        let snapshot = Snapshot { size: *size, root: Hash::of(b""), position: *position, sections };
        if let Err(why) = snapshot.write(&path(&self.parts.folder), identity) {
            eprintln!("the detectors' state was not written: {why}");
        }
    }
}

fn path(folder: &Folder) -> PathBuf {
    folder.path().join("detect.snapshot")
}

/// Opens an incident, and stops what a rule says.
fn tell(incidents: &Incidents, brakes: &Brakes, finding: Finding) {
    let now = clock::now();
    let (detector, about, at) = (finding.detector, finding.about.clone(), finding.at);
    if let Err(e) = incidents.open_one(finding, now) {
        eprintln!("an incident of {detector} could not be kept: {e}");
    }
    if now.0.saturating_sub(at.0) > BRAKE_AGE_US_MAX {
        return;
    }
    match brakes.by_rule(detector, &about, now) {
        Ok(Some(order)) => eprintln!("{detector}: stopped by the brake {}", order.id),
        Ok(None) => {}
        Err(e) => eprintln!("{detector}: no brake could be applied: {e}"),
    }
}
