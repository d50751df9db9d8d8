//! The enclave: its name, region, sites, the places people ask from, and the names of its profiles. Read from
//! `enclave.toml`. Not here: what a profile discloses (`profile`), which is decided by policy and not written down.

mod limits;
mod networks;
mod retention;
mod services;
mod witnesses;

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use crate::directory::Principal;
use crate::error::Problems;
use crate::names::{Country, NameKind, Place};
use crate::raw::{RawEnclave, RawExemplar, RawPlace, RawProfile, RawSite, Text};

pub use limits::{Limit, LimitRule, Per, Whose};
pub use networks::Network;
pub use services::Service;
pub(crate) use witnesses::OneOrMore;
pub use witnesses::{Witness, Witnesses};

/// Most sessions of one profile at one site: their number has three digits in a pool role's name.
pub const SESSIONS_PER_PROFILE_MAX: u16 = 999;
/// Longest deadline: a week.
const SECONDS_MAX: u32 = 604_800;
/// Longest ticket, in bytes.
pub const TICKET_BYTES_MAX: usize = 64;

/// Behind a site's name, its standby's.
const STANDBY: &str = "-standby";

/// Names that a profile may not have, because its views live in a schema of that name.
const SCHEMAS_TAKEN: [&str; 3] = ["public", "pseudonym", "trefoil"];

/// One region's protected data estate.
#[derive(Debug)]
#[non_exhaustive]
pub struct Enclave {
    /// Such as `europe`.
    pub name: String,
    /// Countries that are inside.
    pub region: BTreeSet<Country>,
    /// The closed list of purposes.
    pub purposes: BTreeSet<String>,
    /// Pool roles made per profile and site: 1 to [`SESSIONS_PER_PROFILE_MAX`].
    pub sessions_per_profile: u16,
    /// In the order of the file.
    pub sites: Vec<Site>,
    /// In the order of the file.
    pub places: Vec<PlaceMap>,
    /// In the order of the file.
    pub profiles: Vec<NamedProfile>,
    /// In the order of the file.
    pub limits: Vec<LimitRule>,
    /// Longest time that a statement may take; none: any time.
    pub statement_seconds_max: Option<u32>,
    /// Longest time between two statements; none: any time.
    pub idle_seconds_max: Option<u32>,
    /// Programs that connect to a site directly, from inside the enclave. In the order of the file.
    pub services: Vec<Service>,
    /// age X25519 recipient of the auditor, who opens details too; none: there is no auditor.
    pub auditor: Option<String>,
    /// By retention class, the days for which a day's key must be kept. The keys of a class that is not here are not
    /// forgotten.
    pub retention_days_min: BTreeMap<String, u32>,
    /// Who cosigns the record beside the monitor.
    pub witnesses: Witnesses,
}

/// A data centre of the enclave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Site {
    /// At most [`crate::SITE_NAME_BYTES_MAX`] bytes of `[a-z0-9-]`.
    pub name: String,
    /// One of the region's.
    pub country: Country,
    /// Whether a commit here is acknowledged only when a sibling has it too: no failover loses it.
    pub synchronous: bool,
    /// Whether it has a second server, which follows the first and serves who only reads.
    pub standby: bool,
}

/// What a site's standby is called, where its servers are told apart.
pub fn standby_of(site: &str) -> String {
    format!("{site}{STANDBY}")
}

/// A listener or network, and the country it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlaceMap {
    /// Such as `ireland`.
    pub name: String,
    /// None: not mapped, so `unknown`.
    pub country: Option<Country>,
    /// Addresses that are this place when a trusted proxy names them. In the order of the file.
    pub networks: Vec<Network>,
}

/// A profile that is provisioned: whatever its exemplar is permitted to see is what it discloses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedProfile {
    /// Also the name of the schema that clients see.
    pub name: String,
    /// The request it is compiled from.
    pub exemplar: Exemplar,
    /// Line of `enclave.toml`.
    pub(crate) line: std::ops::Range<usize>,
}

/// A request that yields a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exemplar {
    /// Of the directory.
    pub principal: String,
    /// Name of a place.
    pub place: String,
    /// Of the enclave's purposes.
    pub purpose: Option<String>,
    /// As a client would state it.
    pub ticket: Option<String>,
}

impl Enclave {
    /// What a listener's name stands for; an unheard-of name is `unknown`.
    pub(crate) fn place_of(&self, listener: &str) -> Place {
        let found = self.places.iter().find(|place| place.name == listener);
        found.map_or(Place::Unknown, PlaceMap::place)
    }

    pub(crate) fn place_of_address(&self, address: IpAddr) -> Option<(&str, Place)> {
        let networks =
            self.places.iter().flat_map(|place| place.networks.iter().map(move |one| (one, place)));
        let holding = networks.filter(|(network, _)| network.holds(address));
        holding
            .max_by_key(|(network, _)| network.prefix())
            .map(|(_, place)| (place.name.as_str(), place.place()))
    }

    /// The site one of whose servers has this name: the site's own, or its standby's.
    pub fn site_of_server(&self, server: &str) -> Option<&Site> {
        let named = |site: &&Site| site.name == server || (site.standby && standby_of(&site.name) == server);
        self.sites.iter().find(named)
    }

    /// The limits that are this principal's.
    pub(crate) fn limits_of(&self, principal: &Principal) -> Vec<Limit> {
        self.limits
            .iter()
            .filter(|rule| rule.whose.covers(principal))
            .map(|rule| rule.limit.clone())
            .collect()
    }
}

impl PlaceMap {
    fn place(&self) -> Place {
        self.country.map_or(Place::Unknown, Place::Country)
    }
}

/// Whether a ticket may be recorded and compared: printable ASCII without spaces, quotes or backslashes.
pub(crate) fn is_ticket(text: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b"-_./#:".contains(&b);
    !text.is_empty() && text.len() <= TICKET_BYTES_MAX && text.bytes().all(letter)
}

pub(crate) fn check(raw: RawEnclave, found: &mut Problems<'_>) -> Enclave {
    let region = check_region(raw.region, found);
    let purposes = check_names(raw.purposes, "purposes", NameKind::Name, found);
    let sessions_per_profile = *raw.sessions_per_profile.get_ref();
    if !(1..=SESSIONS_PER_PROFILE_MAX).contains(&sessions_per_profile) {
        let problem = format!("{sessions_per_profile} sessions per profile cannot be provisioned");
        let remedy = format!("use 1 to {SESSIONS_PER_PROFILE_MAX}");
        found.at(raw.sessions_per_profile.span(), "sessions_per_profile", problem, remedy);
    }
    let sites_at = raw.sites.span();
    let sites = check_sites(raw.sites.into_inner(), &region, found);
    if sites.is_empty() {
        found.at(
            sites_at,
            "sites",
            "no usable site is named".into(),
            "name at least one site and its country",
        );
    }
    let places = check_places(raw.places, found);
    let profiles_at = raw.profiles.span();
    let profiles = check_profiles(raw.profiles.into_inner(), &places, &purposes, found);
    if profiles.is_empty() {
        let remedy = "name at least one profile and its exemplar: nobody could connect otherwise";
        found.at(profiles_at, "profiles", "no usable profile is named".into(), remedy);
    }
    let name = check_name(raw.name, "name", NameKind::Name, found);
    let limits = limits::check(raw.limits.unwrap_or_default(), found);
    let statement_seconds_max = check_seconds(raw.statement_seconds_max, "statement_seconds_max", found);
    let idle_seconds_max = check_seconds(raw.idle_seconds_max, "idle_seconds_max", found);
    let services = services::check(raw.services.unwrap_or_default(), &sites, found);
    let auditor = raw.auditor.and_then(|text| retention::check_auditor(text, found));
    let retention_days_min = retention::check(raw.retention_days_min.unwrap_or_default(), found);
    let witnesses = raw.record.map(|raw| witnesses::check(raw, found)).unwrap_or_default();
    Enclave {
        name,
        region,
        purposes,
        sessions_per_profile,
        sites,
        places,
        profiles,
        limits,
        statement_seconds_max,
        idle_seconds_max,
        services,
        auditor,
        retention_days_min,
        witnesses,
    }
}

fn check_seconds(raw: Option<Spanned<u32>>, key: &str, found: &mut Problems<'_>) -> Option<u32> {
    let seconds = *raw.as_ref()?.get_ref();
    if !(1..=SECONDS_MAX).contains(&seconds) {
        let problem = format!("{seconds} seconds are no deadline");
        let remedy = format!("use 1 to {SECONDS_MAX}, or leave the key out");
        found.at(raw?.span(), key, problem, remedy);
    }
    Some(seconds)
}

fn check_region(raw: Vec<Text>, found: &mut Problems<'_>) -> BTreeSet<Country> {
    let mut region = BTreeSet::new();
    for (i, code) in raw.iter().enumerate() {
        let key = format!("region[{i}]");
        if let Some(country) = check_country(code, &key, found)
            && !region.insert(country)
        {
            found.at(code.span(), &key, format!("`{country}` is named twice"), "name it once");
        }
    }
    region
}

fn check_sites(raw: Vec<RawSite>, region: &BTreeSet<Country>, found: &mut Problems<'_>) -> Vec<Site> {
    let (mut sites, mut standbys) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for (i, site) in raw.into_iter().enumerate() {
        let country = check_country(&site.country, &format!("sites[{i}].country"), found);
        let country_at = site.country.span();
        let name = check_new_name(site.name, &format!("sites[{i}].name"), NameKind::Site, &mut seen, found);
        let Some(country) = country else { continue };
        if !region.contains(&country) {
            let problem = format!("site `{name}` is in `{country}`, outside the enclave's region");
            let remedy = "put the site inside, or add the country to `region`";
            found.at(country_at.clone(), &format!("sites[{i}].country"), problem, remedy);
        }
        let standby = site.standby.unwrap_or(false);
        if standby {
            standbys.push((standby_of(&name), i, country_at));
        }
        sites.push(Site { name, country, synchronous: site.synchronous.unwrap_or(false), standby });
    }
    for (name, i, at) in standbys {
        if seen.contains(&name) {
            let problem = format!("the standby would be called `{name}`, as a site is");
            found.at(at, &format!("sites[{i}].standby"), problem, "rename one of the two sites");
        }
    }
    sites
}

fn check_places(raw: Vec<RawPlace>, found: &mut Problems<'_>) -> Vec<PlaceMap> {
    let mut places = Vec::new();
    let mut seen = BTreeSet::new();
    let mut held = BTreeSet::new();
    for (i, place) in raw.into_iter().enumerate() {
        let key = format!("places[{i}].country");
        let country = place.country.as_ref().and_then(|code| check_country(code, &key, found));
        let name = check_new_name(place.name, &format!("places[{i}].name"), NameKind::Name, &mut seen, found);
        let networks = networks::check(
            place.networks.unwrap_or_default(),
            &format!("places[{i}].networks"),
            &mut held,
            found,
        );
        places.push(PlaceMap { name, country, networks });
    }
    places
}

fn check_profiles(
    raw: Vec<RawProfile>,
    places: &[PlaceMap],
    purposes: &BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Vec<NamedProfile> {
    let mut profiles = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, profile) in raw.into_iter().enumerate() {
        let line = profile.name.span();
        let key = format!("profiles[{i}].name");
        let name = check_new_name(profile.name, &key, NameKind::Name, &mut seen, found);
        if SCHEMAS_TAKEN.contains(&name.as_str()) {
            let problem = format!("`{name}` is the name of a schema that exists already");
            found.at(line.clone(), &key, problem, "call the profile something else");
        }
        let key = format!("profiles[{i}].exemplar");
        let exemplar = check_exemplar(profile.exemplar.into_inner(), &key, places, purposes, found);
        profiles.push(NamedProfile { name, exemplar, line });
    }
    profiles
}

fn check_exemplar(
    raw: RawExemplar,
    key: &str,
    places: &[PlaceMap],
    purposes: &BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Exemplar {
    if !places.iter().any(|place| &place.name == raw.place.get_ref()) {
        let problem = format!("there is no place `{}`", raw.place.get_ref());
        found.at(raw.place.span(), &format!("{key}.place"), problem, "use the name of one of `places`");
    }
    if let Some(purpose) = &raw.purpose
        && !purposes.contains(purpose.get_ref())
    {
        let problem = format!("there is no purpose `{}`", purpose.get_ref());
        found.at(purpose.span(), &format!("{key}.purpose"), problem, "use one of `purposes`");
    }
    if let Some(ticket) = &raw.ticket
        && !is_ticket(ticket.get_ref())
    {
        let problem = format!("`{}` is not a ticket", ticket.get_ref().escape_debug());
        let remedy = format!("use letters, digits and - _ . / # :, at most {TICKET_BYTES_MAX} bytes");
        found.at(ticket.span(), &format!("{key}.ticket"), problem, remedy);
    }
    Exemplar {
        principal: raw.principal.into_inner(),
        place: raw.place.into_inner(),
        purpose: raw.purpose.map(Text::into_inner),
        ticket: raw.ticket.map(Text::into_inner),
    }
}

pub(crate) fn check_country(code: &Text, key: &str, found: &mut Problems<'_>) -> Option<Country> {
    let country = Country::parse(code.get_ref());
    if country.is_none() {
        let problem = format!("`{}` is not a country", code.get_ref().escape_debug());
        found.at(code.span(), key, problem, "use an ISO 3166-1 code of two upper-case letters, such as IE");
    }
    country
}

/// A name that is well-formed. The name is returned even when it is not, so that other checks can go on.
pub(crate) fn check_name(name: Text, key: &str, kind: NameKind, found: &mut Problems<'_>) -> String {
    let span = name.span();
    let name = name.into_inner();
    if !kind.accepts(&name) {
        let problem = format!("`{}` cannot be used as a name", name.escape_debug());
        found.at(span, key, problem, kind.remedy());
    }
    name
}

/// A well-formed name that was not in `seen` yet.
pub(crate) fn check_new_name(
    name: Text,
    key: &str,
    kind: NameKind,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> String {
    let span = name.span();
    let name = check_name(name, key, kind, found);
    if !seen.insert(name.clone()) {
        found.at(span, key, format!("`{name}` is named twice"), "name it once");
    }
    name
}

/// A list of different well-formed names.
pub(crate) fn check_names(
    raw: Vec<Text>,
    key: &str,
    kind: NameKind,
    found: &mut Problems<'_>,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (i, name) in raw.into_iter().enumerate() {
        check_new_name(name, &format!("{key}[{i}]"), kind, &mut seen, found);
    }
    seen
}
