//! Limits, deadlines, networks and direct services: what holds for whom, and what is refused. Not here: counting.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use policy::{Ask, Bundle};

#[test]
fn each_principal_has_the_limits_that_are_its_own() {
    let mut files = common::example();
    let more = "limits = [\n    { name = \"dana\", principal = \"dana\", per = \"session\", subjects = 7, bytes = 5 },";
    common::edit(&mut files, "enclave.toml", "limits = [", more);
    let bundle = common::read(&files);
    let limits = |principal, listener, purpose| {
        let place = bundle.place_of(listener);
        let ask = Ask { principal, place, purpose: Some(purpose), ticket: Some("T-1") };
        let permit = bundle.decide(&ask).unwrap();
        let names = permit.limits().iter().map(|limit| limit.name.clone()).collect::<Vec<_>>().join(" ");
        (names, permit.is_capped())
    };
    let cases = [
        ("dana", "united-states", "engineering", "dana everybody-session", true),
        // The same profile, and not the same limits.
        ("wei", "china", "engineering", "everybody-session", false),
        ("aoife", "ireland", "support", "support-personal-day everybody-session", false),
        ("aoife", "china", "support", "support-personal-day everybody-session", false),
        ("maeve", "ireland", "support", "trainee-statement trainee-day everybody-session", true),
        ("billing", "ireland", "billing", "everybody-session", false),
    ];
    for (principal, listener, purpose, names, capped) in cases {
        assert_eq!(
            limits(principal, listener, purpose),
            (names.to_owned(), capped),
            "{principal} {listener}"
        );
    }
}

#[test]
fn an_address_is_of_the_smallest_network_that_holds_it() {
    let mut files = common::example();
    let from = "\"united-states\", country = \"US\", networks = [\"10.4.0.0/16\"]";
    let to = "\"united-states\", country = \"US\", networks = [\"10.1.7.0/24\", \"0.0.0.0/1\"]";
    common::edit(&mut files, "enclave.toml", from, to);
    common::edit(
        &mut files,
        "enclave.toml",
        "name = \"unmapped\"",
        "name = \"unmapped\", networks = [\"10.1.7.9/32\"]",
    );
    let bundle = common::read(&files);
    let cases = [
        ("10.1.0.1", "ireland IE"),
        ("10.1.6.255", "ireland IE"),
        ("10.1.7.0", "united-states US"),
        ("10.1.7.9", "unmapped unknown"),
        ("::ffff:10.1.7.8", "united-states US"),
        ("127.0.0.1", "united-states US"),
        ("128.0.0.1", "nowhere"),
        ("2001:db8:1::7", "ireland IE"),
        ("2001:db8:2::7", "nowhere"),
        ("::", "nowhere"),
    ];
    for (address, expected) in cases {
        let place = bundle.place_of_address(address.parse().unwrap());
        let said = place.map_or("nowhere".to_owned(), |(name, place)| format!("{name} {place}"));
        assert_eq!(said, expected, "{address}");
    }
}

/// What is replaced in `enclave.toml`, what with, and all that is said.
const REFUSED: &[(&str, &str, &str)] = &[
    (
        "per = \"day\", subjects = 50",
        "per = \"week\", subjects = 0",
        "enclave.toml:53: limits[2].per: `week` is not known; use one of statement, session, day\n\
         enclave.toml:53: limits[2].subjects: limit `trainee-day` is 0 subjects; withdraw the policy that permits it \
         instead",
    ),
    (
        ", subjects = 50",
        "",
        "enclave.toml:53: limits[2]: limit `trainee-day` limits nothing; give at least one of `rows`, `bytes` and \
         `subjects`",
    ),
    (
        "class = \"personal\", per",
        "class = \"private\", per",
        "enclave.toml:51: limits[0].class: `private` is not known; use one of public, internal, personal, restricted",
    ),
    (
        "role = \"support_agent\"",
        "principal = \"aoife\", role = \"support_agent\"",
        "enclave.toml:51: limits[0].role: limit `support-personal-day` names a principal and a role; name one of them",
    ),
    (
        "role = \"support_agent\"",
        "role = \"support\"",
        "enclave.toml:51: limits.support-personal-day.role: there is no role `support`; use a role of directory.toml",
    ),
    (
        "name = \"everybody-session\"",
        "principal = \"eve\", name = \"everybody-session\"",
        "enclave.toml:54: limits.everybody-session.principal: there is no principal `eve`; use a principal of \
         directory.toml",
    ),
    (
        "statement_seconds_max = 300",
        "statement_seconds_max = 0",
        "enclave.toml:58: statement_seconds_max: 0 seconds are no deadline; use 1 to 604800, or leave the key out",
    ),
    (
        "networks = [\"10.2.0.0/16\"]",
        "networks = [\"10.2.0.1/16\", \"10.3.0.0/16\"]",
        "enclave.toml:27: places[1].networks[0]: `10.2.0.1/16` is not a network; write the first address and the \
         length of the prefix, such as 10.1.0.0/16 or 2001:db8::/32\n\
         enclave.toml:28: places[2].networks[0]: `10.3.0.0/16` is named twice; name it once",
    ),
    (
        "reads = [\"payments\"]",
        "reads = [\"payment\"]",
        "enclave.toml:63: services.payouts: there is no table `payment`; use the name of a table in catalog.toml",
    ),
    (
        "reads = [\"payments\"]",
        "reads = []",
        "enclave.toml:63: services[0].reads: service `payouts` neither reads nor writes; name a table of catalog.toml, \
         or remove the service",
    ),
    (
        "sites = [\"dublin-1\"], addresses = [\"127.0.0.1/32\"]",
        "sites = [\"dublin\"], addresses = []",
        "enclave.toml:63: services[0].sites[0]: there is no site `dublin`; use the name of one of `sites`\n\
         enclave.toml:63: services[0].addresses: service `payouts` may come from nowhere; name at least one network",
    ),
];

#[test]
fn what_would_hold_for_nobody_or_let_anybody_in_is_refused() {
    for (from, to, expected) in REFUSED {
        let mut files = common::example();
        common::edit(&mut files, "enclave.toml", from, to);
        let said = Bundle::read(&files).map(|_| "accepted".to_owned()).unwrap_or_else(|e| common::lines(&e));
        assert_eq!(said, *expected, "`{from}` became `{to}`");
    }
}

#[test]
fn what_is_absent_limits_nothing() {
    let mut files = common::example();
    let text = String::from_utf8(files.remove("enclave.toml").unwrap()).unwrap();
    let end = text.find("# How much a principal may be shown").unwrap();
    files.insert("enclave.toml".into(), text.as_bytes().get(..end).unwrap().to_vec());
    let bundle = common::read(&files);
    let enclave = bundle.enclave();
    assert!(enclave.limits.is_empty() && enclave.services.is_empty());
    assert_eq!((enclave.statement_seconds_max, enclave.idle_seconds_max), (None, None));
    // Limits are no part of what a profile discloses.
    assert_eq!(bundle.profiles(), common::read(&common::example()).profiles());
}
