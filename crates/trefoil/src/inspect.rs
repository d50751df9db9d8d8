//! `trefoil inspect scan`: runs the detectors of crate `inspect` over files of any size. Values stay where they are
//! unless they are asked for. Not here: the detectors.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use inspect::{Finding, Kind, Stream};
use serde::Serialize;

use crate::cli::inspect::Scan;
use crate::ended::Ended;
use crate::terminal::Paint;

const PIECE_BYTES: usize = 1 << 20;
/// Findings of a kind that are listed by place when the output is for people.
const LISTED_MAX: usize = 3;
const STANDARD_INPUT: &str = "-";

pub(crate) fn scan(asked: &Scan) -> Result<(), Ended> {
    let standard = [Path::new(STANDARD_INPUT).to_path_buf()];
    let files = if asked.files.is_empty() { standard.as_slice() } else { asked.files.as_slice() };
    let mut unread = Vec::new();
    let mut found = 0_u64;
    for file in files {
        match of_file(asked, file) {
            Ok(count) => found = found.saturating_add(count),
            // Whoever read the output has gone; what is left would be for nobody.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            Err(error) => unread.push(format!("reading {}: {error}", file.display())),
        }
    }
    if !unread.is_empty() {
        return Err(Ended::cannot_tell(unread.join("\ntrefoil: ")));
    }
    if found > 0 { Err(Ended::not("")) } else { Ok(()) }
}

/// How many identifiers a file holds, each told as asked.
fn of_file(asked: &Scan, file: &Path) -> std::io::Result<u64> {
    let name = file.to_string_lossy();
    let mut input: Box<dyn Read> =
        if name == STANDARD_INPUT { Box::new(std::io::stdin().lock()) } else { Box::new(File::open(file)?) };
    let mut told = Told { asked, name: &name, out: out(), count: 0, kinds: BTreeMap::new(), failed: None };
    let mut stream = Stream::default();
    let mut piece = vec![0; PIECE_BYTES];
    while told.failed.is_none() {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => stream
                .push(piece.get(..count).unwrap_or_default(), &mut |found, value| told.take(found, value)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    stream.finish(&mut |found, value| told.take(found, value));
    told.end()
}

fn out() -> std::io::BufWriter<std::io::StdoutLock<'static>> {
    std::io::BufWriter::new(std::io::stdout().lock())
}

/// One finding as outside tools read it.
#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    offset: u64,
    length: u32,
    kind: &'static str,
    valid: bool,
    scheme: &'static str,
    validation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    precision_m: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
}

struct Told<'a> {
    asked: &'a Scan,
    name: &'a str,
    out: std::io::BufWriter<std::io::StdoutLock<'static>>,
    count: u64,
    kinds: BTreeMap<(Kind, &'static str), OfKind>,
    failed: Option<std::io::Error>,
}

#[derive(Default)]
struct OfKind {
    count: u64,
    valid: u64,
    first: Vec<String>,
}

impl Told<'_> {
    fn take(&mut self, found: Finding, value: &[u8]) {
        if self.failed.is_some() || (self.asked.valid && !found.valid()) {
            return;
        }
        self.count = self.count.saturating_add(1);
        let value = self.asked.show.then(|| String::from_utf8_lossy(value));
        if self.asked.json {
            let line = Line {
                file: self.name,
                offset: found.offset,
                length: found.length,
                kind: found.kind.as_str(),
                valid: found.valid(),
                scheme: found.scheme,
                validation: found.validation.as_str(),
                precision_m: found.precision_m,
                value: value.as_deref(),
            };
            let written = serde_json::to_writer(&mut self.out, &line).map_err(std::io::Error::from);
            self.failed = written.and_then(|()| writeln!(self.out)).err();
            return;
        }
        let of_kind = self.kinds.entry((found.kind, found.scheme)).or_default();
        of_kind.count = of_kind.count.saturating_add(1);
        of_kind.valid = of_kind.valid.saturating_add(u64::from(found.valid()));
        if self.asked.show || of_kind.first.len() < LISTED_MAX {
            let value = value.map(|value| format!(" {}", value.escape_debug())).unwrap_or_default();
            of_kind.first.push(format!("{}{value}", found.offset));
        }
    }

    fn end(mut self) -> std::io::Result<u64> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.asked.json {
            let paint = Paint::for_stdout();
            if self.kinds.is_empty() {
                writeln!(self.out, "{}: {}", self.name, paint.good("nothing found"))?;
            }
            for ((kind, scheme), of) in &self.kinds {
                let kind = paint.strong(kind.as_str());
                let scheme = if scheme.is_empty() { String::new() } else { format!(" {scheme}") };
                let (count, valid) = (of.count, of.valid);
                let places = of.first.join(if self.asked.show { "\n    " } else { ", " });
                let at = if self.asked.show { "at\n    " } else { "at " };
                let more =
                    if of.first.len() < usize::try_from(count).unwrap_or(usize::MAX) { ", …" } else { "" };
                writeln!(
                    self.out,
                    "{}: {kind}{scheme}: {count} ({valid} valid), {at}{places}{more}",
                    self.name
                )?;
            }
        }
        self.out.flush()?;
        Ok(self.count)
    }
}
