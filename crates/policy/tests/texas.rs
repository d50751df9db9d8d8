//! What the second example permits: vetted staff in the country, figures for the company, people in danger. Not here:
//! what holds of every bundle (`example`, `refused`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use policy::{Ask, Class, Disclosure};

/// Who asks, from where, for which purpose, with a ticket or not; and the profile or the rule that follows.
type Case = (&'static str, &'static str, &'static str, bool, Result<&'static str, &'static str>);

const DECISIONS: &[Case] = &[
    ("grace", "texas", "support", true, Ok("support")),
    ("grace", "virginia", "support", true, Ok("support")),
    ("grace", "texas", "support", false, Err("no-permit")),
    ("grace", "singapore", "support", true, Err("inside-the-country")),
    ("grace", "unmapped", "support", true, Err("inside-the-country")),
    ("hector", "virginia", "security", true, Ok("security")),
    ("owen", "virginia", "engineering", false, Ok("engineering")),
    ("owen", "ireland", "engineering", false, Err("inside-the-country")),
    ("billing", "virginia", "billing", false, Ok("billing")),
    // A role does not make anybody vetted, nor does a desk in the country.
    ("dana", "texas", "support", true, Err("vetted-staff-only")),
    ("niall", "ireland", "engineering", false, Err("inside-the-country")),
    ("niall", "virginia", "engineering", false, Err("vetted-staff-only")),
    // Figures for the whole company.
    ("meilin", "singapore", "metrics", false, Ok("metrics")),
    ("niall", "ireland", "metrics", false, Ok("metrics")),
    ("meilin", "unmapped", "metrics", false, Err("unknown-place")),
    ("dana", "texas", "metrics", false, Err("no-permit")),
    // Emergencies: responders alone, with a ticket, in the country.
    ("june", "texas", "emergency", true, Ok("emergency")),
    ("june", "texas", "emergency", false, Err("no-permit")),
    ("june", "ireland", "emergency", true, Err("inside-the-country")),
    ("june", "texas", "support", true, Ok("support")),
    ("grace", "texas", "emergency", true, Err("no-permit")),
    ("dana", "texas", "emergency", true, Err("vetted-staff-only")),
];

#[test]
fn each_request_gets_its_profile_or_its_rule() {
    let bundle = common::read(&common::example_of("texas"));
    for (principal, listener, purpose, ticket, expected) in DECISIONS {
        let ticket = ticket.then_some("T-1");
        let ask = Ask { principal, place: bundle.place_of(listener), purpose: Some(purpose), ticket };
        let answer = bundle.decide(&ask);
        let got = answer.as_ref().map(|permit| permit.profile().name.as_str());
        assert_eq!(got.map_err(|denial| denial.rule.as_str()), *expected, "{ask:?}");
    }
}

/// What leaves the country points at nobody, and nothing restricted is clear but in an emergency.
#[test]
fn the_exceptions_are_as_narrow_as_they_say() {
    let bundle = common::read(&common::example_of("texas"));
    for profile in bundle.profiles() {
        for (table, column) in profile.columns() {
            let clear = column.disclosure == Disclosure::Clear;
            let what = format!("{}: {table}.{}", profile.name, column.name);
            if profile.name == "metrics" {
                assert!(
                    clear && column.class == Class::Public && !column.identifier.points_at_subject(),
                    "{what}"
                );
            }
            if clear && column.class == Class::Restricted {
                assert_eq!(profile.name, "emergency", "{what}");
            }
        }
    }
    let emergency = bundle.profiles().iter().find(|profile| profile.name == "emergency").unwrap();
    let tables: Vec<&str> = emergency.tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(tables, ["users", "devices", "sign_ins"]);
}
