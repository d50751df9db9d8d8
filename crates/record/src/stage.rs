//! Staging: drafts become entries with time, index and key, and entries become durable. The first half of the
//! commit order; the second, which makes them witnessed, is in `exchange`.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use rand::RngCore as _;
use tlog::detail::{self, DayKey, NONCE_BYTES, SALT_BYTES, retention_class};
use tlog::entry::{ENTRY_BYTES_MAX, Entry, Kind, Micros};
use tlog::hash::{Hash, hex, leaf_hash};

use crate::batch::{Batch, Building, record_bytes};
use crate::config::Clock;
use crate::draft::{Like, Why};
use crate::forget::InUse;
use crate::keys::Keys;
use crate::probe::Asked;
use crate::shared::Shared;
use crate::ticket::Ticket;
use crate::wal::Wal;
use crate::{BLOB_BYTES_MAX, ENTRIES_PER_BATCH_MAX};

/// A draft on its way to the writer, with the waiter and the room it took.
pub(crate) struct Queued {
    pub(crate) what: What,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) bytes: usize,
}

/// What becomes an entry.
pub(crate) enum What {
    Like(Like),
    /// The key of this id is forgotten.
    Forgotten(String),
}

/// A staged batch with what is needed to sign, send and answer for it.
pub(crate) struct Staged {
    pub(crate) batch: Batch,
    pub(crate) leaves: Vec<Hash>,
    /// One for each entry; none for the record's own and for those of before a restart.
    pub(crate) tickets: Vec<Option<Arc<Ticket>>>,
    /// Room that is given back: entries when the batch is cosigned, bytes when it is published.
    pub(crate) room: (usize, usize),
}

impl Staged {
    pub(crate) fn new(batch: Batch) -> Self {
        let leaves = batch.iter(batch.first(), batch.next()).map(|(entry, _)| leaf_hash(entry)).collect();
        Self { batch, leaves, tickets: Vec::new(), room: (0, 0) }
    }
}

/// Turns drafts into staged batches.
pub(crate) struct Stager {
    pub(crate) gate: String,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) wal: Wal,
    pub(crate) shared: Arc<Shared>,
    /// The index that the next entry gets.
    pub(crate) next: u64,
    /// The newest entry's time: no later entry gets an earlier one.
    pub(crate) time: Micros,
    /// Keys that must not be forgotten.
    pub(crate) in_use: InUse,
    /// Those that wait until they can be sent.
    pub(crate) probes: VecDeque<Asked>,
}

impl Stager {
    /// Stages all of `queue`, in as many batches as it takes.
    ///
    /// After an error the record must take no more entries: the write-ahead file may or may not hold the last
    /// batch. The tickets of all that were not staged are resolved with the error.
    pub(crate) fn stage(&mut self, queue: Vec<Queued>) -> Result<Vec<Staged>, Why> {
        let mut done = Vec::new();
        let mut queue = queue.into_iter().peekable();
        while queue.peek().is_some() {
            match self.stage_one(&mut queue) {
                Ok(staged) => done.extend(staged),
                Err(why) => {
                    queue.for_each(|queued| queued.ticket.resolve(Err(why.clone().at(None))));
                    return Err(why);
                }
            }
        }
        Ok(done)
    }

    fn stage_one(
        &mut self,
        queue: &mut std::iter::Peekable<impl Iterator<Item = Queued>>,
    ) -> Result<Option<Staged>, Why> {
        let mut making = Making { building: Building::new(self.next), tickets: Vec::new(), room: (0, 0) };
        // A key.made entry may come in front of a draft, so one place is left for it.
        while making.building.len() + 1 < ENTRIES_PER_BATCH_MAX
            && making.building.room_bytes() > 2 * record_bytes(ENTRY_BYTES_MAX, BLOB_BYTES_MAX)
        {
            let Some(queued) = queue.next() else { break };
            if let Err(error) = self.add(&mut making, queued) {
                return Err(making.fail(&error));
            }
        }
        if making.building.len() == 0 {
            self.shared.leave(making.room.0, making.room.1);
            return Ok(None);
        }
        let Making { building, tickets, room } = making;
        let first = building.next() - tickets.len() as u64;
        match self.stage_batch(building.finish()) {
            Ok(staged) => Ok(Some(Staged { tickets, room, ..staged })),
            Err(error) => Err(fail(first, &tickets, &error)),
        }
    }

    /// Makes a batch durable.
    fn stage_batch(&mut self, batch: Batch) -> io::Result<Staged> {
        self.wal.stage(&batch)?;
        // Crash from here on: the batch is sent after the restart.
        self.next = batch.next();
        self.shared.set_staged(self.next);
        Ok(Staged::new(batch))
    }

    /// Stages a batch that the monitor holds already.
    pub(crate) fn stage_late(&mut self, batch: Batch) -> Result<Staged, Why> {
        self.stage_batch(batch).map_err(|error| Why::Storage(error.to_string().into()))
    }

    /// Stages a key for entries of this kind by itself, if there is none.
    pub(crate) fn ensure_key(&mut self, kind: Kind) -> Result<Option<Staged>, Why> {
        self.time = self.time.max((self.clock)());
        if self.keys.at(self.time, retention_class(kind)).is_some() {
            return Ok(None);
        }
        let mut making = Making { building: Building::new(self.next), tickets: Vec::new(), room: (0, 0) };
        let made = self.add_key(&mut making, retention_class(kind));
        made.and_then(|()| self.stage_batch(making.building.finish()))
            .map(Some)
            .map_err(|error| Why::Storage(error.to_string().into()))
    }

    /// A batch of one entry as it would be staged, and the entry's line. It is not staged.
    pub(crate) fn unstaged(&self, like: &Like) -> Result<(Batch, Vec<u8>), String> {
        let (line, blob) = self.encode(like)?;
        let mut building = Building::new(self.next);
        building.push(&line, &blob);
        Ok((building.finish(), line))
    }

    /// Lets go of what it has of earlier days, and answers a ticket for each key that is to be forgotten, or which of
    /// them is in use.
    pub(crate) fn forget(&mut self, ids: &[String]) -> Result<Vec<Arc<Ticket>>, String> {
        self.time = self.time.max((self.clock)());
        self.keys.drop_earlier(self.time);
        match ids.iter().find(|id| self.keys.holds(id) || self.in_use.has(id)) {
            Some(used) => Err(used.clone()),
            None => {
                // Taken here, because it is given back like that of every other entry.
                self.shared.enter_always(ids.len());
                Ok(ids.iter().map(|_| Arc::default()).collect())
            }
        }
    }

    /// Adds one draft, and before it the key that it needs. A draft that is unfit is answered and left out; an
    /// error means that a key could not be stored.
    fn add(&mut self, making: &mut Making, queued: Queued) -> io::Result<()> {
        let Queued { what, ticket, bytes } = queued;
        making.room.0 += 1;
        making.room.1 += bytes;
        self.time = self.time.max((self.clock)());
        if let What::Like(like) = &what
            && self.keys.at(self.time, retention_class(like.kind)).is_none()
            && let Err(error) = self.add_key(making, retention_class(like.kind))
        {
            ticket.resolve(Err(Why::Storage(error.to_string().into()).at(None)));
            return Err(error);
        }
        let (kind, encoded) = match what {
            What::Like(like) => (like.kind, self.encode(&like)),
            What::Forgotten(id) => {
                // What may hold the key lies in earlier segments, which go once this one is published.
                self.wal.begin_segment();
                (Kind::KeyForgotten, self.encode_forgotten(id))
            }
        };
        match encoded {
            Ok((entry, blob)) => {
                if ticket.take_index(making.building.next()) {
                    self.in_use.note(kind, &entry);
                    making.building.push(&entry, &blob);
                    making.tickets.push(Some(ticket));
                }
            }
            Err(problem) => ticket.resolve(Err(Why::Unfit(problem.into()).at(None))),
        }
        Ok(())
    }

    fn add_key(&mut self, making: &mut Making, class: &'static str) -> io::Result<()> {
        let made = self.keys.make(self.time, class)?;
        let mut entry = Entry::new(self.time, Kind::KeyMade, &self.gate);
        entry.key = Some(made.id);
        entry.detail = Some(made.commitment);
        making.building.push(&entry.encode().map_err(io::Error::other)?, &made.wrapped);
        making.tickets.push(None);
        Ok(())
    }

    fn encode_forgotten(&self, id: String) -> Result<(Vec<u8>, Vec<u8>), String> {
        let mut entry = Entry::new(self.time, Kind::KeyForgotten, &self.gate);
        entry.key = Some(id);
        entry.encode().map(|line| (line, Vec::new())).map_err(|error| error.to_string())
    }

    fn encode(&self, like: &Like) -> Result<(Vec<u8>, Vec<u8>), String> {
        let key = self.keys.at(self.time, retention_class(like.kind)).ok_or("there is no key for the day")?;
        let (blob, detail) = match &like.detail {
            Some(detail) => {
                let (blob, commitment) = seal(key, detail.text())?;
                (blob, Some(commitment))
            }
            None => (Vec::new(), None),
        };
        let encode = |entry: &mut Entry| {
            (entry.time, entry.kind) = (self.time, like.kind);
            (entry.decision, entry.count, entry.detail) = (like.decision, like.count, detail);
            let names_key = entry.principal.is_some() || entry.request.is_some() || entry.detail.is_some();
            if names_key {
                return entry.encode();
            }
            Entry { key: None, ..entry.clone() }.encode()
        };
        let entry = like.outline.fill(key, &self.gate, encode).map_err(|error| error.to_string())?;
        Ok((entry.map_err(|error| error.to_string())?, blob))
    }
}

/// The sealed detail, and the commitment to it.
fn seal(key: &DayKey, detail: &str) -> Result<(Vec<u8>, String), String> {
    // A generator that the system seeds and reseeds: asking the system itself costs a call for each.
    let mut random = rand::rng();
    let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
    random.fill_bytes(&mut salt);
    random.fill_bytes(&mut nonce);
    let blob = detail::seal_text(key, &salt, &nonce, detail).map_err(|error| error.to_string())?;
    if blob.len() > BLOB_BYTES_MAX {
        return Err(format!("its sealed detail has {} bytes; the most is {BLOB_BYTES_MAX}", blob.len()));
    }
    Ok((blob, hex(&detail::commitment(&salt, detail))))
}

/// A batch being put together, with its waiters.
struct Making {
    building: Building,
    tickets: Vec<Option<Arc<Ticket>>>,
    room: (usize, usize),
}

impl Making {
    fn fail(self, error: &io::Error) -> Why {
        let first = self.building.next() - self.tickets.len() as u64;
        fail(first, &self.tickets, error)
    }
}

/// Tells the waiters of a batch that it could not be staged.
fn fail(first: u64, tickets: &[Option<Arc<Ticket>>], error: &io::Error) -> Why {
    let why = Why::Storage(error.to_string().into());
    for (index, ticket) in (first..).zip(tickets) {
        if let Some(ticket) = ticket {
            ticket.resolve(Err(why.clone().at(Some(index))));
        }
    }
    why
}
