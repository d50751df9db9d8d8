//! What stands between a site's answer and the client: bytes are held until their entry is witnessed, or pass under
//! a window that was witnessed before. Pure: bytes and times in, bytes out.
//!
//! The invariant of the gate lives here: nothing gets into `to_client` but through [`Outlet::release`]
//! or [`Outlet::widen`], which take a [`Witnessed`], or through [`Outlet::pass`], which spends a window that such a
//! release opened.

use record::Witnessed;
use tokio::time::{Duration, Instant};

use super::spool::{IDLE_BYTES_MAX, Spool};

/// A result up to this size is released whole, under one entry with exact counts.
pub const HELD_BYTES_MAX: usize = 65_536;
/// And up to so many rows: no DataRow message is smaller than 7 bytes, but COPY's can be.
const HELD_ROWS_MAX: u64 = 65_536 / 7;
/// More than this is not taken in before what is held has gone: a description can be large, and few bytes ask for many.
const HELD_MESSAGES_BYTES_MAX: usize = 1_048_576;
/// What is held is released, under a window if it is not yet whole, this long after its first byte.
pub const HELD_MS_MAX: u64 = 200;
/// The first window's bytes; each next one doubles, up to `WINDOW_BYTES_MAX`.
const WINDOW_BYTES_MIN: u64 = 262_144;
/// No window authorises more bytes than this, unless one message is larger.
const WINDOW_BYTES_MAX: u64 = 16_777_216;
/// A window authorises one row for so many bytes of it; a DataRow message is never smaller than 7 bytes.
const WINDOW_BYTES_PER_ROW: u64 = 16;
/// Bytes that wait for a slow client before the gate stops reading the site.
pub const CLIENT_BYTES_MAX: usize = 262_144;

/// Rows and bytes of DataRow messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// DataRow messages.
    pub rows: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
}

impl Tally {
    /// One message of so many bytes.
    pub fn row(bytes: usize) -> Self {
        Self { rows: 1, bytes: u64::try_from(bytes).unwrap_or(u64::MAX) }
    }

    /// The sum, saturating.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_add(other.rows), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn minus(self, other: Self) -> Option<Self> {
        Some(Self { rows: self.rows.checked_sub(other.rows)?, bytes: self.bytes.checked_sub(other.bytes)? })
    }
}

/// What an entry has to say so that held bytes may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// All of a result is here: exact counts.
    Exact(Tally),
    /// The result goes on: an upper bound for what is held and what follows.
    Window(Tally),
    /// The end of a result that went out in windows: its exact counts.
    Total(Tally),
}

/// Held bytes, the open window, and what may go to the client.
#[derive(Debug, Default)]
pub struct Outlet {
    held: Vec<u8>,
    held_tally: Tally,
    held_since: Option<Instant>,
    /// Places in `held` where an error message with an entry's number goes, in order.
    gaps: Vec<Gap>,
    /// What is left of the open window.
    window: Option<Tally>,
    /// What the open window had when it was opened or widened last.
    opened: Tally,
    /// How many windows were opened or closed: what was asked for one may come when it is closed.
    turn: u64,
    /// What went out since the first window of the present result; `None` when no window was opened.
    run: Option<Tally>,
    window_bytes: u64,
    /// Bytes of an already counted message that are still to come.
    passing: usize,
    to_client: Spool,
}

/// A place in the held bytes that is filled when the entry's number is known.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    offset: usize,
    /// Which refusal goes there.
    pub refusal: usize,
}

impl Outlet {
    /// Holds a whole message that is no row.
    pub fn hold(&mut self, message: &[u8], now: Instant) {
        self.held.extend_from_slice(message);
        self.held_since.get_or_insert(now);
    }

    /// Holds a whole DataRow message; the caller has asked [`Outlet::has_room`].
    pub fn hold_row(&mut self, message: &[u8], now: Instant) {
        self.held_tally = self.held_tally.plus(Tally::row(message.len()));
        self.hold(message, now);
    }

    /// Leaves a place for the error message of a refusal.
    pub fn hold_gap(&mut self, refusal: usize, now: Instant) {
        self.gaps.push(Gap { offset: self.held.len(), refusal });
        self.held_since.get_or_insert(now);
    }

    /// Whether a message of so many bytes can be held.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.held.len().saturating_add(bytes) <= HELD_BYTES_MAX && self.held_tally.rows < HELD_ROWS_MAX
    }

    /// Whether nothing more may be taken in before what is held has gone.
    pub fn is_full(&self) -> bool {
        self.held.len() > HELD_MESSAGES_BYTES_MAX
    }

    /// Counts a row of so many bytes against the open window, if it may go at once; its bytes then go through
    /// [`Outlet::pass`]. Rows never overtake what is held.
    pub fn admit_row(&mut self, bytes: usize) -> bool {
        let row = Tally::row(bytes);
        let left = self.window.and_then(|window| window.minus(row));
        match (left, self.run) {
            (Some(left), Some(run)) if self.held.is_empty() && self.gaps.is_empty() => {
                self.window = Some(left);
                self.run = Some(run.plus(row));
                self.passing = bytes;
                true
            }
            _ => false,
        }
    }

    /// Passes the next bytes of an admitted row; returns how many were taken.
    pub fn pass(&mut self, bytes: &[u8]) -> usize {
        let taken = self.passing.min(bytes.len());
        self.to_client.tail().extend_from_slice(bytes.get(..taken).unwrap_or_default());
        self.passing -= taken;
        taken
    }

    /// Whether part of an admitted row is still to come.
    pub fn is_passing(&self) -> bool {
        self.passing > 0
    }

    /// When what is held has waited long enough.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.held_since? + Duration::from_millis(HELD_MS_MAX))
    }

    /// Whether anything waits for an entry.
    pub fn holds_something(&self) -> bool {
        !self.held.is_empty() || !self.gaps.is_empty()
    }

    /// What the entry must say when everything owed is here.
    pub fn due_at_end(&self) -> Due {
        match self.run {
            None => Due::Exact(self.held_tally),
            Some(run) => Due::Total(run.plus(self.held_tally)),
        }
    }

    /// The window to ask for: what is held, the next whole message, and room for more.
    pub fn due_in_the_middle(&mut self, next_message_bytes: usize) -> Due {
        let next = Tally::row(next_message_bytes);
        self.window_bytes = (self.window_bytes * 2).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        let room = Tally { rows: self.window_bytes / WINDOW_BYTES_PER_ROW, bytes: self.window_bytes };
        let more = Tally { rows: room.rows.max(next.rows), bytes: room.bytes.max(next.bytes) };
        Due::Window(self.held_tally.plus(more))
    }

    /// Whether so much of the open window is used that more should be asked for, so that a fast client does not wait.
    pub fn runs_low(&self) -> bool {
        self.window.is_some_and(|left| left.bytes < self.opened.bytes / 2 || left.rows < self.opened.rows / 2)
    }

    /// The window to ask for ahead of use, and the turn that it is for.
    pub fn due_ahead(&mut self) -> (Due, u64) {
        (self.due_in_the_middle(0), self.turn)
    }

    /// Widens the window that was open in that turn, if it still is, by what was asked for ahead of use; lets go what
    /// is held if it is rows of the same result (`more_of_it`) that fit.
    pub fn widen(&mut self, due: Due, turn: u64, more_of_it: bool, _: Witnessed) {
        let (Due::Window(more), Some(left)) = (due, self.window) else {
            return;
        };
        if turn != self.turn {
            return;
        }
        let left = left.plus(more);
        self.window = Some(left);
        self.opened = left;
        if let (true, true, Some(left), Some(run)) =
            (more_of_it, self.gaps.is_empty(), left.minus(self.held_tally), self.run)
        {
            self.run = Some(run.plus(self.held_tally));
            self.window = Some(left);
            self.to_client.tail().extend_from_slice(&self.held);
            self.forget_held();
        }
    }

    /// A window for what is held and no more.
    pub fn due_without_room(&self) -> Due {
        Due::Window(self.held_tally)
    }

    /// Releases what is held: the only way out. `fill` writes the message that belongs into a gap.
    pub fn release(&mut self, due: Due, _: Witnessed, mut fill: impl FnMut(Gap, &mut Vec<u8>)) {
        let mut from = 0;
        for gap in std::mem::take(&mut self.gaps) {
            self.to_client.tail().extend_from_slice(self.held.get(from..gap.offset).unwrap_or_default());
            fill(gap, self.to_client.tail());
            from = gap.offset;
        }
        self.to_client.tail().extend_from_slice(self.held.get(from..).unwrap_or_default());
        self.turn = self.turn.wrapping_add(1);
        match due {
            Due::Window(bound) => {
                self.run = Some(self.run.unwrap_or_default().plus(self.held_tally));
                self.window = bound.minus(self.held_tally);
                self.opened = self.window.unwrap_or_default();
            }
            Due::Exact(_) | Due::Total(_) => {
                self.run = None;
                self.window = None;
                self.window_bytes = 0;
            }
        }
        self.forget_held();
    }

    /// Gives back memory that a large result took.
    pub fn relax(&mut self) {
        self.to_client.relax();
        if self.held.is_empty() && self.held.capacity() > IDLE_BYTES_MAX {
            self.held = Vec::new();
        }
    }

    /// Drops what is held: it was not witnessed.
    pub fn forget_held(&mut self) {
        self.held.clear();
        self.gaps.clear();
        self.held_tally = Tally::default();
        self.held_since = None;
    }

    /// What has gone out of the present result.
    pub fn run(&self) -> Tally {
        self.run.unwrap_or_default()
    }

    /// Whether rows of the present result have gone out already.
    pub fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// Writes a message of the gate itself, which carries nothing of a site's.
    pub fn say(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.to_client.tail());
    }

    /// What may go to the client now.
    pub fn to_client(&self) -> &[u8] {
        self.to_client.rest()
    }

    /// Notes that so many bytes have gone.
    pub fn sent(&mut self, count: usize) {
        self.to_client.advance(count, self.passing);
    }

    /// Drops what has not gone, but for the rest of the message that is going.
    pub fn drop_what_waits(&mut self) {
        self.forget_held();
        if self.to_client.cut_to_message() {
            self.passing = 0;
        }
    }

    /// Whether the client takes what it is given, so that more may be read from the site.
    pub fn client_keeps_up(&self) -> bool {
        self.to_client.len() < CLIENT_BYTES_MAX
    }
}
