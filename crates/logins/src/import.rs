//! Logins from the formats that people have: Windows event logs, OpenSSH's log, Microsoft Entra and Office 365, and
//! tables. Each is read as a stream; a record that cannot be read is told, counted, and the stream goes on. Not here:
//! what OCSF is (`ocsf`), what a line is (`lines`).

mod csv;
mod entra;
mod evtx;
mod json;
mod map;
mod o365;
mod records;
mod sshd;
mod time;
mod windows;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;

pub use jiff::tz::TimeZone;
pub use map::{Map, MapError, zone};

use crate::lines::{LINE_BYTES_MAX, Line, Lines};
use crate::login::Login;
use crate::ocsf::{self, Product};
use crate::problem::{Problem, Wrong};

/// What an input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OCSF events, an object a line.
    Ocsf,
    /// A Windows event log, binary.
    Evtx,
    /// Windows events as JSON: of evtx_dump, Winlogbeat, NXLog, Velociraptor and others that keep Windows' names.
    EvtxJson,
    /// OpenSSH's lines in a syslog file or from journald.
    Sshd,
    /// Sign-ins of Microsoft Entra: of Graph, Azure Monitor or Log Analytics.
    Entra,
    /// The unified audit log of Office 365.
    O365,
    /// A table, read by a [`Map`].
    Csv,
}

/// Where an input is.
pub enum Input {
    /// In a file, in which one can go back.
    File(File),
    /// In something that is read once.
    Stream(Box<dyn Read>),
}

/// What a format leaves open.
pub struct Options {
    /// The zone of times that do not say theirs.
    pub zone: TimeZone,
    /// The year of the first line of a syslog file, which says none; without it, the last in which its time is past.
    pub year: Option<i16>,
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// How to read a table.
    pub map: Option<Map>,
}

/// What comes out of an input.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A login. Its index, from 0, is that of the line in OCSF, and in other formats that of the login.
    Login(u64, &'a Login<'a>),
    /// A record that could not be read.
    Problem(Problem),
}

/// What was in an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Logins, and changes of passwords and factors.
    pub logins: u64,
    /// Records of other kinds.
    pub others: u64,
    /// Records that could not be read.
    pub problems: u64,
}

/// Why an input cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says so.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what it should be; with what to do.
    #[error("{0}")]
    Format(String),
}

/// Takes what was read; to break ends the reading.
pub type Take<'t> = dyn FnMut(Item<'_>) -> ControlFlow<()> + 't;

/// Reads an input to its end, or until `take` breaks.
///
/// # Errors
/// When the input cannot be read, or is of another format altogether.
pub fn read(
    format: Format,
    input: Input,
    options: &Options,
    take: &mut Take<'_>,
) -> Result<Counts, ReadError> {
    let mut out = Out { take, counts: Counts::default(), is_over: false };
    if format == Format::Evtx {
        evtx::read(input, &mut out)?;
        return Ok(out.counts);
    }
    let from = readable(input)?;
    match format {
        Format::Evtx => {}
        Format::Ocsf => lines(from, &mut out)?,
        Format::EvtxJson => json::read(from, &mut out, windows::login)?,
        Format::Entra => json::read(from, &mut out, entra::login)?,
        Format::O365 => json::read(from, &mut out, o365::login)?,
        Format::Sshd => sshd::read(from, options, &mut out)?,
        Format::Csv => {
            let map = options.map.as_ref();
            let map = map.ok_or_else(|| ReadError::Format("a table needs a mapping file".to_owned()))?;
            csv::read(from, map, &mut out)?;
        }
    }
    Ok(out.counts)
}

/// Who made what a format holds, for OCSF.
pub fn product(format: Format, map: Option<&Map>) -> Product {
    match format {
        Format::Ocsf => Product::new("OCSF", "Trefoil"),
        Format::Evtx | Format::EvtxJson => Product::new("Windows Security Auditing", "Microsoft"),
        Format::Sshd => Product::new("OpenSSH", "OpenBSD"),
        Format::Entra => Product::new("Entra ID", "Microsoft"),
        Format::O365 => Product::new("Office 365", "Microsoft"),
        Format::Csv => Product::new(map.map_or("CSV", Map::product), "unknown"),
    }
}

/// Where readers put what they read.
struct Out<'t, 'a> {
    take: &'t mut Take<'a>,
    counts: Counts,
    is_over: bool,
}

impl Out<'_, '_> {
    fn login(&mut self, login: Login<'_>) {
        self.login_at(self.counts.logins, login);
    }

    fn login_at(&mut self, index: u64, login: Login<'_>) {
        self.counts.logins += 1;
        self.is_over |= (self.take)(Item::Login(index, &login)).is_break();
    }

    fn other(&mut self) {
        self.counts.others += 1;
    }

    fn problem(&mut self, problem: Problem) {
        self.counts.problems += 1;
        self.is_over |= (self.take)(Item::Problem(problem)).is_break();
    }

    /// What a record turned out to be.
    fn put(&mut self, line: u64, read: Result<Option<Login<'_>>, Wrong>) {
        match read {
            Ok(Some(login)) => self.login(login),
            Ok(None) => self.other(),
            Err(wrong) => self.problem(wrong.in_line(line)),
        }
    }
}

fn lines(from: impl Read, out: &mut Out<'_, '_>) -> Result<(), ReadError> {
    let mut lines = Lines::new(from);
    while !out.is_over
        && let Some((at, line)) = lines.next_line()?
    {
        match line {
            Line::Bytes(line) if line.iter().all(u8::is_ascii_whitespace) => {}
            Line::Bytes(line) => match ocsf::read(line) {
                Ok(Some(login)) => out.login_at(at - 1, login),
                Ok(None) => out.other(),
                Err(wrong) => out.problem(wrong.in_line(at)),
            },
            Line::TooLong => out.problem(too_long().in_line(at)),
        }
    }
    Ok(())
}

fn too_long() -> Wrong {
    Wrong::new("", format!("longer than {LINE_BYTES_MAX} bytes"))
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Text as it is read from here on: not compressed, UTF-8, without a mark of it.
fn readable(input: Input) -> Result<Box<dyn Read>, ReadError> {
    let mut from: Box<dyn Read> = match input {
        Input::File(file) => Box::new(file),
        Input::Stream(stream) => stream,
    };
    let mut head = Vec::new();
    from.by_ref().take(4).read_to_end(&mut head)?;
    let wrong = |what: &str| Err(ReadError::Format(what.to_owned()));
    match head.as_slice() {
        [0x1F, 0x8B, ..] => return wrong("compressed with gzip; give it as `zcat FILE | trefoil … -`"),
        [0x28, 0xB5, 0x2F, 0xFD] => {
            return wrong("compressed with zstd; give it as `zstdcat FILE | trefoil … -`");
        }
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            return wrong("UTF-16; give it as `iconv -f UTF-16 -t UTF-8 FILE | trefoil … -`");
        }
        [b'E', b'l', b'f', b'F'] => return wrong("a binary event log; its format is `evtx`"),
        _ => {}
    }
    let head = head.strip_prefix(BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(head);
    Ok(Box::new(BufReader::with_capacity(1 << 16, io::Cursor::new(head).chain(from))))
}
