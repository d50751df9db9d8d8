//! What is expected of a site: everything that may be there. What is not named here may not. Not here: where it comes
//! from, the bundle of an enclave (`enclave`) or a file (`settings`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;

use policy::Network;
use sha2::{Digest, Sha256};

/// What may be at one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Objects by the name of the check that would find them, each as it names them.
    pub allowed: BTreeMap<String, BTreeSet<String>>,
    /// Who may be connected, if that is a closed list; otherwise only from where is judged.
    pub identities: Option<Vec<Identity>>,
    /// Exactly the lines of `pg_hba.conf`, as `pg_hba_file_rules` shows them, if that is a closed list.
    pub hba: Option<Vec<String>>,
    /// Tables whose rows say where they are at home.
    pub homes: Vec<Home>,
    /// Where the data folder is.
    pub data_directory: Option<PathBuf>,
    /// The cluster's number, from when it was made.
    pub system_identifier: Option<String>,
}

/// Somebody who may be connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The role; `*` at the end stands for any rest of a name.
    pub role: String,
    /// From which networks; none is the site's own machine by its Unix socket.
    pub from: Vec<Network>,
}

impl Identity {
    /// Whether this role may come from this address; none is the Unix socket.
    pub fn admits(&self, role: &str, address: Option<IpAddr>) -> bool {
        let known = match self.role.strip_suffix('*') {
            Some(begin) => role.starts_with(begin),
            None => role == self.role,
        };
        known
            && match address {
                None => self.from.is_empty(),
                Some(address) => self.from.iter().any(|network| network.holds(address)),
            }
    }
}

/// A table whose rows say where they are at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Schema and name, such as `public.users`.
    pub table: String,
    /// The column that says so.
    pub column: String,
    /// What may stand there at this site.
    pub homes: Vec<String>,
    /// Whether rows are looked at, and not bounds alone: for that the checker reads the column.
    pub rows: bool,
}

impl Expectations {
    /// Allows one more object of a check.
    pub fn allow(&mut self, check: &str, object: impl Into<String>) {
        self.allowed.entry(check.to_owned()).or_default().insert(object.into());
    }

    /// Whether a check may find this: by its name, or by `sha256:` and the hash of that, for names that are long.
    pub fn allows(&self, check: &str, object: &str) -> bool {
        let Some(objects) = self.allowed.get(check) else { return false };
        objects.contains(object) || objects.contains(&hashed(object))
    }
}

/// `sha256:` and the hash of a name.
fn hashed(object: &str) -> String {
    let digits = Sha256::digest(object.as_bytes());
    digits.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
