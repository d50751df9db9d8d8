//! What is answered from slices, and once for many questions, is what all policies answer to each.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::bundle::Bundle;

fn example() -> Bundle {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/europe"));
    let mut files = BTreeMap::new();
    for folder in ["", "policy/"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = format!("{folder}{}", entry.unwrap().file_name().into_string().unwrap());
            if crate::is_bundle_path(&path) {
                files.insert(path.clone(), std::fs::read(root.join(path)).unwrap());
            }
        }
    }
    Bundle::read(&files).unwrap()
}

/// Asks in the order of a decision first, so that answers are reused as they are there.
fn check(asking: &Asking<'_>, everything: &PolicySet) -> usize {
    asking.answers().unwrap();
    let mut asked = 0;
    let mut same = |action, what, reading| {
        let plain = asking.ask(action, what, reading, everything).unwrap();
        assert_eq!(*asking.answer(action, what, reading).unwrap(), plain, "{:?} {action:?}", asking.ask);
        asked += 1;
    };
    same(Action::Connect, What::Enclave, (None, None));
    for table in &asking.ground.catalog.tables {
        let groups = asking.ground.world.groups.iter().filter(|group| group.table == table.name);
        let groups: Vec<_> = groups.collect();
        for scope in &table.scopes {
            let reading = (Some(scope.name.as_str()), None);
            for action in [Action::Rows, Action::Delete] {
                same(action, What::Table(&table.name), reading);
            }
            for group in &groups {
                for action in [Action::Clear, Action::Masked, Action::Insert, Action::Update] {
                    same(action, What::Group(group), reading);
                }
                for pseudonyms in &asking.ground.catalog.pseudonym_scopes {
                    same(Action::Pseudonym, What::Group(group), (reading.0, Some(pseudonyms)));
                }
            }
        }
    }
    asked
}

#[test]
fn slices_answer_what_all_policies_do() {
    let bundle = example();
    let (mut asked, mut cedar) = (0, 0);
    for principal in &bundle.directory().principals {
        for (n, place) in ["ireland", "china", "unmapped"].into_iter().enumerate() {
            let purposes = bundle.enclave().purposes.iter().map(String::as_str);
            for (m, purpose) in [None].into_iter().chain(purposes.map(Some)).enumerate() {
                // Both with and without, though not for every combination: all policies are slow to ask.
                let ticket = ((n + m) % 2 == 0).then_some("SUP-1");
                let place = bundle.place_of(place);
                let ask = Ask { principal: &principal.name, place, purpose, ticket };
                let asking = bundle.asking(principal, &ask).unwrap();
                asked += check(&asking, &asking.ground.rules.everything());
                cedar += asking.answers.borrow().len();
            }
        }
    }
    assert!(asked > 10_000 && cedar * 3 < asked, "{cedar} of {asked}");
}
