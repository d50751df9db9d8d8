//! What the example enclave permits to whom, and what no request gets. Not here: bundles that are refused
//! (`refused`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;

use policy::{Ask, Bundle, Class, Country, Denial, Disclosure, Place, Profile};

/// What each profile shows and writes, as `table scope: column, column (masked), …; insert column, …`.
const SHOWN: &[(&str, Option<&str>, &[&str])] = &[
    (
        "support",
        None,
        &[
            "users all: id home_site handle full_name email(masked) phone(masked) birth_date country language \
             analytics_consent followers created_at",
            "payments all: id home_site user_id amount_cents currency iban(masked) status paid_at",
            "posts all: id home_site author_id body language likes created_at",
            "messages all: id home_site sender_id recipient_id body(masked) sent_at",
            "devices all: id home_site user_id model os identifier(masked) ip(masked) last_seen_at",
            "sign_ins all: id home_site user_id device_id ip(masked) country succeeded at",
        ],
    ),
    (
        "analytics",
        Some("analytics"),
        &[
            "users consented: id(pseudonym) home_site birth_date(masked) country language analytics_consent \
             followers created_at(masked)",
            "payments consented: home_site user_id(pseudonym) amount_cents currency status paid_at(masked)",
            "posts consented: home_site author_id(pseudonym) language likes created_at(masked)",
            "devices consented: home_site user_id(pseudonym) model os last_seen_at(masked)",
            "sign_ins consented: home_site user_id(pseudonym) country succeeded at(masked)",
        ],
    ),
    (
        "security",
        None,
        &[
            "users all: id home_site handle full_name(masked) email(masked) phone(masked) country language \
             analytics_consent followers created_at",
            "payments all: id home_site user_id amount_cents currency iban(masked) status paid_at",
            "posts all: id home_site author_id body language likes created_at",
            "devices all: id home_site user_id model os identifier(masked) ip(masked) last_seen_at",
            "sign_ins all: id home_site user_id device_id ip(masked) country succeeded at",
        ],
    ),
    (
        "engineering",
        Some("engineering"),
        &["users all: id(pseudonym) home_site country language followers created_at(masked)"],
    ),
    ("abroad", None, &["users all: home_site country language followers"]),
    (
        "trainee",
        None,
        &[
            "users all: id home_site handle full_name(masked) email(masked) phone(masked) country language followers \
             created_at",
            "posts all: id home_site author_id body language likes created_at",
        ],
    ),
    (
        "billing",
        None,
        &[
            "users all: id home_site country language followers",
            "payments all: id home_site user_id amount_cents currency status paid_at; insert id user_id amount_cents \
             currency status paid_at; update status",
        ],
    ),
    (
        "feed",
        None,
        &[
            "users all: id home_site handle country language followers",
            "posts all: id home_site author_id body language likes created_at; insert id author_id body language \
             likes created_at; update body language likes created_at; delete",
        ],
    ),
];

#[test]
fn each_profile_shows_what_the_story_says() {
    let bundle = common::read(&common::example());
    let shown: Vec<_> = bundle.profiles().iter().map(|profile| shown(profile)).collect();
    let expected: Vec<_> = SHOWN
        .iter()
        .map(|(name, scope, tables)| {
            let tables = tables.iter().map(|table| (*table).to_owned()).collect();
            ((*name).to_owned(), scope.map(str::to_owned), tables)
        })
        .collect();
    assert_eq!(shown, expected);
}

fn shown(profile: &Profile) -> (String, Option<String>, Vec<String>) {
    let tables = profile.tables.iter().map(|table| {
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|column| match column.disclosure {
                Disclosure::Clear => column.name.clone(),
                less => format!("{}({less})", column.name),
            })
            .collect();
        let writes = &table.writes;
        let mut text = format!("{} {}: {}", table.table, table.scope, columns.join(" "));
        for (action, columns) in [("insert", &writes.insert), ("update", &writes.update)] {
            if !columns.is_empty() {
                text.push_str(&format!("; {action} {}", columns.join(" ")));
            }
        }
        if writes.delete { text + "; delete" } else { text }
    });
    (profile.name.clone(), profile.pseudonym_scope.clone(), tables.collect())
}

/// Who asks, through which listener, for which purpose and ticket, and the profile or the rule that follows.
type Case = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    Result<&'static str, &'static str>,
);

const DECISIONS: &[Case] = &[
    // Support: a purpose and a ticket, inside the region.
    ("aoife", "ireland", Some("support"), Some("SUP-1"), Ok("support")),
    ("aoife", "germany", Some("support"), Some("SUP-2"), Ok("support")),
    ("aoife", "ireland", None, None, Err("purpose-required")),
    ("aoife", "ireland", None, Some("SUP-1"), Err("purpose-required")),
    ("aoife", "ireland", Some("support"), None, Err("no-permit")),
    ("aoife", "ireland", Some("analytics"), Some("SUP-1"), Err("no-permit")),
    ("aoife", "ireland", Some("curiosity"), Some("SUP-1"), Err("unknown-purpose")),
    ("aoife", "ireland", Some("support"), Some(""), Err("malformed-ticket")),
    ("aoife", "ireland", Some("support"), Some("SUP 1"), Err("malformed-ticket")),
    // From elsewhere she is one of anybody.
    ("aoife", "china", Some("support"), Some("SUP-1"), Ok("abroad")),
    ("aoife", "united-states", Some("support"), Some("SUP-1"), Ok("abroad")),
    ("aoife", "china", Some("support"), None, Err("no-permit")),
    ("aoife", "china", None, None, Err("purpose-required")),
    // Analytics.
    ("lukas", "germany", Some("analytics"), None, Ok("analytics")),
    ("lukas", "norway", Some("analytics"), Some("ANA-1"), Ok("analytics")),
    ("lukas", "germany", None, None, Err("purpose-required")),
    ("lukas", "germany", Some("support"), Some("SUP-1"), Err("no-permit")),
    ("lukas", "united-states", Some("analytics"), None, Ok("abroad")),
    // Security.
    ("ingrid", "norway", Some("security"), Some("SEC-1"), Ok("security")),
    ("ingrid", "norway", Some("security"), None, Err("no-permit")),
    ("ingrid", "china", Some("security"), Some("SEC-1"), Ok("abroad")),
    // Engineers see the same everywhere.
    ("wei", "china", Some("engineering"), None, Ok("engineering")),
    ("wei", "ireland", Some("engineering"), None, Ok("engineering")),
    ("dana", "united-states", Some("engineering"), None, Ok("engineering")),
    ("wei", "china", Some("support"), Some("SUP-1"), Err("no-permit")),
    ("wei", "china", None, None, Err("purpose-required")),
    // Trainees are support with less, and services have a purpose of their own; abroad, no service.
    ("maeve", "ireland", Some("support"), Some("SUP-1"), Ok("trainee")),
    ("maeve", "china", Some("support"), Some("SUP-1"), Ok("abroad")),
    ("maeve", "ireland", Some("support"), None, Err("no-permit")),
    ("billing", "ireland", Some("billing"), None, Ok("billing")),
    ("billing", "ireland", Some("feed"), None, Err("no-permit")),
    ("billing", "china", Some("billing"), None, Err("no-permit")),
    ("feed", "ireland", Some("feed"), None, Ok("feed")),
    ("aoife", "ireland", Some("billing"), Some("SUP-1"), Err("no-permit")),
    // Nobody comes from nowhere, and nobody unknown comes at all.
    ("aoife", "unmapped", Some("support"), Some("SUP-1"), Err("unknown-place")),
    ("wei", "unmapped", Some("engineering"), None, Err("unknown-place")),
    ("lukas", "no-such-listener", Some("analytics"), None, Err("unknown-place")),
    ("mallory", "ireland", Some("support"), Some("SUP-1"), Err("unknown-principal")),
    ("", "ireland", Some("support"), Some("SUP-1"), Err("unknown-principal")),
];

#[test]
fn each_request_gets_its_profile_or_its_rule() {
    let bundle = common::read(&common::example());
    // Twice: the second answer is a remembered one.
    for case in DECISIONS.iter().chain(DECISIONS) {
        let (principal, listener, purpose, ticket, expected) = *case;
        let ask = Ask { principal, place: bundle.place_of(listener), purpose, ticket };
        let answer = bundle.decide(&ask);
        let got = answer.as_ref().map(|permit| permit.profile().name.as_str());
        assert_eq!(got.map_err(|denial| denial.rule.as_str()), expected, "{ask:?}");
        if let Ok(permit) = &answer {
            assert_eq!((permit.principal(), permit.place()), (principal, ask.place));
            assert_eq!((permit.purpose(), permit.ticket()), (purpose, ticket));
            assert_eq!(permit.policy(), bundle.hash());
            assert_eq!(permit.request(), bundle.request(&ask));
        }
    }
}

#[test]
fn a_denial_says_which_rule_and_what_is_needed() {
    let bundle = common::read(&common::example());
    let deny = |listener, purpose, ticket| {
        let place = bundle.place_of(listener);
        bundle.decide(&Ask { principal: "aoife", place, purpose, ticket }).unwrap_err().to_string()
    };
    assert_eq!(
        deny("ireland", None, None),
        "policy `purpose-required` forbids that `aoife` connects from IE without a purpose and without a ticket \
         [rule purpose-required]; needed: a purpose, stated at connect: options='-c trefoil.purpose=NAME'"
    );
    assert_eq!(
        deny("china", Some("support"), None),
        "no policy permits that `aoife` connects from CN for purpose `support` and without a ticket (roles: \
         support_agent) [rule no-permit]; needed: purpose `support` and a ticket: options='-c \
         trefoil.purpose=support -c trefoil.ticket=NUMBER'"
    );
    assert_eq!(
        deny("unmapped", None, None),
        "policies `purpose-required` and `unknown-place` forbid that `aoife` connects from an unknown place without a \
         purpose and without a ticket [rule purpose-required]; needed: a purpose, stated at connect: options='-c \
         trefoil.purpose=NAME'; and a listener or network that is mapped to a country"
    );
}

#[test]
fn column_groups_name_the_policy_behind_each_disclosure() {
    let bundle = common::read(&common::example());
    let ask = |principal, listener, purpose, ticket| {
        let answers = bundle.answers(&Ask { principal, place: bundle.place_of(listener), purpose, ticket });
        let users = answers.unwrap().tables.into_iter().find(|answer| answer.table == "users").unwrap();
        let groups = users.groups.into_iter();
        let rule = |group: policy::GroupAnswer| (group.columns.join(" "), group.disclosure, group.rule);
        groups.map(rule).collect::<Vec<_>>()
    };
    let abroad = ask("aoife", "china", Some("support"), Some("SUP-1"));
    let find = |column: &str| abroad.iter().find(|(columns, ..)| columns.contains(column)).cloned().unwrap();
    assert_eq!(find("birth_date"), ("birth_date".into(), None, "identifiers-stay-in-region".into()));
    assert_eq!(find("handle"), ("handle".into(), None, "identifiers-stay-in-region".into()));
    assert_eq!(
        find("country"),
        ("home_site country language followers".into(), Some(Disclosure::Clear), "public-to-all".into())
    );
    let home = ask("lukas", "germany", Some("analytics"), None);
    let find = |column: &str| home.iter().find(|(columns, ..)| columns.contains(column)).cloned().unwrap();
    assert_eq!(find("email"), ("email".into(), None, "restricted-never-clear".into()));
    assert_eq!(find("handle"), ("handle".into(), None, policy::RULE_NO_PERMIT.into()));
    assert_eq!(find("birth_date").2, "analytics-years");
}

/// Over every country, principal, purpose and presence of a ticket: what is promised of the profile that comes out.
#[test]
fn no_request_discloses_more_than_promised() {
    let bundle = common::read(&common::example());
    let mut permitted = 0;
    for principal in &bundle.directory().principals {
        for place in places() {
            for purpose in bundle.enclave().purposes.iter().map(|one| Some(one.as_str())).chain([None]) {
                for ticket in [None, Some("T-1")] {
                    let ask = Ask { principal: &principal.name, place, purpose, ticket };
                    if let Some(profile) = checked(&bundle, &ask) {
                        keeps_promises(&bundle, &ask, &profile);
                        permitted += 1;
                    }
                }
            }
        }
    }
    // 249 countries; support and security with a ticket, analytics and engineering (two engineers) with or without.
    // Trainees as support; services only inside, with or without.
    let region = bundle.enclave().region.len();
    assert_eq!(permitted, 249 * (1 + 1 + 1 + 2 + 4) + region * (2 + 2));
}

/// The guards are enough by themselves: everything else is permitted to everybody, and the promises hold.
#[test]
fn the_guards_hold_whatever_else_is_permitted() {
    let mut files = common::example();
    let lax = "@id(\"lax\") @needs(\"nothing\")\n\
               permit (principal, action in [Action::\"connect\", Action::\"rows\", Action::\"clear\", \
               Action::\"insert\", Action::\"update\", Action::\"delete\"], resource);\n\
               @id(\"lax-masked\") @needs(\"nothing\")\n\
               permit (principal, action == Action::\"masked\", resource) when { ![Identifier::\"subject\", \
               Identifier::\"row\"].contains(resource.identifier) };\n";
    files.insert("policy/lax.cedar".into(), lax.into());
    // One profile will do; the lint would refuse the others.
    let enclave = String::from_utf8(files.remove("enclave.toml").unwrap()).unwrap();
    let line = |line: &&str| !line.contains("exemplar") || line.contains("\"abroad\"");
    let enclave: Vec<_> = enclave.lines().filter(line).collect();
    files.insert("enclave.toml".into(), enclave.join("\n").into_bytes());
    let bundle = common::read(&files);
    for principal in &bundle.directory().principals {
        for place in
            ["ireland", "norway", "china", "united-states", "unmapped"].map(|one| bundle.place_of(one))
        {
            let ask = Ask { principal: &principal.name, place, purpose: Some("support"), ticket: None };
            let silent = bundle.answers(&Ask { purpose: None, ..ask });
            assert_eq!(silent.unwrap_err().rule, "purpose-required");
            let answers = match (place, bundle.answers(&ask)) {
                (Place::Unknown, answer) => {
                    assert_eq!(answer.unwrap_err().rule, "unknown-place");
                    continue;
                }
                (Place::Country(_), answer) => answer.unwrap(),
            };
            let outside =
                !matches!(place, Place::Country(country) if bundle.enclave().region.contains(&country));
            for group in answers.tables.into_iter().flat_map(|table| table.groups) {
                let shown = group.disclosure.is_some_and(|shown| shown != Disclosure::Pseudonym);
                let clear = group.disclosure == Some(Disclosure::Clear);
                assert!(!(clear && group.class == Class::Restricted), "{ask:?} {group:?}");
                assert!(!(outside && shown && group.class >= Class::Personal), "{ask:?} {group:?}");
                assert!(!(outside && clear && group.identifier.points_at_subject()), "{ask:?} {group:?}");
                let writes = group.insert.is_some() || group.update.is_some();
                let person = principal.kind == policy::PrincipalKind::Person;
                assert!(!(writes && (outside || person)), "{ask:?} {group:?}");
            }
        }
    }
}

fn places() -> impl Iterator<Item = Place> {
    let letters = || (b'A'..=b'Z').map(char::from);
    let codes = letters().flat_map(move |one| letters().map(move |two| format!("{one}{two}")));
    codes.filter_map(|code| Country::parse(&code)).map(Place::Country).chain([Place::Unknown])
}

fn checked(bundle: &Bundle, ask: &Ask<'_>) -> Option<Arc<Profile>> {
    match bundle.decide(ask) {
        Ok(permit) => Some(Arc::clone(permit.profile())),
        Err(Denial { rule, sentence, needs, .. }) => {
            assert!(!rule.is_empty() && !sentence.is_empty() && !needs.is_empty(), "{ask:?}");
            assert_ne!(rule, policy::RULE_NOT_PROVISIONED, "{ask:?}: {sentence}");
            None
        }
    }
}

fn keeps_promises(bundle: &Bundle, ask: &Ask<'_>, profile: &Profile) {
    let Place::Country(country) = ask.place else { panic!("{ask:?} connected") };
    let outside = !bundle.enclave().region.contains(&country);
    assert!(ask.purpose.is_some(), "{ask:?}");
    assert_eq!(
        profile.pseudonym_scope.is_some(),
        profile.columns().any(|(_, column)| column.disclosure == Disclosure::Pseudonym)
    );
    for (table, column) in profile.columns() {
        let clear = column.disclosure == Disclosure::Clear;
        let what = format!("{ask:?}: {table}.{} {}", column.name, column.disclosure);
        assert!(!(clear && column.class == Class::Restricted), "{what}");
        assert!(
            !(clear && column.identifier.points_at_subject() && profile.pseudonym_scope.is_some()),
            "{what}"
        );
        assert!(!(outside && column.class == Class::Restricted), "{what}");
        assert!(
            !(outside && column.class == Class::Personal && column.disclosure != Disclosure::Pseudonym),
            "{what}"
        );
        assert!(!(outside && clear && column.identifier.points_at_subject()), "{what}");
    }
    let kind = bundle.directory().principal(ask.principal).unwrap().kind;
    assert!(!profile.writes() || (!outside && kind == policy::PrincipalKind::Service), "{ask:?}");
}

#[test]
fn hashes_follow_from_the_files_and_the_disclosures_alone() {
    let files = common::example();
    let (one, two) = (common::read(&files), common::read(&files));
    assert_eq!(one.hash(), two.hash());
    assert_eq!(one.profiles(), two.profiles());
    let mut hashes: Vec<_> = one.profiles().iter().map(|profile| profile.hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), SHOWN.len());

    // A comment changes the bundle and no profile; what a scope means changes the profiles that use it.
    let mut commented = files.clone();
    common::edit(&mut commented, "policy/support.cedar", "", "// As before.\n");
    let commented = common::read(&commented);
    assert_ne!(commented.hash(), one.hash());
    assert_eq!(commented.profiles(), one.profiles());
    let mut narrowed = files;
    common::edit(&mut narrowed, "catalog.toml", "equals = true", "equals = false");
    let narrowed = common::read(&narrowed);
    let changed = one.profiles().iter().zip(narrowed.profiles()).filter(|(a, b)| a.hash != b.hash);
    assert_eq!(changed.map(|(a, _)| a.name.as_str()).collect::<Vec<_>>(), ["analytics"]);
}
