//! The steps of a commit and of a publication, by name, so that each can be failed in a test: once with its
//! work lost, once with its work done but reported lost. Outside tests nothing here does anything but run the
//! step. What a step does is written where it is done.

use std::io;

/// Every step whose failure the record must survive, in the order in which they happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The wrapped key of a day is put into the keys folder.
    KeyStored,
    /// A segment of the write-ahead file is made.
    SegmentMade,
    /// A frame of entries is written to the write-ahead file.
    FrameWritten,
    /// The write-ahead file reaches the disk.
    FrameSynced,
    /// A batch and its checkpoint are sent, and the answer comes back.
    Sent,
    /// Sealed details are appended to their bundles.
    DetailsWritten,
    /// Tiles and entry bundles are written beside their final names.
    TilesWritten,
    /// Tiles and entry bundles get their final names.
    TilesNamed,
    /// The public checkpoint is replaced.
    CheckpointNamed,
    /// Partial tiles that a full one replaced are removed.
    PartialsRemoved,
    /// A segment whose entries are all published is removed.
    SegmentRemoved,
    /// The wrapped key of a day that is forgotten is overwritten.
    KeyOverwritten,
    /// The same is removed.
    KeyRemoved,
    /// It is written down that the key was destroyed.
    KeyForgotten,
}

#[cfg(test)]
impl Step {
    /// Those of every commit and publication.
    pub(crate) const ALL: [Self; 11] = [
        Self::KeyStored,
        Self::SegmentMade,
        Self::FrameWritten,
        Self::FrameSynced,
        Self::Sent,
        Self::DetailsWritten,
        Self::TilesWritten,
        Self::TilesNamed,
        Self::CheckpointNamed,
        Self::PartialsRemoved,
        Self::SegmentRemoved,
    ];

    /// Those of forgetting a day alone.
    pub(crate) const FORGETTING: [Self; 3] = [Self::KeyOverwritten, Self::KeyRemoved, Self::KeyForgotten];
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
