//! What an enclave's checker goes by: its own folder (how it logs in, how often it looks, the country file, networks), and
//! the bundle, which says what may be at each site. Not here: looking.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ::residency::{Country, CountryFile, Hosts, Network, Site, Target};
use serde::{Deserialize, Serialize};

use crate::enclave::estate::Estate;
use crate::enclave::ports::Ports;
use crate::enclave::ready::{DATABASE, HOST};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};
use crate::terminal;

/// In the checker's folder.
const SETTINGS: &str = "checker.toml";
const PASSWORDS: &str = "passwords.json";
const COUNTRIES: &str = "country.mmdb";
/// The certificate of the authority that signs the sites', in the operator's folder.
const SITES_CA: &str = "ca.pem";
const EVERY_SECONDS: u32 = 60;
/// Looking takes part of a second.
const EVERY_SECONDS_MAX: u32 = 3_600;

/// DIR/residency/checker.toml.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// How often the watch looks.
    every_seconds: u32,
    /// A country file in this folder, or its path; absent: which country an address is in is known to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country_file: Option<String>,
    /// Networks that are inside, whatever the country file says: private ones are in no such file.
    networks: Vec<String>,
}

/// Everything that a look needs.
pub(crate) struct Checker {
    pub(crate) sites: Vec<Site>,
    pub(crate) hosts: Hosts,
    pub(crate) country_file: Option<tlog::detail::CountryFile>,
    pub(crate) every_seconds: u32,
    /// What it was read from: another one is read when this changes.
    pub(crate) basis: Vec<Vec<u8>>,
}

/// Writes what the checker goes by where it is not there, and takes over a country file that is named.
pub(crate) fn write_first(folder: &Folder, country_file: Option<&Path>) -> Result<(), Ended> {
    let path = folder.residency(SETTINGS);
    let mut settings = if path.exists() {
        read_settings(folder)?
    } else {
        Settings { every_seconds: EVERY_SECONDS, country_file: None, networks: Vec::new() }
    };
    let before = settings.clone();
    if let Some(from) = country_file {
        // Read before it is taken over: a checker that cannot read its country file looks at nothing.
        CountryFile::open(from).or_cannot_tell("--country-file")?;
        let bytes = std::fs::read(from).or_cannot_tell(format!("reading {}", from.display()))?;
        let to = folder.residency(COUNTRIES);
        if std::fs::read(&to).ok().as_deref() != Some(&*bytes) {
            folder::write_public(&to, &bytes)?;
        }
        settings.country_file = Some(COUNTRIES.to_owned());
    }
    if settings == before && path.exists() {
        return Ok(());
    }
    let text = toml::to_string(&settings).or_cannot_tell(format!("writing {SETTINGS}"))?;
    folder::write_public(&path, text.as_bytes())
}

fn read_settings(folder: &Folder) -> Result<Settings, Ended> {
    let path = folder.residency(SETTINGS);
    let settings: Settings =
        toml::from_str(&folder::read_text(&path)?).or_cannot_tell(format!("reading {}", path.display()))?;
    if !(1..=EVERY_SECONDS_MAX).contains(&settings.every_seconds) {
        let asked = settings.every_seconds;
        return Err(Ended::cannot_tell(format!(
            "{}: every_seconds = {asked}; write a number from 1 to {EVERY_SECONDS_MAX}",
            path.display()
        )));
    }
    Ok(settings)
}

impl Checker {
    /// What the enclave's folder says now.
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        let basis = Self::basis(folder)?;
        let settings = read_settings(folder)?;
        let estate = Estate::read(folder)?;
        let (bundle, homes) = (estate.bundle(), estate.homes()?);
        let ports = Ports::read(folder)?;
        let passwords: BTreeMap<String, String> = folder::read_json(&folder.residency(PASSWORDS))?;
        let ca = folder.operator(SITES_CA);
        let site = |site: &policy::Site| {
            let name = site.name.clone();
            let lacks = |what: &str| Ended::cannot_tell(format!("no {what} is kept for site {name}"));
            let port = ports.sites.get(&site.name).ok_or_else(|| lacks("port"))?;
            let password = passwords.get(&site.name).ok_or_else(|| lacks("password of the checker"))?;
            let words = format!(
                "host={HOST} port={port} dbname={DATABASE} user={} sslmode=verify-full sslrootcert='{}'",
                wall::names::RESIDENCY,
                ca.display().to_string().replace('\\', "\\\\").replace('\'', "\\'"),
            );
            let target = Target::parse(&words, Some(password)).or_cannot_tell(format!("site {name}"))?;
            let expectations = ::residency::of_enclave(bundle, homes.now(), &site.name)
                .or_cannot_tell(format!("site {name}"))?;
            Ok(Site { name: site.name.clone(), target, expectations })
        };
        let sites = bundle.enclave().sites.iter().map(site).collect::<Result<_, Ended>>()?;
        let (places, country_file) = countries(folder, &settings);
        let hosts = Hosts {
            networks: networks(folder, &settings)?,
            region: bundle.enclave().region.iter().copied().collect::<Vec<Country>>(),
            places,
        };
        Ok(Self { sites, hosts, country_file, every_seconds: settings.every_seconds, basis })
    }

    /// What it would be read from now.
    pub(crate) fn basis(folder: &Folder) -> Result<Vec<Vec<u8>>, Ended> {
        let files = [
            folder.bundle_note(),
            folder.run("ports.json"),
            folder.residency(SETTINGS),
            folder.residency(PASSWORDS),
        ];
        let read = |path: &PathBuf| std::fs::read(path).or_cannot_tell(format!("reading {}", path.display()));
        let mut basis = files.iter().map(read).collect::<Result<Vec<_>, Ended>>()?;
        // Nobody has stated anything before the first time.
        basis.push(std::fs::read(folder.gate(access::HOMES_FILE)).unwrap_or_default());
        Ok(basis)
    }
}

type Places = Option<Box<dyn ::residency::Places>>;

/// A country file that cannot be read: what only it would know is unknown, and the rest is looked at.
struct Unreadable;

impl ::residency::Places for Unreadable {
    fn country(&self, _: IpAddr) -> Option<Country> {
        None
    }
}

/// The country file, and which one it is.
fn countries(folder: &Folder, settings: &Settings) -> (Places, Option<tlog::detail::CountryFile>) {
    let Some(named) = &settings.country_file else { return (None, None) };
    match CountryFile::open(&folder.residency(named)) {
        Ok(file) => {
            let which = tlog::detail::CountryFile { built: file.built(), sha256: file.sha256().to_owned() };
            (Some(Box::new(file)), Some(which))
        }
        Err(error) => {
            terminal::complain(&format!("country_file of {SETTINGS}: {error}"));
            (Some(Box::new(Unreadable)), None)
        }
    }
}

fn networks(folder: &Folder, settings: &Settings) -> Result<Vec<Network>, Ended> {
    let network = |text: &String| {
        Network::parse(text).ok_or_else(|| {
            Ended::cannot_tell(format!(
                "{}: networks: {text:?} is not a first address and the length of a prefix, such as 10.1.0.0/16",
                folder.residency(SETTINGS).display()
            ))
        })
    };
    settings.networks.iter().map(network).collect()
}
