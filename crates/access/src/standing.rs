//! Whether the gate uses a site, as every session there must know at once. Not here: what closes one (`drift`), how far a
//! standby is behind (`standby`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Whether it shows what the site has written, or nearly.
    fresh: AtomicBool,
}

impl Stand {
    /// A site that stands like this from the beginning.
    pub fn new(site: Site, standing: Standing) -> Self {
        // Of a standby nothing is known before it was looked at.
        let fresh = AtomicBool::new(site.of.is_none());
        Self { site, standing: watch::Sender::new(standing), fresh }
    }

    /// Whether new sessions may begin here: of a standby, that it is not far behind its site.
    pub fn is_fresh(&self) -> bool {
        self.fresh.load(Ordering::Acquire)
    }

    /// Notes whether a standby is not far behind. Says whether that is news.
    pub fn set_fresh(&self, fresh: bool) -> bool {
        self.fresh.swap(fresh, Ordering::AcqRel) != fresh
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
