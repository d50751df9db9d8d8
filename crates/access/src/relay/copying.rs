//! COPY FROM: the client's side of it. From the message that asks for it nothing more is taken from the client until
//! the site takes data or has answered with an error, since the site reads what follows differently in each case.
//! Not here: COPY TO, whose data are rows like others (`site_side`).

use sql::StatementKind;
use wire::frontend::Message;

use super::Relay;
use super::client_side::Taken;
use crate::fault::Fault;

/// Where a COPY FROM stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Copying {
    /// There is none.
    #[default]
    No,
    /// It was asked for, and the site has not said yet that it takes data.
    Awaited,
    /// The site takes data. `simple`: other statements of the text may follow it.
    Data { simple: bool },
}

impl Copying {
    /// Whether nothing may be taken from the client.
    pub fn is_awaited(self) -> bool {
        self == Copying::Awaited
    }

    /// Whether the site takes data.
    pub fn takes_data(self) -> bool {
        matches!(self, Copying::Data { .. })
    }
}

impl Relay {
    /// Statements were sent that do this.
    pub(super) fn copying_begins(&mut self, mut kinds: impl Iterator<Item = StatementKind>) {
        if !self.owed.is_skipping() && kinds.any(|kind| matches!(kind, StatementKind::CopyIn(_))) {
            self.copying = Copying::Awaited;
        }
    }

    /// The site takes data now.
    pub(super) fn copying_takes_data(&mut self, simple: bool) {
        self.copying = Copying::Data { simple };
    }

    /// An answer has ended. A COPY FROM is always the last thing that was asked for.
    pub(super) fn copying_may_end(&mut self) {
        if self.owed.is_empty() {
            self.copying = Copying::No;
        }
    }

    /// A message while the site takes data.
    pub(super) fn on_copy_message(&mut self, message: Message<'_>, whole: &[u8]) -> Result<Taken, Fault> {
        match message {
            Message::CopyData(_) => self.inlet.tail().extend_from_slice(whole),
            Message::CopyDone | Message::CopyFail(_) => {
                self.inlet.tail().extend_from_slice(whole);
                let simple = self.copying == Copying::Data { simple: true };
                self.copying = if simple { Copying::Awaited } else { Copying::No };
            }
            // The site ignores these here: clients send a Sync behind every Execute.
            Message::Sync | Message::Flush => {}
            Message::Terminate => self.over = true,
            _ => return Err(Fault::protocol("another message than COPY data before the COPY has ended")),
        }
        Ok(Taken::Yes)
    }
}
