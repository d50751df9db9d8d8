//! The mapping file of a table: which column is what, how times are written, which values stand for what.
//!
//! ```toml
//! product = "Example VPN"        # who made the table, for OCSF
//! delimiter = ","                # one character, or "tab"
//! header = true                  # false: columns are named "1", "2", …
//!
//! [columns]                      # of a login: its column; time and user are needed
//! time = "Login Timestamp"
//! user = "User ID"
//! ip = "IP Address"
//! outcome = "Login Successful"   # also: act country asn lat long network agent host target session group rtt_ms mfa id
//!
//! [time]
//! format = "%Y-%m-%d %H:%M:%S%.f"   # or "rfc3339", "seconds", "milliseconds"
//! zone = "Europe/Berlin"            # of times that do not say theirs
//!
//! [constants]                    # what every row has
//! target = "vpn"
//!
//! [values.outcome]               # a value of the column: success failure unknown unknown_user password factor locked
//! True = "success"
//! False = "password"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::Deserialize;

/// What a column can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Field {
    Time,
    User,
    Act,
    Outcome,
    Ip,
    Country,
    Asn,
    Lat,
    Long,
    Network,
    Agent,
    Host,
    Target,
    Session,
    Group,
    RttMs,
    Mfa,
    Id,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    delimiter: Option<String>,
    #[serde(default)]
    header: Option<bool>,
    columns: BTreeMap<Field, String>,
    #[serde(default)]
    time: Time,
    #[serde(default)]
    constants: BTreeMap<Field, String>,
    #[serde(default)]
    values: BTreeMap<Field, BTreeMap<String, String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    #[serde(default)]
    format: Option<String>,
    #[serde(default)]
    zone: Option<String>,
}

/// How to read a table.
#[derive(Debug, Clone)]
pub struct Map {
    pub(super) product: String,
    pub(super) delimiter: u8,
    pub(super) header: bool,
    pub(super) columns: BTreeMap<Field, String>,
    pub(super) format: TimeFormat,
    pub(super) zone: TimeZone,
    pub(super) constants: BTreeMap<Field, String>,
    pub(super) values: BTreeMap<Field, BTreeMap<String, String>>,
}

/// How times are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TimeFormat {
    Iso,
    Seconds,
    Milliseconds,
    /// As strftime has it.
    Pattern(String),
}

/// Why a mapping file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It does not say how to read a table.
    #[error("{}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what is wanted.
        why: String,
    },
}

impl Map {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// When it cannot be read, has a key that is not known, or misses one that is needed.
    pub fn open(path: &Path) -> Result<Self, MapError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| MapError::File { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|why| MapError::Content { path: path.to_owned(), why })
    }

    /// Reads the text of a mapping file.
    ///
    /// # Errors
    /// What is wrong with it, with its key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let has = |field| file.columns.contains_key(&field) || file.constants.contains_key(&field);
        if !file.columns.contains_key(&Field::Time) || !has(Field::User) {
            return Err("columns: `time` and `user` are needed".to_owned());
        }
        let delimiter = match file.delimiter.as_deref().map(str::as_bytes) {
            None => b',',
            Some([delimiter]) => *delimiter,
            Some(b"tab") => b'\t',
            Some(_) => return Err("delimiter: one character of ASCII, or `tab`".to_owned()),
        };
        let format = match file.time.format.as_deref() {
            None | Some("rfc3339") => TimeFormat::Iso,
            Some("seconds") => TimeFormat::Seconds,
            Some("milliseconds") => TimeFormat::Milliseconds,
            Some(pattern) if pattern.contains('%') => TimeFormat::Pattern(pattern.to_owned()),
            Some(other) => {
                return Err(format!(
                    "time.format: `{other}` is none of rfc3339, seconds, milliseconds, and no pattern with %"
                ));
            }
        };
        let zone = match file.time.zone.as_deref() {
            None => TimeZone::UTC,
            Some(name) => zone(name).ok_or_else(|| format!("time.zone: `{name}` is not known"))?,
        };
        Ok(Self {
            product: file.product.unwrap_or_else(|| "CSV".to_owned()),
            delimiter,
            header: file.header.unwrap_or(true),
            columns: file.columns,
            format,
            zone,
            constants: file.constants,
            values: file.values,
        })
    }

    /// Who made the table.
    pub fn product(&self) -> &str {
        &self.product
    }
}

/// A zone by its name (`Europe/Berlin`) or offset (`+02:00`).
pub fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" || name == "Z" {
        return Some(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        // An offset is read as that of some time.
        let text = format!("2000-01-01T00:00:00{name}");
        let pieces = jiff::fmt::temporal::DateTimeParser::new();
        let offset = pieces.parse_pieces(&text).ok()?.to_numeric_offset()?;
        return Some(TimeZone::fixed(offset));
    }
    TimeZone::get(name).ok()
}
