//! What will have to be decided for a batch, found before its entries are examined. Nothing is checked here: what does not
//! open or is not whole has no question, and is found out about where it is examined.

use tlog::{
    detail::{self, SessionOpen},
    entry::{Entry, Kind},
};

use super::session;
use crate::{
    batch::Item,
    state::{Question, State},
};

/// The question of an entry that opens a session.
pub fn question(state: &State, entry: &Entry, item: Item<'_>) -> Option<Question> {
    if entry.kind != Kind::SessionOpen {
        return None;
    }
    let key = state.draft().key(entry.key.as_deref()?)?;
    let (detail, _) = detail::open_as::<SessionOpen>(&key, item.blob?).ok()?;
    Some(session::question(entry.policy.clone()?, &detail))
}
