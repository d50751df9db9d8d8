//! Opening a record: what is published is loaded and checked, the write-ahead file is replayed after it, and the
//! threads are started. What may be wrong is in `config::OpenError`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tlog::checkpoint::Checkpoint;
use tlog::entry::{Entry, Micros};
use tlog::note::SignedNote;
use tlog::tile::{Edge, TileId};

use crate::batch::Batch;
use crate::clock::now;
use crate::config::{Config, OpenError};
use crate::details::Details;
use crate::durable;
use crate::exchange::Exchange;
use crate::forget::{InUse, Places};
use crate::grown::Grown;
use crate::handle::Record;
use crate::history::History;
use crate::keys::Keys;
use crate::link::Link;
use crate::publish::{self, CHECKPOINT, Publisher};
use crate::shared::Shared;
use crate::stage::{Staged, Stager};
use crate::steps::Steps;
use crate::wal::Wal;
use crate::witness::Witnesses;
use crate::writer::Writer;
use crate::{COSIGN_WAIT_MS_MAX, QUEUE_ENTRIES_MAX};

pub(crate) fn open(config: Config, steps: Steps) -> Result<Record, OpenError> {
    let link = link(&config)?;
    let mut staged = Vec::new();
    // First, because it locks the record.
    let wal = Wal::open(&config.wal_dir, steps.clone(), &mut |batch| staged.push(batch))?;
    let keys = Keys::open(&config.keys_dir, &config.recipients, steps.clone())?;
    let edge = load_published(&config)?;
    let published = edge.size();
    let (places, history) = (Arc::new(Places::of(&config, steps.clone())), History::of(&config));
    let staged = unpublished(staged, published)?;
    let time = newest_time(&staged, &history, published)
        .map_err(|error| published_error(&config.record_dir, &error))?;
    let next = staged.last().map_or(published, Batch::next);

    let shared = Shared::at(next, published);
    let (asks, to_publish) = mpsc::channel();
    let (jobs, queue) = tokio::sync::mpsc::channel(QUEUE_ENTRIES_MAX);
    let cosigned = edge.frontier();
    let publisher = publisher(&config, edge, &steps, &shared)?;
    let stager = Stager {
        gate: config.gate,
        clock: config.clock,
        keys,
        wal,
        shared: shared.clone(),
        next,
        time,
        in_use: InUse::default(),
        probes: VecDeque::new(),
    };
    let grown = Grown::new(publisher.record_dir.clone(), &cosigned, shared.clone());
    let grown = Arc::new(Mutex::new(grown));
    let witnesses = Witnesses::of(&config.rule, &grown, published)?;
    let mut exchange = Exchange {
        origin: config.origin,
        log_key: config.log_key,
        rule: config.rule,
        // Without a monitor there is nobody to ask how far it is.
        held: link.is_none().then(|| cosigned.clone()),
        link,
        steps,
        shared: shared.clone(),
        publisher: asks,
        history,
        cosigned,
        grown: (!witnesses.is_empty()).then_some(grown),
        witnesses,
        certificates: BTreeMap::new(),
        pending: VecDeque::new(),
        refused: None,
        next_at: now(),
        backoff: Duration::ZERO,
    };
    exchange.add(staged.into_iter().map(Staged::new).collect());
    start(publisher, to_publish, Writer { jobs: queue, stager, exchange, stop: None, waiters: 0 })
        .map_err(OpenError::Thread)?;
    Ok(Record { jobs, shared, cosign_wait: config.cosign_wait, places })
}

/// The connection to the monitor, if there is one, and whether the wait for it can be.
fn link(config: &Config) -> Result<Option<Link>, OpenError> {
    let longest = Duration::from_millis(COSIGN_WAIT_MS_MAX);
    if config.cosign_wait.is_zero() || config.cosign_wait > longest {
        return Err(OpenError::CosignWait(config.cosign_wait));
    }
    let link = config.monitor_url.as_ref().map(|url| Link::new(url, config.monitor_tls.as_ref()));
    Ok(link.transpose()?)
}

fn publisher(
    config: &Config,
    edge: Edge,
    steps: &Steps,
    shared: &Arc<Shared>,
) -> Result<Publisher, OpenError> {
    Ok(Publisher {
        beside_dir: make_beside(&config.record_dir)?,
        details: Details::open(&config.details_dir, edge.size())
            .map_err(|error| published_error(&config.details_dir, &error))?,
        record_dir: config.record_dir.clone(),
        wal_dir: config.wal_dir.clone(),
        steps: steps.clone(),
        shared: shared.clone(),
        edge,
    })
}

fn start(publisher: Publisher, asks: mpsc::Receiver<publish::Ask>, writer: Writer) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    thread::Builder::new().name("record-publish".to_owned()).spawn(move || publisher.run(&asks))?;
    thread::Builder::new().name("record-write".to_owned()).spawn(move || runtime.block_on(writer.run()))?;
    Ok(())
}

/// Loads the right edge of the published log and checks it against the public checkpoint. The checkpoint need only
/// carry this log's signature: who must cosign may have changed since.
fn load_published(config: &Config) -> Result<Edge, OpenError> {
    let dir = &config.record_dir;
    let path = dir.join(CHECKPOINT);
    let io_error = |error| OpenError::Io { path: path.clone(), error };
    durable::make_dir(dir).map_err(io_error)?;
    let Some(bytes) = durable::read(&path).map_err(io_error)? else { return Ok(Edge::new()) };
    let wrong = |problem: String| OpenError::Published { path: path.clone(), problem };
    let note = SignedNote::parse(&bytes).map_err(|error| wrong(error.to_string()))?;
    note.verify(std::slice::from_ref(config.log_key.verifier())).map_err(|error| wrong(error.to_string()))?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|error| wrong(error.to_string()))?;
    if checkpoint.origin != config.origin {
        return Err(wrong(format!("its origin is {}, not {}", checkpoint.origin, config.origin)));
    }
    let read = |id: TileId| durable::read(&dir.join(id.to_string()));
    let edge = Edge::resume(checkpoint.size, read).map_err(|error| published_error(dir, &error))?;
    if edge.root() != checkpoint.root {
        return Err(wrong("the tiles have another root".to_owned()));
    }
    Ok(edge)
}

/// The staged batches that are not wholly published. They must begin where the published log ends, or before.
fn unpublished(staged: Vec<Batch>, published: u64) -> Result<Vec<Batch>, OpenError> {
    if let (Some(first), Some(last)) = (staged.first(), staged.last())
        && (first.first() > published || last.next() < published)
    {
        return Err(OpenError::Missing { published, from: first.first(), to: last.next() });
    }
    Ok(staged.into_iter().filter(|batch| batch.next() > published).collect())
}

/// The newest entry's time: no later entry may have an earlier one.
fn newest_time(staged: &[Batch], history: &History, published: u64) -> io::Result<Micros> {
    let entry = match (staged.last(), published.checked_sub(1)) {
        (Some(batch), _) => {
            batch.iter(batch.next() - 1, batch.next()).next().map(|(entry, _)| entry.to_vec())
        }
        (None, Some(last)) => {
            history.bundle_from(last, published)?.into_iter().next().map(|(entry, _)| entry)
        }
        (None, None) => return Ok(Micros(0)),
    };
    let entry = entry.ok_or_else(|| io::Error::other("the newest entry is missing"))?;
    Ok(Entry::parse(&entry).map_err(io::Error::other)?.time)
}

/// Makes the folder in which files are written before they are named, and empties it of what a crash left.
fn make_beside(record_dir: &Path) -> Result<std::path::PathBuf, OpenError> {
    let dir = publish::beside(record_dir);
    let empty = || {
        durable::make_dir(record_dir)?;
        durable::make_dir(&dir)?;
        fs::read_dir(&dir)?.try_for_each(|item| durable::remove(&item?.path()))
    };
    empty().map_err(|error| OpenError::Io { path: dir.clone(), error })?;
    let device = |path: &Path| {
        let found = fs::metadata(path).map_err(|error| OpenError::Io { path: path.to_owned(), error });
        found.map(|metadata| metadata.dev())
    };
    if device(&dir)? != device(record_dir)? {
        return Err(OpenError::OtherFileSystem { published: record_dir.to_owned(), beside: dir });
    }
    Ok(dir)
}

fn published_error(path: &Path, problem: &dyn std::fmt::Display) -> OpenError {
    OpenError::Published { path: path.to_owned(), problem: problem.to_string() }
}
