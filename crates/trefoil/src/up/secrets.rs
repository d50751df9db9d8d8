//! Passwords: those of the pool roles and of `trefoil_watch`, which the gate holds, and those of the example
//! principals, of which it holds verifiers; and those of direct services and of the monitor, which it does not hold. Made
//! here, once; a role made later gets one when it is made. Those of the residency checker are in its own folder.

use std::collections::BTreeMap;

use access::totp::Secret;
use policy::{Ask, Bundle, Principal};
use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use wire::scram::{ITERATIONS_DEFAULT, SALT_BYTES, Verifier};

use crate::enclave::ready::{Login, Logins};
use crate::ended::{Ended, OrEnded};
use crate::folder::{self, Folder};

/// Direct service to password, in the operator's folder.
const SERVICES: &str = "services.json";
/// Site to the password with which the monitor reads counters there, in the operator's folder.
const STATS: &str = "stats.json";
/// Site to the password with which the monitor ends sessions there, in the operator's folder.
const STOP: &str = "stop.json";
/// Site to the password with which the residency checker looks there, in its folder.
const RESIDENCY: &str = "passwords.json";
/// 24 letters and digits carry 142 bits.
const PASSWORD_CHARS: usize = 24;
/// What a made-up ticket looks like in the printed lines.
const EXAMPLE_TICKET: &str = "T-1234";

/// DIR/gate/secrets.json, as the gate reads it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Secrets {
    /// Pool role to password.
    pub(crate) pool: BTreeMap<String, String>,
    /// Principal to verifier.
    principals: BTreeMap<String, String>,
    /// Site to the password of `trefoil_watch` there.
    watch: BTreeMap<String, String>,
    /// Principal to the secret of one-time codes, base 32.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    totp: BTreeMap<String, String>,
    /// Direct service to its password: in the operator's folder, because the gate has no use for it.
    #[serde(skip)]
    services: BTreeMap<String, String>,
    /// Site to the password of `trefoil_stats` there, which the monitor is told.
    #[serde(skip)]
    pub(crate) stats: BTreeMap<String, String>,
    /// Site to the password of `trefoil_stop` there, which the monitor is told.
    #[serde(skip)]
    pub(crate) stop: BTreeMap<String, String>,
    /// Site to the password of `trefoil_residency` there: in the checker's folder, because the gate has no use for it.
    #[serde(skip)]
    residency: BTreeMap<String, String>,
}

impl Secrets {
    pub(crate) fn read(folder: &Folder) -> Result<Self, Ended> {
        let mut secrets: Self = folder::read_json(&folder.gate("secrets.json"))?;
        secrets.services = folder::read_json(&folder.operator(SERVICES))?;
        secrets.stats = folder::read_json(&folder.operator(STATS))?;
        secrets.stop = folder::read_json(&folder.operator(STOP))?;
        secrets.residency = folder::read_json(&folder.residency(RESIDENCY))?;
        Ok(secrets)
    }

    pub(crate) fn write(&self, folder: &Folder) -> Result<(), Ended> {
        folder::write_secret(&folder.operator(SERVICES), &folder::json_bytes(&self.services)?)?;
        folder::write_secret(&folder.operator(STATS), &folder::json_bytes(&self.stats)?)?;
        folder::write_secret(&folder.operator(STOP), &folder::json_bytes(&self.stop)?)?;
        folder::write_secret(&folder.residency(RESIDENCY), &folder::json_bytes(&self.residency)?)?;
        folder::write_secret(&folder.gate("secrets.json"), &folder::json_bytes(self)?)
    }

    /// Keeps the passwords that the bundle still has roles for, makes those that are missing, forgets the rest.
    pub(crate) fn complete(&mut self, bundle: &Bundle) {
        let mut of_sites = self.of_sites();
        of_sites.complete(bundle);
        self.pool = of_sites.pool;
        self.watch = of_sites.watch;
        self.services = of_sites.services;
        self.stats = of_sites.stats;
        self.stop = of_sites.stop;
        self.residency = of_sites.residency;
    }

    /// The part that the sites are provisioned with.
    pub(crate) fn of_sites(&self) -> sites::Secrets {
        sites::Secrets {
            pool: self.pool.clone(),
            watch: self.watch.clone(),
            stats: self.stats.clone(),
            stop: self.stop.clone(),
            residency: self.residency.clone(),
            services: self.services.clone(),
        }
    }

    /// Takes the verifiers of these principals' passwords.
    pub(crate) fn set_principals(&mut self, logins: &Logins) -> Result<(), Ended> {
        let verifiers = logins.iter().map(|(name, login)| Ok((name.clone(), verifier(&login.password)?)));
        self.principals = verifiers.collect::<Result<_, Ended>>()?;
        Ok(())
    }

    /// Takes the verifier of this principal's password.
    pub(crate) fn set_principal(&mut self, name: &str, password: &str) -> Result<(), Ended> {
        self.principals.insert(name.to_owned(), verifier(password)?);
        Ok(())
    }

    pub(crate) fn forget_principal(&mut self, name: &str) {
        self.principals.remove(name);
        self.totp.remove(name);
    }

    /// Makes a secret for this principal's one-time codes, in place of the one before.
    pub(crate) fn make_totp(&mut self, name: &str) -> Secret {
        let secret = Secret::new(rand::random());
        self.totp.insert(name.to_owned(), secret.to_text());
        secret
    }

    /// Whether there was one to forget.
    pub(crate) fn forget_totp(&mut self, name: &str) -> bool {
        self.totp.remove(name).is_some()
    }

    /// The secret as it is kept, if there is one.
    pub(crate) fn totp_of(&self, name: &str) -> Option<String> {
        self.totp.get(name).cloned()
    }

    /// Puts back what [`Secrets::totp_of`] gave.
    pub(crate) fn set_totp(&mut self, name: &str, kept: Option<String>) {
        match kept {
            Some(secret) => drop(self.totp.insert(name.to_owned(), secret)),
            None => drop(self.totp.remove(name)),
        }
    }

    pub(crate) fn has_totp(&self, name: &str) -> bool {
        self.totp.contains_key(name)
    }

    pub(crate) fn has_principal(&self, name: &str) -> bool {
        self.principals.contains_key(name)
    }
}

/// A password for every principal of the directory, and what they would connect with.
pub(crate) fn example_logins(bundle: &Bundle) -> Logins {
    let principals = bundle.directory().principals.iter();
    principals.map(|principal| (principal.name.clone(), example_login(bundle, principal))).collect()
}

/// The first of the principal's likely requests that policy permits: as an exemplar says, else from their office,
/// with as little purpose as will do.
fn example_login(bundle: &Bundle, principal: &Principal) -> Login {
    let exemplars = bundle.enclave().profiles.iter().map(|profile| &profile.exemplar);
    let mut likely: Vec<(&str, Option<&str>, Option<&str>)> = exemplars
        .filter(|exemplar| exemplar.principal == principal.name)
        .map(|exemplar| (exemplar.place.as_str(), exemplar.purpose.as_deref(), exemplar.ticket.as_deref()))
        .collect();
    // Their own office first; the sort keeps the order of what compares equal.
    likely.sort_by_key(|(place, ..)| *place != principal.office);
    likely.push((&principal.office, None, None));
    for ticket in [None, Some(EXAMPLE_TICKET)] {
        let purposes = bundle.enclave().purposes.iter();
        likely.extend(purposes.map(|purpose| (principal.office.as_str(), Some(purpose.as_str()), ticket)));
    }
    let permitted = likely.iter().find(|(place, purpose, ticket)| {
        let place = bundle.place_of(place);
        bundle.decide(&Ask { principal: &principal.name, place, purpose: *purpose, ticket: *ticket }).is_ok()
    });
    let (place, purpose, ticket) = permitted.copied().unwrap_or((&principal.office, None, None));
    Login {
        password: random_password(),
        place: place.to_owned(),
        purpose: purpose.map(str::to_owned),
        ticket: ticket.map(str::to_owned),
    }
}

/// One that nobody guesses.
pub(crate) fn random_password() -> String {
    rand::rng().sample_iter(Alphanumeric).take(PASSWORD_CHARS).map(char::from).collect()
}

/// What checks a password, in PostgreSQL's own form. The iterations guard guessable passwords; these are random.
fn verifier(password: &str) -> Result<String, Ended> {
    let salt: [u8; SALT_BYTES] = rand::random();
    let verifier = Verifier::from_password(password, &salt, ITERATIONS_DEFAULT);
    Ok(verifier.or_cannot_tell("making a password's verifier")?.to_string())
}
