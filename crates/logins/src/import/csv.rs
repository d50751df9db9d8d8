//! Tables, row by row, read as a [`Map`] says. A wrong value is told with its row and column. Not here: the mapping file
//! (`map`).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read;

use ::csv::{ByteRecord, ReaderBuilder};
use jiff::Timestamp;
use jiff::civil::DateTime;
use risk::{Act, Network, Outcome};

use super::map::{Field, Map, TimeFormat};
use super::{Out, ReadError, time};
use crate::login::Login;
use crate::problem::Wrong;
use crate::text::shown;
use crate::words;

pub(super) fn read(from: impl Read, map: &Map, out: &mut Out<'_, '_>) -> Result<(), ReadError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(map.delimiter)
        .has_headers(map.header)
        .flexible(true)
        .from_reader(from);
    let header = if map.header { Some(reader.byte_headers().map_err(broken)?.clone()) } else { None };
    let table = Table::new(map, header.as_ref())?;
    let mut row = ByteRecord::new();
    while !out.is_over && reader.read_byte_record(&mut row).map_err(broken)? {
        let line = row.position().map_or(0, ::csv::Position::line);
        out.put(line, table.login(&row).map(Some));
    }
    Ok(())
}

fn broken(error: ::csv::Error) -> ReadError {
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => ReadError::Io(error),
        kind => ReadError::Format(format!("no table: {kind:?}")),
    }
}

/// A mapping, with its columns found.
struct Table<'m> {
    map: &'m Map,
    at: BTreeMap<Field, usize>,
    /// How many columns a row has, where a header says so.
    width: Option<usize>,
}

impl<'m> Table<'m> {
    fn new(map: &'m Map, header: Option<&ByteRecord>) -> Result<Self, ReadError> {
        let place = |column: &str| match header {
            Some(header) => header.iter().position(|name| name.trim_ascii() == column.as_bytes()),
            None => column.parse::<usize>().ok().and_then(|number| number.checked_sub(1)),
        };
        let mut at = BTreeMap::new();
        for (field, column) in &map.columns {
            let Some(place) = place(column) else {
                let why = match header {
                    Some(header) => format!(
                        "has no column `{column}`; it has {}",
                        header.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(", ")
                    ),
                    None => {
                        format!("has no header, so that columns are numbers from 1, and `{column}` is none")
                    }
                };
                return Err(ReadError::Format(why));
            };
            at.insert(*field, place);
        }
        Ok(Self { map, at, width: header.map(ByteRecord::len) })
    }

    fn login<'r>(&'r self, row: &'r ByteRecord) -> Result<Login<'r>, Wrong> {
        if let Some(width) = self.width.filter(|width| *width != row.len()) {
            return Err(Wrong::new("", format!("{} columns where the header has {width}", row.len())));
        }
        let row = Row { table: self, row };
        let (_, user) = row.given(Field::User)?.ok_or_else(|| row.wrong(Field::User, "empty"))?;
        let act = row.word(Field::Act, words::act, "an act")?.unwrap_or(Act::Logon);
        let outcome = row.word(Field::Outcome, words::outcome, "an outcome")?.unwrap_or(Outcome::Unknown);
        let mut login = Login::new(row.time_ms()?, user, act, outcome);
        login.ip = row.word(Field::Ip, super::json::address, "an IP address")?;
        login.place.country = row.word(Field::Country, words::country, "a country of two letters")?;
        login.place.asn = row.word(Field::Asn, system, "the number of an autonomous system")?;
        login.place.network =
            row.word(Field::Network, Network::of_word, "a kind of network")?.unwrap_or_default();
        let degrees =
            |most: f32| move |text: &str| text.parse::<f32>().ok().filter(|value| value.abs() <= most);
        let lat = row.word(Field::Lat, degrees(90.0), "a latitude")?;
        login.place.point = lat.zip(row.word(Field::Long, degrees(180.0), "a longitude")?);
        let positive =
            |text: &str| text.parse::<f32>().ok().filter(|value| value.is_finite() && *value >= 0.0);
        login.rtt_ms = row.word(Field::RttMs, positive, "milliseconds")?;
        login.is_mfa = row.word(Field::Mfa, truth, "true or false")?.unwrap_or(false);
        let text = |field| row.given(field).map(|given| given.map(|(_, text)| text));
        login.agent = text(Field::Agent)?;
        login.host = text(Field::Host)?;
        login.target = text(Field::Target)?;
        login.session = text(Field::Session)?;
        login.group = text(Field::Group)?;
        login.id = text(Field::Id)?;
        Ok(login)
    }
}

/// A value as it stands in the table, and as the mapping has it.
type Given<'r> = (Cow<'r, str>, Cow<'r, str>);

struct Row<'r> {
    table: &'r Table<'r>,
    row: &'r ByteRecord,
}

impl<'r> Row<'r> {
    /// What a row has for a field, first as it stands there, then as the mapping has it; nothing when it is empty.
    fn given(&self, field: Field) -> Result<Option<Given<'r>>, Wrong> {
        let map = self.table.map;
        let bytes = self.table.at.get(&field).and_then(|at| self.row.get(*at)).map(<[u8]>::trim_ascii);
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            let constant = map.constants.get(&field).map(|text| Cow::Borrowed(text.as_str()));
            return Ok(constant.map(|text| (text.clone(), text)));
        };
        let text = std::str::from_utf8(bytes).map_err(|_| self.wrong(field, "not UTF-8"))?;
        let mapped = map.values.get(&field).and_then(|values| values.get(text));
        Ok(Some((Cow::Borrowed(text), Cow::Borrowed(mapped.map_or(text, String::as_str)))))
    }

    /// A value of a field, read as `read` does.
    fn word<T>(
        &self,
        field: Field,
        read: impl Fn(&str) -> Option<T>,
        what: &str,
    ) -> Result<Option<T>, Wrong> {
        match self.given(field)? {
            None => Ok(None),
            Some((given, text)) => read(&text).map(Some).ok_or_else(|| {
                self.wrong(field, &format!("`{}` is not {what}; [values] can map it", shown(&given)))
            }),
        }
    }

    fn time_ms(&self) -> Result<i64, Wrong> {
        let map = self.table.map;
        let (_, given) = self.given(Field::Time)?.ok_or_else(|| self.wrong(Field::Time, "empty"))?;
        let number = || given.parse::<f64>().ok().filter(|number| number.abs() < 1e15);
        let time_ms = match &map.format {
            TimeFormat::Iso => time::iso(&given, &map.zone),
            TimeFormat::Seconds => number().map(|seconds| (seconds * 1e3) as i64).and_then(time::in_range),
            TimeFormat::Milliseconds => given.parse::<i64>().ok().and_then(time::in_range),
            TimeFormat::Pattern(pattern) => patterned(pattern, &given, map).and_then(time::in_range),
        };
        time_ms.ok_or_else(|| self.wrong(Field::Time, &format!("`{}` is not as [time] says", shown(&given))))
    }

    fn wrong(&self, field: Field, why: &str) -> Wrong {
        let column = self.table.map.columns.get(&field);
        Wrong::new(column.map_or_else(|| format!("constants ({field:?})"), Clone::clone), why)
    }
}

fn patterned(pattern: &str, given: &str, map: &Map) -> Option<i64> {
    if let Ok(time) = Timestamp::strptime(pattern, given) {
        return Some(time.as_millisecond());
    }
    let civil = DateTime::strptime(pattern, given).ok()?;
    map.zone.to_timestamp(civil).ok().map(|time| time.as_millisecond())
}

/// `3320` or `AS3320`.
fn system(text: &str) -> Option<u32> {
    text.strip_prefix("AS").unwrap_or(text).parse().ok()
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Some(true),
        "false" | "0" | "no" => Some(false),
        _ => None,
    }
}
