//! The steps of committing a snapshot and of taking input in, by name, so that each can be failed in a test: once with
//! its work lost, once with its work done but reported lost. Outside tests nothing here does anything but run the step.

use std::io;

/// Every step whose failure a state must survive, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A frame of events is appended to the inbox.
    FrameWritten,
    /// The inbox reaches the disk.
    FrameSynced,
    /// A snapshot is written beside its name.
    Written,
    /// It reaches the disk.
    Synced,
    /// It gets its name, durably.
    Named,
    /// What it makes needless is removed.
    Removed,
    /// What a message shows is handed in at an enclave.
    HandedIn,
    /// Judgements are published to NATS.
    Published,
    /// A snapshot is stored as an object in NATS.
    ObjectStored,
    /// The entry of its share names it.
    EntryReplaced,
}

#[cfg(test)]
impl Step {
    /// Those of a folder.
    pub(crate) const FOLDER: [Self; 6] =
        [Self::FrameWritten, Self::FrameSynced, Self::Written, Self::Synced, Self::Named, Self::Removed];

    /// Those of a share in NATS.
    pub(crate) const SHARE: [Self; 4] =
        [Self::HandedIn, Self::Published, Self::ObjectStored, Self::EntryReplaced];
}

/// Asked before and after each step of a test whether it fails there.
#[cfg(test)]
pub(crate) type Hook = std::sync::Arc<dyn Fn(Step, When) -> bool + Send + Sync>;

/// Which side of a step's work a failure falls on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The work was lost.
    Before,
    /// The work was done, but reported lost.
    After,
}

/// Runs steps. Carries the fault hook in tests and nothing otherwise.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    #[cfg(test)]
    pub(crate) hook: Option<Hook>,
}

impl Steps {
    /// Runs one step.
    pub(crate) fn run<T>(&self, step: Step, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.check(step, When::Before)?;
        let done = act()?;
        self.check(step, When::After)?;
        Ok(done)
    }

    /// Fails if the test wants a failure at this side of the step. For steps that are not one closure.
    pub(crate) fn check(&self, step: Step, when: When) -> io::Result<()> {
        #[cfg(test)]
        if self.hook.as_ref().is_some_and(|hook| hook(step, when)) {
            return Err(io::Error::other(format!("injected failure at {step:?}, {when:?}")));
        }
        let _ = (self, step, when);
        Ok(())
    }
}
