//! Publication: entry bundles, tiles and the public checkpoint, written lazily from entries that are cosigned, by
//! a thread of its own: a file per tile and commit would cap the log at some thirty checkpoints a second. Sealed
//! details are put beside them. Nobody waits for any of it; the write-ahead file holds everything until it is here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tlog::tile::Edge;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::batch::Part;
use crate::clock::now;
use crate::details::Details;
use crate::draft::Why;
use crate::shared::Shared;
use crate::steps::{Step, Steps};
use crate::{durable, keys, wal};

/// What is cosigned is published after this long at the latest, and not more often.
const PUBLISH_EVERY_MS: u64 = 250;
/// Past this much of it, what waits for publication is published at once. How much may wait at all is bounded
/// where entries are taken: their room is given back here.
const UNPUBLISHED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Name of the public checkpoint in the published folder.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// Asks the publisher for something.
pub(crate) enum Ask {
    /// Publish these entries (they follow those asked for before) under this checkpoint.
    /// `room_bytes` is given back then.
    Publish { parts: Vec<Part>, size: u64, note: String, room_bytes: usize },
    /// Publish what was asked for, now, and say so.
    Flush(oneshot::Sender<()>),
}

/// Where the published files are, and what writes them.
pub(crate) struct Publisher {
    pub(crate) record_dir: PathBuf,
    /// Where files are written before they get their names: what a crash leaves there is not in the record.
    pub(crate) beside_dir: PathBuf,
    pub(crate) wal_dir: PathBuf,
    pub(crate) steps: Steps,
    pub(crate) shared: Arc<Shared>,
    pub(crate) edge: Edge,
    pub(crate) details: Details,
}

/// What is cosigned and not yet published.
#[derive(Default)]
struct Unpublished {
    parts: Vec<Part>,
    bytes: usize,
    room_bytes: usize,
    checkpoint: Option<(u64, String)>,
    flushed: Vec<oneshot::Sender<()>>,
}

impl Publisher {
    /// Runs until the writer is gone. After a storage error nothing more is published and the record takes no
    /// more entries.
    pub(crate) fn run(mut self, asks: &Receiver<Ask>) {
        let every = Duration::from_millis(PUBLISH_EVERY_MS);
        let mut last: Option<Instant> = None;
        while let Ok(first) = asks.recv() {
            let due = last.map_or_else(now, |last| last + every);
            let mut unpublished = Unpublished::default();
            unpublished.take(first);
            while unpublished.may_wait() {
                let wait = due.saturating_duration_since(now());
                match asks.recv_timeout(wait) {
                    Ok(ask) => unpublished.take(ask),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                }
            }
            if let Err(error) = self.publish(&unpublished) {
                tracing::error!(%error, "the record cannot be published");
                self.shared.close(Why::Storage(error.to_string().into()));
                return;
            }
            last = Some(now());
            self.shared.leave(0, unpublished.room_bytes);
            for flushed in unpublished.flushed {
                let _ = flushed.send(());
            }
        }
    }

    fn publish(&mut self, unpublished: &Unpublished) -> io::Result<()> {
        let Some((size, note)) = &unpublished.checkpoint else { return Ok(()) };
        let records = || unpublished.parts.iter().flat_map(Part::iter);
        // Crash here: nothing happened. All of it is done again after the restart, because the checkpoint says
        // what is published and the write-ahead file has the rest.
        self.steps
            .run(Step::DetailsWritten, || self.details.append(records().map(|(_, blob)| kept(blob))))?;
        let entries: Vec<&[u8]> = records().map(|(entry, _)| entry).collect();
        let files = self.edge.append(&entries).map_err(io::Error::other)?;
        if self.edge.size() != *size {
            return Err(io::Error::other("the entries do not lead up to the checkpoint"));
        }
        // Crash here: tiles beyond the checkpoint, which no reader asks for. They are written again, the same.
        let written = self.steps.run(Step::TilesWritten, || {
            let mut written = durable::Unnamed::default();
            for file in &files {
                let beside = self.beside_dir.join(written.len().to_string());
                written.write(&self.record_dir.join(file.path()), beside, &file.bytes)?;
            }
            written.sync()
        })?;
        self.steps.run(Step::TilesNamed, || written.name())?;
        // Only now may a reader learn of the new size.
        self.steps.run(Step::CheckpointNamed, || {
            let beside = self.beside_dir.join(CHECKPOINT);
            durable::replace(&self.record_dir.join(CHECKPOINT), &beside, note.as_bytes())
        })?;
        self.shared.set_published(*size);
        // Crash from here on: files that nobody needs stay.
        self.steps.run(Step::PartialsRemoved, || {
            let full = files.iter().filter(|file| file.id.is_full());
            full.map(|file| self.record_dir.join(file.id.partials_folder())).try_for_each(remove_folder)
        })?;
        wal::remove_published(&self.wal_dir, *size, self.shared.is_forgetting(), &self.steps)
    }
}

impl Unpublished {
    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Publish { parts, size, note, room_bytes } => {
                self.room_bytes += room_bytes;
                self.bytes += parts.iter().map(Part::bytes).sum::<usize>();
                self.parts.extend(parts);
                self.checkpoint = Some((size, note));
            }
            Ask::Flush(flushed) => self.flushed.push(flushed),
        }
    }

    fn may_wait(&self) -> bool {
        self.flushed.is_empty() && self.bytes < UNPUBLISHED_BYTES_MAX
    }
}

/// The folder beside the published one in which its files are written: on the same file system, and not in it.
pub(crate) fn beside(record_dir: &Path) -> PathBuf {
    let mut name = record_dir.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

/// What is kept of an entry's sealed part: a wrapped key is in the folder of keys alone.
fn kept(blob: &[u8]) -> &[u8] {
    if keys::is_wrapped(blob) { &[] } else { blob }
}

fn remove_folder(path: PathBuf) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
