//! Which pool roles are free. One login role and one backend belong to one session, and are never shared.
//! Not here: how roles are made (`trefoil policy apply`); the gate can make none.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use policy::ProfileHash;

/// The pool roles of every profile at every site.
#[derive(Debug, Clone)]
pub struct Pool {
    free: Arc<Mutex<Free>>,
    sessions: u16,
}

/// (profile, site) → the roles nobody uses, least recently used first: a backend that has just ended may still
/// hold its role's only connection for a moment.
type Free = HashMap<(ProfileHash, String), VecDeque<String>>;

/// A pool role in use; it goes back when this is dropped, which must be after its backend has ended.
#[derive(Debug)]
pub struct Lease {
    role: String,
    key: (ProfileHash, String),
    free: Arc<Mutex<Free>>,
}

impl Pool {
    /// The roles `1..=sessions` of each given profile and site.
    pub fn new<'a>(profiles: impl Iterator<Item = &'a ProfileHash>, sites: &[String], sessions: u16) -> Self {
        let mut free = Free::new();
        for profile in profiles {
            for site in sites {
                let roles = (1..=sessions).map(|n| wall::names::pool_role(profile, site, n)).collect();
                free.insert((*profile, site.clone()), roles);
            }
        }
        Self { free: Arc::new(Mutex::new(free)), sessions }
    }

    /// How many roles are in use, for each profile and site that has any.
    pub fn taken(&self) -> Vec<(ProfileHash, String, u64)> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = free.iter().map(|((profile, site), roles)| {
            let free = u64::try_from(roles.len()).unwrap_or(u64::MAX);
            (*profile, site.clone(), u64::from(self.sessions).saturating_sub(free))
        });
        taken.filter(|(_, _, count)| *count > 0).collect()
    }

    /// A role that nobody uses, or `None` when all sessions of this profile at this site are taken.
    pub fn lease(&self, profile: &ProfileHash, site: &str) -> Option<Lease> {
        let key = (*profile, site.to_owned());
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let role = free.get_mut(&key)?.pop_front()?;
        Some(Lease { role, key, free: Arc::clone(&self.free) })
    }
}

impl Lease {
    /// The login role's name.
    pub fn role(&self) -> &str {
        &self.role
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roles) = free.get_mut(&self.key) {
            roles.push_back(std::mem::take(&mut self.role));
        }
    }
}
