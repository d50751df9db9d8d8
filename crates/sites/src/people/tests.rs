//! What must hold of every population, and of the tables it is made from.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests say what went wrong by panicking")]

use super::country::{AMERICA, EUROPE};
use super::*;
use std::collections::{BTreeMap, BTreeSet};

fn sites(sites: &[(&str, &str)]) -> Vec<HomeSite> {
    let home = |(name, country): &(&str, &str)| HomeSite {
        name: (*name).to_owned(),
        country: (*country).to_owned(),
    };
    sites.iter().map(home).collect()
}

/// A region of these countries with these sites.
fn region(countries: &[&str], known: &[(&str, &str)]) -> Region {
    Region { countries: countries.iter().map(|code| (*code).to_owned()).collect(), sites: sites(known) }
}

fn europe() -> Region {
    let countries: Vec<&str> = EUROPE.iter().map(|country| country.code).collect();
    region(&countries, &[("dublin-1", "IE"), ("dublin-2", "IE"), ("hamar", "NO")])
}

fn people(seed: u64, subjects: u64) -> Vec<Subject> {
    Population::new(seed, subjects, &europe()).collect()
}

#[test]
fn the_same_seed_makes_the_same_subjects() {
    let some = people(7, 2_000);
    assert_eq!(some, people(7, 2_000));
    assert_eq!(some.get(..500).unwrap(), people(7, 500));
    assert_ne!(some, people(8, 2_000));
    assert_eq!(Population::new(7, 10, &region(&["IE"], &[])).count(), 0);
    assert_eq!(Population::new(7, 10, &region(&["JP"], &[("osaka", "JP")])).count(), 0);
    // Written down, so that a library's new release that would make other subjects is noticed.
    let Subject { person, payments, .. } = some.first().unwrap();
    let seen = format!("{} {} {} {}", person.full_name, person.email, person.phone, person.home_site);
    assert_eq!(seen, "Paul Meier paul.meier@inbox.example +49 17639235245 dublin-1");
    let bank = Bank::Iban("DE17024801974534520644".to_owned());
    assert_eq!(payments.first().map(|payment| &payment.bank), Some(&bank));
}

#[test]
fn nobody_is_there_twice() {
    let people = people(1, 30_000);
    let unique = |what: &dyn Fn(&Person) -> String| {
        people.iter().map(|one| what(&one.person)).collect::<BTreeSet<_>>().len()
    };
    assert_eq!(unique(&|person| person.id.to_string()), people.len());
    assert_eq!(unique(&|person| person.handle.clone()), people.len());
    assert_eq!(unique(&|person| person.email.clone()), people.len());
    let rows = |what: &dyn Fn(&Subject) -> Vec<i64>| {
        let ids: Vec<i64> = people.iter().flat_map(what).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        ids.len()
    };
    rows(&|one| one.payments.iter().map(|payment| payment.id).collect());
    assert_eq!(rows(&|one| vec![one.device.id]), rows(&|one| vec![one.sign_in.id]));
    let posts = rows(&|one| one.posts.iter().map(|post| post.id).collect());
    let messages = rows(&|one| one.message.iter().map(|message| message.id).collect());
    assert!((29_000..31_000).contains(&posts) && (14_500..15_500).contains(&messages), "{posts} {messages}");
}

/// Length of an IBAN by country, of the registry.
const IBAN_LENGTHS: &str = "AT20 BE16 DE22 DK18 ES24 FI18 FR27 HU28 IE22 IT27 NL18 NO15 PL28 PT25 RO24 SE24";

#[test]
fn every_value_has_its_shape() {
    for subject in people(2, 20_000) {
        let Subject { person, payments, device, sign_in, posts, message } = subject;
        let country = EUROPE.iter().find(|country| country.code == person.country).unwrap();
        let (calling, national) = person.phone.strip_prefix('+').unwrap().split_once(' ').unwrap();
        assert_eq!((calling, national.len()), (country.calling, country.mobile_digits), "{person:?}");
        assert!(
            calling.len() + national.len() <= 15 && national.chars().all(|c| c.is_ascii_digit()),
            "{person:?}"
        );
        let (local, domain) = person.email.split_once('@').unwrap();
        assert!(MAIL_DOMAINS.contains(&domain) && local.is_ascii() && !local.is_empty(), "{person:?}");
        assert!(person.handle.chars().all(|c| c.is_ascii_alphanumeric() || "._".contains(c)), "{person:?}");
        assert!(i64::from(person.birth_date_days) < LAST_DAY - 14 * 365, "{person:?}");
        for payment in payments {
            let Bank::Iban(iban) = &payment.bank else { panic!("{payment:?}") };
            let length = format!("{}{}", person.country, iban.len());
            assert!(IBAN_LENGTHS.contains(&length), "{payment:?}");
            let (head, account) = iban.split_at(4);
            assert_eq!(numbers::remainder(&format!("{account}{head}")), 1, "{payment:?}");
            assert_eq!((payment.user_id, &payment.home_site), (person.id, &person.home_site));
            assert!(payment.paid_at_micros > person.created_at_micros && payment.amount_cents > 0);
        }
        assert!(device.ip.parse::<std::net::IpAddr>().is_ok() && device.identifier.len() == 16, "{device:?}");
        assert_eq!((sign_in.device_id, &sign_in.ip), (device.id, &device.ip));
        assert!(sign_in.at_micros > person.created_at_micros && sign_in.country == person.country);
        assert!(posts.iter().all(|post| post.created_at_micros > person.created_at_micros));
        assert!(message.is_none_or(|message| (1..person.id).contains(&message.recipient_id)));
    }
}

#[test]
fn subjects_are_those_of_the_region() {
    let american = region(&["US"], &[("ashburn", "US"), ("san-antonio", "US")]);
    assert_eq!(american.banking(), Some(Banking::Routed));
    let mut homes = BTreeSet::new();
    for Subject { person, payments, .. } in Population::new(5, 2_000, &american) {
        assert_eq!(
            (person.country.as_str(), person.phone.len()),
            ("US", "+1 5125550123".len()),
            "{person:?}"
        );
        // 555-0100 to 555-0199 ring nowhere.
        assert_eq!(person.phone.get(6..11), Some("55501"), "{person:?}");
        for payment in payments {
            let Bank::Routed { routing, account } = &payment.bank else { panic!("{payment:?}") };
            let whole = routing.len() == 9 && numbers::routing_sum(routing).is_multiple_of(10);
            assert!(whole && (10..=12).contains(&account.len()) && payment.currency == "USD", "{payment:?}");
        }
        homes.insert(person.home_site);
    }
    assert_eq!(homes.len(), 2);
    // The number that the Federal Reserve Bank of Boston publishes for itself.
    assert_eq!(numbers::routing_sum("011000015") % 10, 0);
    let two = region(&["FI", "SE", "US"], &[("a", "SE")]);
    assert!(Population::new(6, 500, &two).all(|one| ["FI", "SE"].contains(&one.person.country.as_str())));
    assert_eq!(region(&["JP"], &[]).banking(), None);
}

#[test]
fn homes_are_near() {
    let mut homes: BTreeMap<(String, bool), u32> = BTreeMap::new();
    for Subject { person, .. } in people(3, 20_000) {
        let nordic = country::NORDIC.contains(&person.country.as_str());
        assert_eq!(person.home_site == "hamar", nordic, "{person:?}");
        *homes.entry((person.home_site, nordic)).or_default() += 1;
    }
    let shares: Vec<u32> = homes.values().map(|count| count / 200).collect();
    assert!(matches!(shares.as_slice(), [43..=47, 43..=47, 8..=12]), "{shares:?}");
    let check = |code: &str, known: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(region(&[code], known).nearest(code), expected, "{code}");
    };
    check("SE", &[("a", "IE"), ("b", "NO"), ("c", "SE")], &["c"]);
    check("SE", &[("a", "IE"), ("b", "DE")], &["a", "b"]);
    check("FR", &[("a", "IE"), ("b", "NO"), ("c", "DE")], &["a", "c"]);
    check("FR", &[("b", "NO")], &["b"]);
}

#[test]
fn subjects_come_from_everywhere_and_differ() {
    let people = people(4, 20_000);
    let mut countries: BTreeMap<&str, u64> = BTreeMap::new();
    people.iter().for_each(|one| *countries.entry(&one.person.country).or_default() += 1);
    for country in EUROPE {
        let share = countries.get(country.code).copied().unwrap_or_default() / 20;
        assert!(share.abs_diff(country.weight) <= country.weight / 5 + 2, "{} {share}", country.code);
    }
    let consenting = people.iter().filter(|one| one.person.analytics_consent).count();
    assert!((12_000..12_800).contains(&consenting), "{consenting}");
    let names: BTreeSet<&str> = people.iter().map(|one| one.person.full_name.as_str()).collect();
    assert!(names.len() > 10_000, "{}", names.len());
}

/// Check digits of accounts that registries publish as examples.
#[test]
fn remainders_are_those_of_the_standard() {
    for iban in
        ["IE29AIBK93115212345678", "DE89370400440532013000", "NO9386011117947", "FR1420041010050500013M02606"]
    {
        let (head, account) = iban.split_at(4);
        assert_eq!(numbers::remainder(&format!("{account}{head}")), 1, "{iban}");
    }
}

#[test]
fn names_make_handles() {
    assert_eq!(EUROPE.iter().map(|country| country.weight).sum::<u64>(), 1_000);
    for country in EUROPE.iter().chain(AMERICA) {
        for list in [country.names.given, country.names.family] {
            let names: BTreeSet<&str> = list.split('|').collect();
            assert!(
                (30..=60).contains(&names.len()) && names.len() == list.split('|').count(),
                "{}",
                country.code
            );
            for name in names {
                let letters = name.chars().filter(|c| c.is_alphabetic()).count();
                assert!(
                    letters > 1 && plain(name).len() >= letters && name == name.trim(),
                    "{name}: {}",
                    plain(name)
                );
            }
        }
    }
}
