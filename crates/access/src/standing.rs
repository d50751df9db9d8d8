//! Whether the gate uses a site, as every session there must know at once. Not here: what closes one (`drift`).

use std::sync::Arc;

use tokio::sync::watch;

use crate::config::Site;
use crate::fault::Fault;

/// Whether a site is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is as policy says.
    Used,
    /// It is not, or nobody can tell; and why.
    Closed(Arc<str>),
    /// The gate stops, here and everywhere.
    Stopping,
}

impl Standing {
    /// Whether sessions there must end.
    pub fn ends(&self) -> bool {
        *self != Self::Used
    }

    /// Why a session at this site ends, or does not begin.
    pub fn fault(&self, site: &str) -> Fault {
        match self {
            Self::Closed(why) => Fault::site_closed(site, why),
            Self::Used | Self::Stopping => Fault::stopping(),
        }
    }
}

/// A configured site and how it stands.
#[derive(Debug)]
pub struct Stand {
    /// Which.
    pub site: Site,
    standing: watch::Sender<Standing>,
}

impl Stand {
    /// A site that stands like this from the beginning.
    pub fn new(site: Site, standing: Standing) -> Self {
        Self { site, standing: watch::Sender::new(standing) }
    }

    /// How it stands, now and from now on.
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// How it stands now.
    pub fn now(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Changes how it stands; a gate that stops does not begin again.
    pub fn set(&self, standing: Standing) {
        self.standing.send_if_modified(|known| {
            let changes = *known != Standing::Stopping && *known != standing;
            if changes {
                *known = standing;
            }
            changes
        });
    }
}
