//! Places that are asked by many while their files change: what is known is exchanged at once, and nobody who asks waits for
//! a file to be read. Not here: when it is looked (the caller has a clock).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::{Places, PlacesError, Stamp, stamps};

/// A folder of places, as it was read last.
pub struct Current {
    folder: PathBuf,
    known: RwLock<Arc<Places>>,
    /// What the last look found, so that what is wrong is said once.
    looked: Mutex<Result<Vec<Stamp>, String>>,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Current({})", self.folder.display())
    }
}

impl Current {
    /// Reads a folder.
    ///
    /// # Errors
    /// As for [`Places::open`].
    pub fn open(folder: &Path) -> Result<Self, PlacesError> {
        let places = Places::open(folder)?;
        let looked = Mutex::new(Ok(places.files.clone()));
        Ok(Self { folder: folder.to_owned(), known: RwLock::new(Arc::new(places)), looked })
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Places> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the folder again if a file in it came, went or changed; what is known then, if one did.
    ///
    /// # Errors
    /// As for [`Places::open`], once until something changes; what was known stays.
    pub fn reload(&self) -> Result<Option<Arc<Places>>, PlacesError> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamps(&self.folder);
        let now = found.as_ref().map(Clone::clone).map_err(ToString::to_string);
        if std::mem::replace(&mut *looked, now.clone()) == now {
            return Ok(None);
        }
        found?;
        let places = Arc::new(Places::open(&self.folder)?);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&places);
        Ok(Some(places))
    }
}
