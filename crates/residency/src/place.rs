//! The country file: a MaxMind DB file that says in which country an address is, such as DB-IP's free one, which
//! `./up` fetches (IP Geolocation by DB-IP, CC BY 4.0). It says nothing of private networks; where those are, whoever
//! runs them writes down. Not here: what follows for a host (`hosts`).

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{PathElement, Reader};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::{Country, Places};

/// Where the country code is: of DB-IP's files, and of files that are laid out as MaxMind's own.
const PATHS: [&[PathElement<'_>]; 2] =
    [&[PathElement::Key("country_code")], &[PathElement::Key("country"), PathElement::Key("iso_code")]];

/// Why a country file cannot be used.
#[derive(Debug, Error)]
pub enum CountryFileError {
    /// It cannot be read.
    #[error("{}: {source}; `./up` fetches one to target/country", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{}: not a country file in the MaxMind DB format: {why}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// A country file, in memory.
#[derive(Debug)]
pub struct CountryFile {
    reader: Reader<Vec<u8>>,
    sha256: String,
}

impl CountryFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not one.
    pub fn open(path: &Path) -> Result<Self, CountryFileError> {
        let bytes = fs::read(path);
        let bytes = bytes.map_err(|source| CountryFileError::File { path: path.to_owned(), source })?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let reader = Reader::from_source(bytes);
        let reader = reader
            .map_err(|error| CountryFileError::Format { path: path.to_owned(), why: error.to_string() })?;
        Ok(Self { reader, sha256 })
    }

    /// When it was made, by its own word: seconds of Unix time.
    pub fn built(&self) -> u64 {
        self.reader.metadata().build_epoch
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

impl Places for CountryFile {
    /// A file that is damaged where the address would be says nothing.
    fn country(&self, address: IpAddr) -> Option<Country> {
        let found = self.reader.lookup(address.to_canonical()).ok()?;
        let code = PATHS.iter().find_map(|path| found.decode_path::<&str>(path).ok().flatten());
        code.and_then(Country::parse)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::{CountryFile, CountryFileError};
    use crate::{Hosts, Network, Places, Standing};
    use policy::Country;
    use std::path::{Path, PathBuf};

    /// Where `./test` puts the pinned one.
    fn pinned() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/country/dbip-country.mmdb")
    }

    #[test]
    fn addresses_have_countries() {
        let file = CountryFile::open(&pinned()).unwrap();
        assert_eq!(file.sha256().len(), 64);
        assert!(file.built() > 1_700_000_000);
        for (address, country) in [
            ("193.1.0.1", Some("IE")),
            ("129.240.2.6", Some("NO")),
            ("2001:700:100::1", Some("NO")),
            ("1.2.4.8", Some("CN")),
            ("::ffff:1.2.4.8", Some("CN")),
            ("8.8.8.8", Some("US")),
            ("10.0.0.1", None),
            ("192.168.1.1", None),
            ("fd00::1", None),
            ("127.0.0.1", None),
            ("0.0.0.0", None),
        ] {
            let found = file.country(address.parse().unwrap());
            assert_eq!(found, country.and_then(Country::parse), "{address}");
        }
    }

    #[test]
    fn hosts_are_judged_by_networks_first_and_then_by_the_file() {
        let hosts = Hosts {
            networks: vec![Network::parse("10.1.0.0/16").unwrap()],
            region: ["IE", "NO"].map(|code| Country::parse(code).unwrap()).to_vec(),
            places: Some(Box::new(CountryFile::open(&pinned()).unwrap())),
        };
        let word = |address: &str| match hosts.judge_address(address.parse().unwrap()) {
            Standing::Inside => "inside",
            Standing::Outside(_) => "outside",
            Standing::Unknown(_) => "unknown",
        };
        for (address, expected) in [
            ("193.1.0.1", "inside"),
            ("10.1.2.3", "inside"),
            ("10.2.2.3", "unknown"),
            ("1.2.4.8", "outside"),
            ("8.8.8.8", "outside"),
        ] {
            assert_eq!(word(address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_country_file_is_refused() {
        let missing = CountryFile::open(Path::new("/nowhere/country.mmdb")).unwrap_err();
        assert!(matches!(missing, CountryFileError::File { .. }), "{missing}");
        let other = CountryFile::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap_err();
        assert!(matches!(other, CountryFileError::Format { .. }), "{other}");
    }
}
