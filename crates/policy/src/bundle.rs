//! A policy bundle: its files read once into checked parts, and the decision made from them. The only door: either
//! everything holds or nothing is returned. Not here: signatures over a bundle, reading a folder.

mod together;

use core::net::IpAddr;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::catalog::{self, Catalog};
use crate::decide::{Asking, Ground};
use crate::directory::{self, Directory, Principal};
use crate::enclave::{self, Enclave, NamedProfile, TICKET_BYTES_MAX, is_ticket};
use crate::error::{ConfigError, Problems};
use crate::files::{CATALOG, DIRECTORY, ENCLAVE, check_file, check_files, hash};
use crate::lint::lint;
use crate::names::Place;
use crate::permit::{
    self, Answers, Ask, Denial, Permit, RULE_MALFORMED_TICKET, RULE_NOT_PROVISIONED, RULE_NOTHING_DISCLOSED,
    RULE_UNKNOWN_PLACE, RULE_UNKNOWN_PRINCIPAL, RULE_UNKNOWN_PURPOSE,
};
use crate::profile::{Disclosed, PolicyHash, Profile};
use crate::rules::{self, Rules};
use crate::world::{CedarFault, World};

/// Most decisions that are remembered; then all are forgotten and made again.
const REMEMBERED_MAX: usize = 4_096;
/// How much of a text from outside is repeated in a denial.
const QUOTED_CHARS_MAX: usize = 64;

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
    remembered: Mutex<HashMap<Seen, Result<Arc<Profile>, Denial>>>,
}

/// All of a request that policy can see.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Seen {
    principal: String,
    place: Place,
    purpose: Option<String>,
    ticket: bool,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("enclave", &self.enclave.name).field("hash", &self.hash).finish()
    }
}

impl Catalog {
    /// Checks a catalog by itself, from the text of a `catalog.toml`.
    ///
    /// # Errors
    /// Everything that is wrong with it, in the order of the file.
    pub fn read(text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut errors = Vec::new();
        let catalog = check_file(&BTreeMap::from([(CATALOG, text)]), CATALOG, &mut errors, catalog::check);
        catalog.filter(|_| errors.is_empty()).ok_or(errors)
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
        if let (Some(enclave), Some(catalog), Some(directory)) = (&enclave, &catalog, &directory) {
            let text = texts.get(ENCLAVE).copied().unwrap_or_default();
            errors.extend(together::check(enclave, catalog, directory, text));
        }
        let placed = rules::parse(&texts, &mut errors);
        let (Some(enclave), Some(catalog), Some(directory)) = (enclave, catalog, directory) else {
            return Err(errors);
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        let unforeseen = |fault: CedarFault| vec![fault.into_error(ENCLAVE)];
        let schema = rules::schema().map_err(unforeseen)?;
        let world = World::new(&schema, &enclave, &catalog, &directory).map_err(unforeseen)?;
        let rules = Rules::check(placed, schema, &world)?;
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

    /// The place whose network holds this address, by the longest prefix; none when no network does.
    pub fn place_of_address(&self, address: IpAddr) -> Option<(&str, Place)> {
        self.enclave.place_of_address(address)
    }

    /// Decides whether somebody may connect, and as which profile. Deterministic.
    pub fn decide(&self, ask: &Ask<'_>) -> Result<Permit, Denial> {
        let principal = self.check_ask(ask)?;
        let seen = Seen {
            principal: principal.name.clone(),
            place: ask.place,
            purpose: ask.purpose.map(str::to_owned),
            ticket: ask.ticket.is_some(),
        };
        let before = self.remembered.lock().ok().and_then(|known| known.get(&seen).cloned());
        let answer = before.unwrap_or_else(|| {
            let answer = self.profile_for(principal, ask);
            if let Ok(mut known) = self.remembered.lock() {
                if known.len() >= REMEMBERED_MAX {
                    known.clear();
                }
                known.insert(seen, answer.clone());
            }
            answer
        });
        answer
            .map(|profile| Permit::new(principal, ask, profile, self.hash, self.enclave.limits_of(principal)))
    }

    /// What is permitted of each table, and by which policy. For people; `decide` is what counts.
    pub fn answers(&self, ask: &Ask<'_>) -> Result<Answers, Denial> {
        let principal = self.check_ask(ask)?;
        let fault = |fault: CedarFault| crate::decide::fault_denial(&fault);
        let asking = self.asking(principal, ask).map_err(fault)?;
        let rule = asking.connect()?;
        let (tables, _) = asking.answers().map_err(fault)?;
        Ok(Answers { rule, tables })
    }

    /// What the policy with this `@id` says whoever is refused would need; none for a rule that is built in.
    pub fn needs(&self, rule: &str) -> Option<&str> {
        Some(self.rules.needs(rule)).filter(|needs| !needs.is_empty())
    }

    /// The request as it is recorded, also when it is denied. Same as [`Permit::request`] when it is permitted.
    pub fn request(&self, ask: &Ask<'_>) -> serde_json::Value {
        let roles = self.directory.principal(ask.principal).map(|principal| &principal.roles);
        let roles = roles.into_iter().flatten().map(String::as_str);
        permit::request(ask.principal, roles, ask.place, ask.purpose, ask.ticket)
    }

    pub(crate) fn asking<'a>(
        &'a self,
        principal: &'a Principal,
        ask: &'a Ask<'a>,
    ) -> Result<Asking<'a>, CedarFault> {
        let Self { enclave, catalog, rules, world, .. } = self;
        Asking::new(Ground { enclave, catalog, rules, world }, principal, ask)
    }

    /// What no policy can permit.
    fn check_ask(&self, ask: &Ask<'_>) -> Result<&Principal, Denial> {
        let deny =
            |rule: &str, sentence: String, needs: String| Denial { rule: rule.into(), sentence, needs };
        let principal = self.directory.principal(ask.principal).ok_or_else(|| {
            let sentence = format!("`{}` is not in the directory", quoted(ask.principal));
            deny(RULE_UNKNOWN_PRINCIPAL, sentence, "an entry in the signed directory".into())
        })?;
        if let Some(purpose) = ask.purpose
            && !self.enclave.purposes.contains(purpose)
        {
            let purposes: Vec<_> = self.enclave.purposes.iter().map(String::as_str).collect();
            let sentence = format!("`{}` is not a purpose of this enclave", quoted(purpose));
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

    fn disclosed(&self, principal: &Principal, ask: &Ask<'_>) -> Result<Disclosed, Denial> {
        let asking = self.asking(principal, ask).map_err(|fault| crate::decide::fault_denial(&fault))?;
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
            let problem = format!("its exemplar is refused by `{}`: {}", denial.rule, denial.sentence);
            (problem, format!("choose one that is permitted; needed: {}", denial.needs))
        };
        let principal = self.check_ask(&ask).map_err(refused)?;
        let disclosed = self.disclosed(principal, &ask).map_err(refused)?;
        disclosed.named(&named.name).map_err(|error| (error.to_string(), "report this".to_owned()))
    }
}

/// Text from outside, fit for a sentence.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect()
}
