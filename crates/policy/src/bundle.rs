//! A policy bundle: its files read once into checked parts, and the decision made from them. The only door: either
//! everything holds or nothing is returned. Not here: signatures over a bundle, reading a folder.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::catalog::{self, Catalog};
use crate::decide::Asking;
use crate::directory::{self, Directory, Principal};
use crate::enclave::{self, Enclave, NamedProfile, TICKET_BYTES_MAX, is_ticket};
use crate::error::{ConfigError, Problems};
use crate::names::Place;
use crate::permit::{
    self, Ask, Denial, GroupAnswer, Permit, RULE_MALFORMED_TICKET, RULE_NOT_PROVISIONED,
    RULE_NOTHING_DISCLOSED, RULE_UNKNOWN_PLACE, RULE_UNKNOWN_PRINCIPAL, RULE_UNKNOWN_PURPOSE,
};
use crate::profile::{PolicyHash, Profile, lint};
use crate::rules::{Rules, schema};
use crate::world::World;

/// Largest file of a bundle, in bytes.
pub const FILE_BYTES_MAX: usize = 1_048_576;
/// Most files of a bundle.
pub const FILES_MAX: usize = 256;
/// Most decisions that are remembered; then all are forgotten and made again.
const REMEMBERED_MAX: usize = 4_096;

const ENCLAVE: &str = "enclave.toml";
const CATALOG: &str = "catalog.toml";
const DIRECTORY: &str = "directory.toml";

/// Whether a file at this path (relative, with `/`) belongs to a bundle. Others must not be handed to
/// [`Bundle::read`], which refuses them.
pub fn is_bundle_path(path: &str) -> bool {
    let policy = path.strip_prefix("policy/").and_then(|name| name.strip_suffix(".cedar"));
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    [ENCLAVE, CATALOG, DIRECTORY].contains(&path)
        || policy.is_some_and(|name| !name.is_empty() && plain(name))
}

/// A checked bundle.
pub struct Bundle {
    hash: PolicyHash,
    enclave: Enclave,
    catalog: Catalog,
    directory: Directory,
    rules: Rules,
    world: World,
    profiles: Vec<Arc<Profile>>,
    /// Decisions are pure, so remembering one changes nothing but the time it takes.
    remembered: Mutex<HashMap<Request, Result<Arc<Profile>, Denial>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Request {
    principal: String,
    place: Place,
    purpose: Option<String>,
    ticket: Option<String>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("enclave", &self.enclave.name).field("hash", &self.hash).finish()
    }
}

impl Bundle {
    /// Checks everything: each file by itself, what they say of each other, the policies against the schema, and what
    /// they disclose under each profile. All errors are returned, those of a file in its order.
    pub fn read(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let texts = check_files(files, &mut errors);
        let enclave = check_file(&texts, ENCLAVE, &mut errors, enclave::check);
        let catalog = check_file(&texts, CATALOG, &mut errors, catalog::check);
        let places = enclave.as_ref().map(|enclave| enclave.places.as_slice());
        let directory =
            check_file(&texts, DIRECTORY, &mut errors, |raw, found| directory::check(raw, places, found));
        let (Some(enclave), Some(catalog), Some(directory)) = (enclave, catalog, directory) else {
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let unforeseen = |fault: crate::world::CedarFault| {
            let remedy = "report this: the checks before should have found it".to_owned();
            vec![ConfigError { file: ENCLAVE.into(), line: None, key: None, problem: fault.0, remedy }]
        };
        let schema = schema().map_err(unforeseen)?;
        let world = World::new(&schema, &enclave, &catalog, &directory).map_err(unforeseen)?;
        let policies: Vec<_> =
            texts.iter().filter(|(path, _)| path.starts_with("policy/")).map(|(p, t)| (*p, *t)).collect();
        let rules = Rules::read(&policies, schema, &world)?;
        let remembered = Mutex::new(HashMap::new());
        let (hash, profiles) = (hash(files), Vec::new());
        let mut bundle = Self { hash, enclave, catalog, directory, rules, world, profiles, remembered };
        bundle.profiles = bundle.compile(texts.get(ENCLAVE).copied().unwrap_or_default())?;
        Ok(bundle)
    }

    /// SHA-256 over the files, in the order of their paths: path, 0, length in decimal, 0, bytes.
    pub fn hash(&self) -> PolicyHash {
        self.hash
    }

    /// From `enclave.toml`.
    pub fn enclave(&self) -> &Enclave {
        &self.enclave
    }

    /// From `catalog.toml`.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// From `directory.toml`.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The profiles that are provisioned, in the order of `enclave.toml`.
    pub fn profiles(&self) -> &[Arc<Profile>] {
        &self.profiles
    }

    /// The place that a listener or network of this name stands for; unknown unless it is mapped to a country.
    pub fn place_of(&self, listener: &str) -> Place {
        self.enclave.place_of(listener)
    }

    /// Decides whether somebody may connect, and as which profile. Deterministic.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Permit, Denial> {
        let principal = self.check_ask(ask)?;
        let request = Request {
            principal: principal.name.clone(),
            place: ask.place,
            purpose: ask.purpose.map(str::to_owned),
            ticket: ask.ticket.map(str::to_owned),
        };
        let before = self.remembered.lock().ok().and_then(|known| known.get(&request).cloned());
        let answer = before.unwrap_or_else(|| {
            let answer = self.profile_for(principal, ask);
            if let Ok(mut known) = self.remembered.lock() {
                if known.len() >= REMEMBERED_MAX {
                    known.clear();
                }
                known.insert(request, answer.clone());
            }
            answer
        });
        answer.map(|profile| Permit::new(principal, ask, profile, self.hash))
    }

    /// What is permitted for each group of columns, and by which policy. For people; `decide` is what counts.
    pub fn column_groups(&self, ask: &Ask<'_>) -> Result<Vec<GroupAnswer>, Denial> {
        let principal = self.check_ask(ask)?;
        let asking = self.asking(principal, ask);
        asking.connect()?;
        let fault = |fault: crate::world::CedarFault| crate::decide::fault_denial(&fault);
        asking.groups().map(|(answers, _)| answers).map_err(fault)
    }

    /// The request as it is recorded, also when it is denied. Same as [`Permit::request`] when it is permitted.
    pub fn request(&self, ask: &Ask<'_>) -> serde_json::Value {
        let roles = self.directory.principal(ask.principal).map(|principal| &principal.roles);
        let roles = roles.into_iter().flatten().map(String::as_str);
        permit::request(ask.principal, roles, ask.place, ask.purpose, ask.ticket)
    }

    fn asking<'a>(&'a self, principal: &'a Principal, ask: &'a Ask<'a>) -> Asking<'a> {
        let Self { enclave, catalog, rules, world, .. } = self;
        Asking { enclave, catalog, rules, world, principal, ask }
    }

    /// What no policy can permit.
    fn check_ask(&self, ask: &Ask<'_>) -> Result<&Principal, Denial> {
        let deny =
            |rule: &str, sentence: String, needs: String| Denial { rule: rule.into(), sentence, needs };
        let principal = self.directory.principal(ask.principal).ok_or_else(|| {
            let sentence = format!("`{}` is not in the directory", ask.principal.escape_debug());
            deny(RULE_UNKNOWN_PRINCIPAL, sentence, "an entry in the signed directory".into())
        })?;
        if let Some(purpose) = ask.purpose
            && !self.enclave.purposes.contains(purpose)
        {
            let purposes: Vec<_> = self.enclave.purposes.iter().map(String::as_str).collect();
            let sentence = format!("`{}` is not a purpose of this enclave", purpose.escape_debug());
            return Err(deny(RULE_UNKNOWN_PURPOSE, sentence, format!("one of: {}", purposes.join(", "))));
        }
        if ask.ticket.is_some_and(|ticket| !is_ticket(ticket)) {
            let needs = format!("letters, digits and - _ . / # :, at most {TICKET_BYTES_MAX} bytes");
            return Err(deny(RULE_MALFORMED_TICKET, "the ticket is not well-formed".into(), needs));
        }
        Ok(principal)
    }

    fn profile_for(&self, principal: &Principal, ask: &Ask<'_>) -> Result<Arc<Profile>, Denial> {
        let disclosed = self.disclosed(principal, ask)?;
        self.profiles.iter().find(|profile| disclosed.is(profile)).cloned().ok_or_else(|| {
            let tables: Vec<_> = disclosed
                .tables
                .iter()
                .map(|table| {
                    format!("{} columns of `{}` ({})", table.columns.len(), table.table, table.scope)
                })
                .collect();
            Denial {
                rule: RULE_NOT_PROVISIONED.into(),
                sentence: format!(
                    "no profile discloses just what policy permits here: {}",
                    tables.join(", ")
                ),
                needs: format!(
                    "a profile in {ENCLAVE} with this request as its exemplar, applied at the sites"
                ),
            }
        })
    }

    fn disclosed(&self, principal: &Principal, ask: &Ask<'_>) -> Result<crate::profile::Disclosed, Denial> {
        let asking = self.asking(principal, ask);
        asking.connect()?;
        // Promise 7 does not depend on a policy having been written.
        if ask.place == Place::Unknown {
            return Err(Denial {
                rule: RULE_UNKNOWN_PLACE.into(),
                sentence: format!("`{}` connects from an unknown place", principal.name),
                needs: "a listener or network that is mapped to a country".into(),
            });
        }
        let disclosed = asking.disclosed()?;
        if disclosed.tables.is_empty() {
            return Err(Denial {
                rule: RULE_NOTHING_DISCLOSED.into(),
                sentence: format!("`{}` may connect, but no policy permits to see anything", principal.name),
                needs: "another place, purpose or ticket, or a policy that permits rows and columns".into(),
            });
        }
        Ok(disclosed)
    }

    /// Compiles every named profile from its exemplar, and checks each by itself and against the others.
    fn compile(&self, text: &str) -> Result<Vec<Arc<Profile>>, Vec<ConfigError>> {
        let mut found = Problems::new(ENCLAVE, text);
        let mut profiles: Vec<Arc<Profile>> = Vec::new();
        for named in &self.enclave.profiles {
            let key = format!("profiles.{}", named.name);
            let profile = match self.compile_one(named) {
                Ok(profile) => profile,
                Err((problem, remedy)) => {
                    found.at(named.line.clone(), &key, problem, remedy);
                    continue;
                }
            };
            for (problem, remedy) in lint(&profile, &self.catalog) {
                found.at(named.line.clone(), &key, problem, remedy);
            }
            let same = |other: &&Arc<Profile>| {
                other.tables == profile.tables && other.pseudonym_scope == profile.pseudonym_scope
            };
            if let Some(other) = profiles.iter().find(same) {
                let problem = format!("profile `{}` discloses the same as `{}`", named.name, other.name);
                found.at(named.line.clone(), &key, problem, "remove one of them");
            }
            profiles.push(Arc::new(profile));
        }
        if found.is_empty() { Ok(profiles) } else { Err(found.into_found()) }
    }

    fn compile_one(&self, named: &NamedProfile) -> Result<Profile, (String, String)> {
        let exemplar = &named.exemplar;
        let ask = Ask {
            principal: &exemplar.principal,
            place: self.place_of(&exemplar.place),
            purpose: exemplar.purpose.as_deref(),
            ticket: exemplar.ticket.as_deref(),
        };
        let refused = |denial: Denial| {
            let problem = format!("the exemplar of profile `{}` is refused: {}", named.name, denial.sentence);
            (problem, format!("choose one that is permitted (needed: {})", denial.needs))
        };
        let principal = self.check_ask(&ask).map_err(refused)?;
        let disclosed = self.disclosed(principal, &ask).map_err(refused)?;
        disclosed.named(&named.name).map_err(|error| (error.to_string(), "report this".to_owned()))
    }
}

fn hash(files: &BTreeMap<String, Vec<u8>>) -> PolicyHash {
    let mut digest = Sha256::new();
    for (path, bytes) in files {
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update(bytes.len().to_string().as_bytes());
        digest.update([0]);
        digest.update(bytes);
    }
    PolicyHash(digest.finalize().into())
}

/// Which files there are, and that each is text.
fn check_files<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    errors: &mut Vec<ConfigError>,
) -> BTreeMap<&'a str, &'a str> {
    let mut whole = |file: &str, problem: String, remedy: String| {
        errors.push(ConfigError { file: file.to_owned(), line: None, key: None, problem, remedy });
    };
    let mut texts = BTreeMap::new();
    if files.len() > FILES_MAX {
        whole("policy", format!("there are {} files", files.len()), format!("use at most {FILES_MAX}"));
    }
    for (path, bytes) in files {
        if !is_bundle_path(path) {
            let remedy =
                format!("remove it: a bundle is {ENCLAVE}, {CATALOG}, {DIRECTORY} and policy/*.cedar");
            whole(path, "this file does not belong to a bundle".into(), remedy);
        } else if bytes.len() > FILE_BYTES_MAX {
            whole(
                path,
                format!("the file has {} bytes", bytes.len()),
                format!("use at most {FILE_BYTES_MAX}"),
            );
        } else {
            match std::str::from_utf8(bytes) {
                Ok(text) => {
                    texts.insert(path.as_str(), text);
                }
                Err(error) => whole(path, error.to_string(), "save the file as UTF-8".into()),
            }
        }
    }
    for path in [ENCLAVE, CATALOG, DIRECTORY] {
        if !files.contains_key(path) {
            whole(path, "the file is missing".into(), "add it to the bundle".into());
        }
    }
    if !files.keys().any(|path| path.starts_with("policy/")) {
        whole("policy", "there is no policy".into(), "add at least one policy/*.cedar file".into());
    }
    texts
}

/// One TOML file, from text to its checked form; none when the text is missing or has another shape.
fn check_file<R: serde::de::DeserializeOwned, C>(
    texts: &BTreeMap<&str, &str>,
    path: &str,
    errors: &mut Vec<ConfigError>,
    check: impl FnOnce(R, &mut Problems<'_>) -> C,
) -> Option<C> {
    let text = texts.get(path)?;
    let mut found = Problems::new(path, text);
    let checked = match toml::from_str::<Spanned<R>>(text) {
        Ok(raw) => Some(check(raw.into_inner(), &mut found)),
        Err(error) => {
            let key = error.message().split('`').nth(1).unwrap_or_default().to_owned();
            let remedy = "correct it; the example enclave shows every key";
            match error.span() {
                Some(span) => found.at(span, &key, error.message().to_owned(), remedy),
                None => found.whole(error.message().to_owned(), remedy),
            }
            None
        }
    };
    errors.append(&mut found.into_found());
    checked
}
