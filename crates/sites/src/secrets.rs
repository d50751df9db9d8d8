//! Passwords of the roles that log in over the network. A site keeps only their SCRAM verifiers; the gate holds the
//! pool's and the watch's, and none of a direct service's; the monitor holds its own, and so
//! does the residency checker. Not here: principals' passwords, keys of certificates.

use std::collections::BTreeMap;

use policy::Bundle;
use wire::scram::{ITERATIONS_DEFAULT, SALT_BYTES, Verifier};

use crate::SitesError;

/// Passwords, by role name and by site.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Pool role → its password.
    pub pool: BTreeMap<String, String>,
    /// Site → the password of `trefoil_watch` there.
    pub watch: BTreeMap<String, String>,
    /// Site → the password of `trefoil_stats` there.
    pub stats: BTreeMap<String, String>,
    /// Site → the password of `trefoil_stop` there.
    pub stop: BTreeMap<String, String>,
    /// Site → the password of `trefoil_residency` there.
    pub residency: BTreeMap<String, String>,
    /// Direct service → its password at every site that admits it.
    pub services: BTreeMap<String, String>,
}

impl Secrets {
    /// Makes what a bundle needs and these do not have yet, and forgets what it does not need any more. Says whether
    /// anything changed, so that the caller keeps it.
    pub fn complete(&mut self, bundle: &Bundle) -> bool {
        let before = self.clone();
        let sites = || bundle.enclave().sites.iter().map(|site| site.name.as_str());
        let mut pool = BTreeMap::new();
        for profile in bundle.profiles() {
            for site in sites() {
                for n in 1..=bundle.enclave().sessions_per_profile {
                    let role = wall::names::pool_role(&profile.hash, site, n);
                    let password = self.pool.remove(&role).unwrap_or_else(password);
                    pool.insert(role, password);
                }
            }
        }
        self.pool = pool;
        for of_sites in [&mut self.watch, &mut self.stats, &mut self.stop, &mut self.residency] {
            *of_sites = sites()
                .map(|site| (site.to_owned(), of_sites.remove(site).unwrap_or_else(password)))
                .collect();
        }
        let services = bundle.enclave().services.iter().map(|service| service.name.clone());
        self.services = services
            .map(|name| {
                let password = self.services.remove(&name).unwrap_or_else(password);
                (name, password)
            })
            .collect();
        *self != before
    }
}

/// Passwords are not for logs.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (pool, watch, services) = (self.pool.len(), self.watch.len(), self.services.len());
        let stats = self.stats.len() + self.stop.len();
        write!(
            f,
            "Secrets({pool} of the pool, {watch} of the watch, {stats} of the monitor, {} of the residency checker, \
             {services} of services)",
            self.residency.len()
        )
    }
}

/// A new password: 256 random bits.
pub(crate) fn password() -> String {
    let bytes: [u8; 32] = rand::random();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a site stores of a password.
pub(crate) fn verifier(role: &str, password: &str) -> Result<String, SitesError> {
    let salt: [u8; SALT_BYTES] = rand::random();
    let made = Verifier::from_password(password, &salt, ITERATIONS_DEFAULT);
    Ok(made.map_err(|source| SitesError::Verifier { role: role.to_owned(), source })?.to_string())
}

/// Whether a stored verifier is this password's.
pub(crate) fn verifies(stored: Option<&str>, password: &str) -> bool {
    let Some(stored) = stored.and_then(|text| text.parse::<Verifier>().ok()) else { return false };
    let again = Verifier::from_password(password, stored.salt(), stored.iterations());
    again.is_ok_and(|again| again.to_string() == stored.to_string())
}

#[cfg(test)]
mod tests {
    use super::{password, verifier, verifies};

    #[test]
    fn a_verifier_knows_its_password_and_no_other() {
        let one = password();
        let stored = verifier("role", &one).unwrap();
        assert!(verifies(Some(&stored), &one));
        assert!(!verifies(Some(&stored), &password()));
        assert!(!verifies(Some("md5"), &one));
        assert!(!verifies(None, &one));
    }
}
