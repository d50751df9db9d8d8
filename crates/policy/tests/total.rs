//! Whatever is asked or read, there is an answer: nothing panics, and the same question has the same answer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::LazyLock;

use policy::{Ask, Bundle};
use proptest::prelude::*;
use proptest::sample::Index;

static EXAMPLE: LazyLock<Bundle> = LazyLock::new(|| common::read(&common::example()));

/// A word that means something, or any text at all.
fn word(known: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![proptest::sample::select(known).prop_map(str::to_owned), any::<String>()]
}

proptest! {
    #[test]
    fn any_request_is_answered_and_always_the_same_way(
        principal in word(&["aoife", "lukas", "ingrid", "wei", "dana"]),
        listener in word(&["ireland", "china", "unmapped"]),
        purpose in proptest::option::of(word(&["support", "analytics", "engineering", "security"])),
        ticket in proptest::option::of(word(&["SUP-1"])),
    ) {
        let place = EXAMPLE.place_of(&listener);
        let ask = Ask { principal: &principal, place, purpose: purpose.as_deref(), ticket: ticket.as_deref() };
        let answer = EXAMPLE.decide(&ask);
        prop_assert_eq!(&answer, &EXAMPLE.decide(&ask));
        if let Ok(permit) = answer {
            prop_assert!(EXAMPLE.profiles().contains(permit.profile()));
        }
    }

    /// One damaged place in one file: it is read all the same, or every error says which file and what to do.
    #[test]
    fn any_damage_is_reported_or_harmless(file in any::<Index>(), at in any::<Index>(), with in any::<Vec<u8>>()) {
        let mut files = common::example();
        let path = file.get(&files.keys().cloned().collect::<Vec<_>>()).clone();
        let mut bytes = files.remove(&path).unwrap();
        let start = at.index(bytes.len());
        let end = (start + with.len()).min(bytes.len());
        bytes.splice(start..end, with);
        files.insert(path, bytes);
        for error in Bundle::read(&files).err().unwrap_or_default() {
            prop_assert!(!error.file.is_empty() && !error.problem.is_empty() && !error.remedy.is_empty());
        }
    }
}
