//! Profiles that are refused although every file is well-formed: each case weakens one policy, as somebody in a hurry
//! might, and says which profile then shows what. Joins are included: identifier and pseudonym stand in any two tables.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use policy::Bundle;

const BESIDE_ID: &str = "clear beside the pseudonym `users.id` of the same subject; withhold or mask the identifier, \
                         or give up the pseudonym";

/// Every way to show a clear identifier beside a pseudonym, column by column, is refused.
#[test]
fn no_identifier_is_clear_beside_a_pseudonym() {
    let analytics = "enclave.toml:38: profiles.analytics: profile `analytics` shows";
    let cases = [
        // In the pseudonym's own table.
        ("users", "handle", "users.handle", "handle"),
        ("users", "name", "users.full_name", "name"),
        ("users", "email", "users.email", "email"),
        ("users", "phone", "users.phone", "phone"),
        // In the table that it is joined with.
        ("payments", "row", "payments.id", "row"),
        ("payments", "subject", "payments.user_id", "subject"),
        ("payments", "iban", "payments.iban", "iban"),
    ];
    for (table, identifier, column, word) in cases {
        let mut files = common::example();
        let restricted = "when { resource.class == Class::\"restricted\" };\n\n@id(\"restricted-stays";
        let fewer = "when { resource.class == Class::\"restricted\" && !(principal in Role::\"analyst\") };\n\n\
                     @id(\"restricted-stays";
        common::edit(&mut files, "policy/1-guards.cedar", restricted, fewer);
        let weak = format!(
            "@id(\"weak\") @needs(\"nothing\")\npermit (principal in Role::\"analyst\", action == Action::\"clear\", \
             resource) when {{ context.place.in_region && resource.table == Table::\"{table}\" && \
             resource.identifier == Identifier::\"{identifier}\" }};"
        );
        files.insert("policy/weak.cedar".into(), weak.into_bytes());
        check(&files, &format!("{analytics} `{column}` ({word}) {BESIDE_ID}"));
    }
}

/// A permit for everybody meets the pseudonyms of some: two profiles at once are refused.
#[test]
fn a_wider_permit_is_refused_wherever_it_meets_pseudonyms() {
    let mut files = common::example();
    let guard = "unless { context.place.in_region || resource.identifier == Identifier::\"none\" };";
    let weaker = "unless { context.place.in_region || resource.identifier == Identifier::\"none\" || \
                  resource.identifier == Identifier::\"handle\" };";
    common::edit(&mut files, "policy/1-guards.cedar", guard, weaker);
    let only = "when { resource.class == Class::\"public\" && resource.identifier == Identifier::\"none\" };";
    common::edit(
        &mut files,
        "policy/2-everyone.cedar",
        only,
        "when { resource.class == Class::\"public\" };",
    );
    let line = |line: u8, profile: &str, what: &str| {
        let (column, identifier) = what.split_once(' ').unwrap();
        format!(
            "enclave.toml:{line}: profiles.{profile}: profile `{profile}` shows `{column}` {identifier} {BESIDE_ID}"
        )
    };
    let expected = [
        line(38, "analytics", "users.handle (handle)"),
        line(38, "analytics", "posts.id (row)"),
        line(38, "analytics", "posts.body (content)"),
        line(40, "engineering", "users.handle (handle)"),
    ];
    check(&files, &expected.join("\n"));
}

#[test]
fn what_has_no_mask_or_pseudonym_is_not_shown_as_one() {
    let cases = [
        (
            "policy/analytics.cedar",
            "when { resource.identifier == Identifier::\"date\" }",
            "when { resource.identifier == Identifier::\"date\" || (resource.identifier == Identifier::\"row\" && \
             resource.table == Table::\"payments\") }",
            "profile `analytics` shows `payments.id` as `masked`, which does not exist for bigint identifying `row`; \
             permit it for other columns only",
        ),
        (
            "policy/analytics.cedar",
            "when { resource.identifier == Identifier::\"subject\" }",
            "when { resource.identifier == Identifier::\"subject\" || resource.identifier == Identifier::\"handle\" }",
            "profile `analytics` shows `users.handle` as `pseudonym`, which does not exist for text identifying \
             `handle`; permit it for other columns only",
        ),
    ];
    for (path, from, to, expected) in cases {
        let mut files = common::example();
        common::edit(&mut files, path, from, to);
        check(&files, &format!("enclave.toml:38: profiles.analytics: {expected}"));
    }
}

/// What is written must be shown as it is stored, and a new row must have a key, a subject and a place in the scope.
#[test]
fn no_profile_writes_what_it_does_not_show() {
    const FILE: &str = "policy/billing.cedar";
    let payments = "action in [Action::\"clear\", Action::\"insert\"], resource)\nwhen { context.place.in_region && \
                    resource.table == Table::\"payments\" && resource.class != Class::\"restricted\" }";
    let wider = "action in [Action::\"clear\", Action::\"insert\"], resource)\nwhen { context.place.in_region && \
                 resource.table == Table::\"payments\" }";
    let fewer = "action in [Action::\"clear\", Action::\"insert\"], resource)\nwhen { context.place.in_region && \
                 resource.table == Table::\"payments\" && resource.class == Class::\"public\" }";
    let status =
        "when { resource.class == Class::\"internal\" && resource.identifier == Identifier::\"none\" }";
    let cases = [
        (
            payments,
            wider,
            "profile `billing` inserts `payments.iban` and does not show it clear; show it clear, or permit to write \
             other columns only",
        ),
        (
            status,
            "when { resource.identifier == Identifier::\"iban\" }",
            "profile `billing` updates `payments.iban` and does not show it clear; show it clear, or permit to write \
             other columns only",
        ),
        (
            payments,
            fewer,
            "profile `billing` writes `payments` and does not show its key `id` clear; show the key clear, or permit no \
             insert, update or delete\n\
             profile `billing` updates `payments.status` and does not show it clear; show it clear, or permit to write \
             other columns only\n\
             profile `billing` inserts into `payments` without `payments.id`: every new row would be without a key; \
             permit to insert that column too, or to insert nothing\n\
             profile `billing` inserts into `payments` without `payments.user_id`: every new row would belong to no \
             subject; permit to insert that column too, or to insert nothing",
        ),
    ];
    for (from, to, expected) in cases {
        let mut files = common::example();
        common::edit(&mut files, FILE, from, to);
        let expected: Vec<_> =
            expected.lines().map(|line| format!("enclave.toml:43: profiles.billing: {line}")).collect();
        check(&files, &expected.join("\n"));
    }
    let mut files = common::example();
    common::edit(
        &mut files,
        "policy/feed.cedar",
        "when { context.scope == Scope::\"all\" && context.place.in_region }",
        "when { context.scope == Scope::\"german\" && context.place.in_region }",
    );
    let posts = "{ name = \"consented\", subjects = \"consented\" }]\nreferences = [{ column = \"author_id\"";
    let german = "{ name = \"german\", column = \"language\", equals = \"de\" }]\nreferences = [{ column = \"author_id\"";
    common::edit(&mut files, "catalog.toml", posts, german);
    let written = "resource.table == Table::\"posts\" }";
    let but_language = "resource.table == Table::\"posts\" }\nunless { [Action::\"insert\", Action::\"update\"].contains(action) && resource.class == \
                        Class::\"public\" && resource.identifier == Identifier::\"none\" }";
    common::edit(&mut files, "policy/feed.cedar", written, but_language);
    check(
        &files,
        "enclave.toml:44: profiles.feed: profile `feed` inserts into `posts` without `posts.language`: every new row \
         would be outside the scope of rows that it shows; permit to insert that column too, or to insert nothing",
    );
}

/// A row's home is its site's, and a row does not change hands: policy cannot permit what it would take.
#[test]
fn no_policy_permits_to_write_a_home_or_to_move_a_row() {
    let mut files = common::example();
    common::edit(
        &mut files,
        "policy/billing.cedar",
        "when { resource.class == Class::\"internal\" && resource.identifier == Identifier::\"none\" }",
        "when { resource.class != Class::\"restricted\" }",
    );
    let bundle = common::read(&files);
    for profile in bundle.profiles() {
        for shown in &profile.tables {
            let table = bundle.catalog().table(&shown.table).unwrap();
            assert!(!shown.writes.insert.contains(&table.home), "{} {}", profile.name, table.name);
            for never in [&table.home, &table.key, &table.subject_key] {
                assert!(!shown.writes.update.contains(never), "{} {}.{never}", profile.name, table.name);
            }
        }
    }
    let billing = bundle.profiles().iter().find(|profile| profile.name == "billing").unwrap();
    let update = &billing.table("payments").unwrap().writes.update;
    assert_eq!(update.join(" "), "amount_cents currency status paid_at");
}

#[test]
fn two_profiles_do_not_disclose_the_same() {
    let mut files = common::example();
    let last = "purpose = \"feed\" } },\n]";
    let more = "purpose = \"feed\" } },\n    { name = \"america\", exemplar = { principal = \
                \"dana\", place = \"united-states\", purpose = \"engineering\" } },\n]";
    common::edit(&mut files, "enclave.toml", last, more);
    check(
        &files,
        "enclave.toml:45: profiles.america: profile `america` discloses the same as `engineering`; remove one of them",
    );
}

/// A request that policy answers with something nobody provisioned is denied, not rounded up or down.
#[test]
fn what_is_not_provisioned_is_denied() {
    let mut files = common::example();
    let analytics = "    { name = \"analytics\", exemplar = { principal = \"lukas\", place = \"germany\", purpose = \
                     \"analytics\" } },\n";
    common::edit(&mut files, "enclave.toml", analytics, "");
    let bundle = common::read(&files);
    let place = bundle.place_of("germany");
    let ask = policy::Ask { principal: "lukas", place, purpose: Some("analytics"), ticket: None };
    let denial = bundle.decide(&ask).unwrap_err();
    assert_eq!(denial.rule, policy::RULE_NOT_PROVISIONED);
    assert_eq!(
        denial.sentence,
        "no profile discloses just what policy permits here: 8 columns of `users` (consented), 6 columns of \
         `payments` (consented), 5 columns of `posts` (consented), 5 columns of `devices` (consented), 5 columns of \
         `sign_ins` (consented)"
    );
}

fn check(files: &common::Files, expected: &str) {
    let said = Bundle::read(files).map(|_| "accepted".to_owned()).unwrap_or_else(|e| common::lines(&e));
    assert_eq!(said, expected);
}
