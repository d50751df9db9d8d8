//! What is known of an address: its country and coordinates from MaxMind DB files, its network from a table of
//! autonomous systems, and what kind of network that is from its name or from lists. Files are read again when they
//! change. What an event says of itself wins. Both the gate and streams of other systems ask here. Not here: how far places
//! are from each other (crate `risk`).
//!
//! A folder of places holds any of these; what is not there is not known:
//!
//! | file | says |
//! |---|---|
//! | `*country*.mmdb` | countries, such as DB-IP's "IP to Country Lite" |
//! | `*city*.mmdb` | coordinates and countries, such as DB-IP's "IP to City Lite"; one file for each of IPv4 and IPv6, or one for both |
//! | `*asn*.csv` | rows of first address, last address, number, name, such as those of npm's `@ip-location-db/asn` |
//! | `access*.txt`, `mobile*.txt`, `hosting*.txt`, `anonymous*.txt`, `carriage*.txt` | networks of a kind: an address, a prefix or `FIRST-LAST` a line; `#` begins a comment |

mod asn;
mod cities;
mod countries;
mod current;
mod kind;
mod lists;
mod ranges;

#[cfg(test)]
mod tests;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use maxminddb::{LookupResult, Reader};
use risk::{Event, Network, Place};

use self::asn::Systems;
use self::countries::Countries;
use self::lists::Lists;

pub use self::current::Current;

type Mmdb = Reader<Vec<u8>>;

/// Why a file of places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file, or the folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{}: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line where it has lines.
        why: String,
    },
}

/// What is known of addresses.
#[derive(Default)]
pub struct Places {
    folder: Option<PathBuf>,
    /// The files as they were when they were read.
    files: Vec<Stamp>,
    countries: Countries,
    city: Vec<Mmdb>,
    systems: Systems,
    lists: Lists,
}

/// A file, and what changes when it does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    size: u64,
    changed: Option<SystemTime>,
}

impl Places {
    /// Reads a folder.
    ///
    /// # Errors
    /// When it, or a file in it whose name says that it is one of ours, cannot be read.
    pub fn open(folder: &Path) -> Result<Self, PlacesError> {
        let mut places = Self { folder: Some(folder.to_owned()), ..Self::default() };
        places.files = stamps(folder)?;
        for stamp in &places.files.clone() {
            places.add(&stamp.path)?;
        }
        places.finish();
        Ok(places)
    }

    /// What is not there, in words, for whoever asks why a score knows nothing of it.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.countries.is_empty() && self.city.is_empty() {
            missing.push("countries (a file *country*.mmdb)");
        }
        if self.city.is_empty() {
            missing.push("coordinates (files *city*.mmdb)");
        }
        if self.systems.is_empty() {
            missing.push("networks (files *asn*.csv)");
        }
        missing
    }

    /// Reads the folder again if a file in it came, went or changed. Whether one did.
    ///
    /// # Errors
    /// As for [`Places::open`]; what was known stays.
    pub fn reload(&mut self) -> Result<bool, PlacesError> {
        let Some(folder) = self.folder.clone() else { return Ok(false) };
        let files = stamps(&folder)?;
        if files == self.files {
            return Ok(false);
        }
        // A file that is being written fails once, and is tried again when it has changed again.
        self.files = files;
        *self = Self::open(&folder)?;
        Ok(true)
    }

    /// What is known of an address.
    pub fn of(&self, address: IpAddr) -> Place {
        let address = address.to_canonical();
        let mut place = Place::default();
        if let Some(found) = self.city.iter().find_map(|file| look(file, address)) {
            (place.country, place.point) = cities::read(&found);
        }
        if place.country.is_none() {
            place.country = self.countries.of(address);
        }
        if let Some((asn, network)) = self.systems.of(address) {
            place.asn = Some(asn);
            place.network = network;
        }
        if let Some(network) = self.lists.of(address) {
            place.network = network;
        }
        place
    }

    /// Ranges of addresses and the autonomous systems that announce them: first, last, number.
    pub fn networks(&self) -> impl Iterator<Item = (IpAddr, IpAddr, u32)> {
        self.systems.all()
    }

    /// Adds what is known of an event's address to what the event says of itself.
    pub fn fill(&self, event: &mut Event<'_>) {
        if let Some(ip) = event.ip {
            self.complete(ip, &mut event.place);
        }
    }

    /// Adds what is known of an address to what is known of it otherwise, which wins.
    pub fn complete(&self, ip: IpAddr, place: &mut Place) {
        let is_whole = place.country.is_some()
            && place.asn.is_some()
            && place.point.is_some()
            && place.network != Network::Unknown;
        if is_whole {
            return;
        }
        let known = self.of(ip);
        place.asn = place.asn.or(known.asn);
        if place.network == Network::Unknown {
            place.network = known.network;
        }
        // Coordinates in another country than the event names would be of another opinion of where the address is.
        if place.point.is_none() && (place.country.is_none() || place.country == known.country) {
            place.point = known.point;
        }
        place.country = place.country.or(known.country);
    }

    /// Makes what was added ready to be asked.
    fn finish(&mut self) {
        self.countries.finish();
        self.systems.finish();
        self.lists.finish();
    }

    fn add(&mut self, path: &Path) -> Result<(), PlacesError> {
        match Role::of(path) {
            None => {}
            Some(Role::Country) => self.countries.add(&mmdb(path)?).map_err(|why| format(path, why))?,
            Some(Role::City) => self.city.push(mmdb(path)?),
            Some(Role::Systems) => self.systems.add(read(path)?).map_err(|why| format(path, why))?,
            Some(Role::List(network)) => {
                let text = read(path)?;
                self.lists.add(network, &text).map_err(|why| format(path, why))?;
            }
        }
        Ok(())
    }
}

/// What a file is, by its name.
enum Role {
    Country,
    City,
    Systems,
    List(Network),
}

impl Role {
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_stem()?.to_str()?.to_ascii_lowercase();
        match path.extension()?.to_str()? {
            "mmdb" if name.contains("city") => Some(Self::City),
            "mmdb" if name.contains("country") => Some(Self::Country),
            // The same ranges as numbers, which the package has too, are left alone.
            "csv" if name.contains("asn") && !name.ends_with("-num") => Some(Self::Systems),
            "txt" => {
                let kinds = Network::ALL.into_iter().filter(|kind| *kind != Network::Unknown);
                kinds.into_iter().find(|kind| name.starts_with(kind.word())).map(Self::List)
            }
            _ => None,
        }
    }
}

/// The files of a folder that say something of places, in their order.
fn stamps(folder: &Path) -> Result<Vec<Stamp>, PlacesError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PlacesError::File { path, source }
    };
    let mut stamps = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        if Role::of(&path).is_some() {
            let metadata = fs::metadata(&path).map_err(failed(&path))?;
            stamps.push(Stamp { path, size: metadata.len(), changed: metadata.modified().ok() });
        }
    }
    stamps.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(stamps)
}

fn read(path: &Path) -> Result<String, PlacesError> {
    fs::read_to_string(path).map_err(|source| PlacesError::File { path: path.to_owned(), source })
}

fn format(path: &Path, why: String) -> PlacesError {
    PlacesError::Format { path: path.to_owned(), why }
}

/// A country of two letters, in either case.
pub fn code(text: &str) -> Option<[u8; 2]> {
    let code: [u8; 2] = text.as_bytes().try_into().ok()?;
    code.iter().all(u8::is_ascii_alphabetic).then(|| code.map(|letter| letter.to_ascii_uppercase()))
}

fn mmdb(path: &Path) -> Result<Mmdb, PlacesError> {
    let bytes = fs::read(path).map_err(|source| PlacesError::File { path: path.to_owned(), source })?;
    Reader::from_source(bytes).map_err(|error| format(path, format!("not in the MaxMind DB format: {error}")))
}

/// What a file holds of an address. One that is damaged there, or is of the other kind of addresses, holds nothing.
fn look(file: &Mmdb, address: IpAddr) -> Option<LookupResult<'_, Vec<u8>>> {
    if address.is_ipv6() && file.metadata().ip_version == 4 {
        return None;
    }
    file.lookup(address).ok().filter(LookupResult::has_data)
}
