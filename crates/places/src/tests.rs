//! Places of addresses: of small files written here, and of the pinned ones that the tests fetch.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use proptest::prelude::*;
use risk::{Act, Event, Outcome};

use super::ranges::Ranges;
use super::*;

const ASN: &str = "\
1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"
1.0.4.0,1.0.7.255,38803,Gtelecom Pty Ltd
5.9.0.0,5.9.255.255,24940,Hetzner Online GmbH
2001:4:112::,2001:4:112:ffff:ffff:ffff:ffff:ffff,112,DNS-OARC
2a01:4f8::,2a01:4f8:ffff:ffff:ffff:ffff:ffff:ffff,24940,Hetzner Online GmbH
";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// A login from an address, and what it says of its place.
fn event(ip: Option<IpAddr>, place: Place) -> Event<'static> {
    let (act, outcome, user) = (Act::Logon, Outcome::Success, "ana");
    let (agent, host, target, session, group, rtt_ms, id) = (None, None, None, None, None, None, None);
    let (time_ms, is_mfa) = (0, false);
    Event { time_ms, act, outcome, user, ip, place, agent, host, target, session, group, rtt_ms, is_mfa, id }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn networks_are_those_of_the_table() {
    let folder =
        folder(&[("asn-ipv4.csv", ASN), ("asn-ipv4-num.csv", "nonsense"), ("notes.txt", "nonsense")]);
    let places = Places::open(folder.path()).unwrap();
    let check = |address: &str, asn: Option<u32>, network| {
        let place = places.of(ip(address));
        assert_eq!((place.asn, place.network), (asn, network), "{address}");
    };
    check("1.0.0.0", Some(13335), Network::Hosting);
    check("1.0.0.255", Some(13335), Network::Hosting);
    check("1.0.1.0", None, Network::Unknown);
    check("0.255.255.255", None, Network::Unknown);
    check("1.0.5.1", Some(38803), Network::Unknown);
    check("5.9.77.1", Some(24940), Network::Hosting);
    check("::ffff:5.9.77.1", Some(24940), Network::Hosting);
    check("255.255.255.255", None, Network::Unknown);
    check("2001:4:112::1", Some(112), Network::Unknown);
    check("2001:4:113::1", None, Network::Unknown);
    check("2a01:4f8:1::", Some(24940), Network::Hosting);
    assert_eq!(places.missing().len(), 2);
}

#[test]
fn lists_win_over_names_and_the_event_over_both() {
    let folder = folder(&[
        ("asn.csv", ASN),
        ("anonymous-tor.txt", "# exits\n5.9.0.7\n5.9.1.0/24 # more\n2a01:4f8:7::/48\n"),
        ("mobile.txt", "1.0.4.0-1.0.4.9\n5.9.0.0/16\n"),
    ]);
    let places = Places::open(folder.path()).unwrap();
    assert_eq!(places.of(ip("5.9.0.7")).network, Network::Anonymous);
    assert_eq!(places.of(ip("5.9.1.255")).network, Network::Anonymous);
    assert_eq!(places.of(ip("5.9.2.0")).network, Network::Mobile);
    assert_eq!(places.of(ip("2a01:4f8:7:1::1")).network, Network::Anonymous);
    assert_eq!(places.of(ip("1.0.4.9")).network, Network::Mobile);
    assert_eq!(places.of(ip("1.0.4.10")).network, Network::Unknown);
    let mut nowhere = event(None, Place::default());
    places.fill(&mut nowhere);
    assert_eq!(nowhere.place, Place::default(), "without an address nothing is known");
    let said = Place { asn: Some(1), country: Some(*b"FR"), ..Place::default() };
    let mut event = event(Some(ip("5.9.0.7")), said);
    places.fill(&mut event);
    let expected =
        Place { asn: Some(1), country: Some(*b"FR"), network: Network::Anonymous, ..Place::default() };
    assert_eq!(event.place, expected);
}

#[test]
fn a_wrong_file_is_named_with_its_line() {
    for (name, text, wanted) in [
        ("asn-ipv4.csv", "1.0.0.0,1.0.0.255,AS1,x\n", "line 1: no number"),
        ("asn-ipv4.csv", "1.0.0.0,1.0.0.9,1,x\n1.0.0.9,1.0.0.0,1,x\n", "line 2: no range"),
        ("asn-ipv4.csv", "1.0.0.0\n", "line 1: less than three"),
        ("hosting.txt", "# a\n10.0.0.0/33\n", "line 2: `10.0.0.0/33`"),
        ("x-country.mmdb", "nonsense", "MaxMind DB"),
    ] {
        let folder = folder(&[(name, text)]);
        let error = Places::open(folder.path()).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(wanted), "{error}");
    }
    let error = Places::open(&PathBuf::from("/nowhere")).map(|_| ()).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere: "), "{error}");
}

#[test]
fn a_file_that_changes_is_read_again_and_a_broken_one_changes_nothing() {
    let folder = folder(&[("asn.csv", "1.0.0.0,1.0.0.255,1,x\n")]);
    let mut places = Places::open(folder.path()).unwrap();
    assert!(!places.reload().unwrap());
    fs::write(folder.path().join("asn.csv"), "1.0.0.0,1.0.0.255,22,x\n").unwrap();
    assert!(places.reload().unwrap());
    assert_eq!(places.of(ip("1.0.0.1")).asn, Some(22));
    fs::write(folder.path().join("asn.csv"), "1.0.0.0,1.0.0.255\n").unwrap();
    assert!(places.reload().is_err());
    assert!(!places.reload().unwrap(), "said once");
    assert_eq!(places.of(ip("1.0.0.1")).asn, Some(22));
    fs::write(folder.path().join("mobile.txt"), "1.0.0.0/24\n").unwrap();
    fs::write(folder.path().join("asn.csv"), "1.0.0.0,1.0.0.255,333,x\n").unwrap();
    assert!(places.reload().unwrap());
    let place = places.of(ip("1.0.0.1"));
    assert_eq!((place.asn, place.network), (Some(333), Network::Mobile));
}

#[test]
fn whoever_asks_goes_on_while_files_come_and_go() {
    let files = folder(&[("asn.csv", "1.0.0.0,1.0.0.255,1,x\n")]);
    let current = Current::open(files.path()).unwrap();
    let asn = || current.known().of(ip("1.0.0.1")).asn;
    let is_new = || current.reload().map(|new| new.is_some()).map_err(|error| error.to_string());
    let path = files.path().join("asn.csv");
    assert_eq!((is_new(), asn()), (Ok(false), Some(1)));
    fs::write(&path, "1.0.0.0,1.0.0.255,22,x\n").unwrap();
    let before = current.known();
    assert_eq!((is_new(), asn()), (Ok(true), Some(22)));
    assert_eq!(before.of(ip("1.0.0.1")).asn, Some(1), "who asked before has what was known then");
    fs::write(&path, "1.0.0.0,1.0.0.255\n").unwrap();
    let said = is_new().unwrap_err();
    assert!(said.contains("asn.csv") && said.contains("line 1"), "{said}");
    assert_eq!((is_new(), asn()), (Ok(false), Some(22)), "said once, and used on");
    fs::remove_file(&path).unwrap();
    assert_eq!((is_new(), asn()), (Ok(true), None), "it was taken away");
    assert_eq!(current.known().missing().len(), 3);
    fs::remove_dir(files.path()).unwrap();
    let said = is_new().unwrap_err();
    assert!(said.starts_with(files.path().to_str().unwrap()), "{said}");
    assert_eq!(is_new(), Ok(false), "said once");
    fs::create_dir(files.path()).unwrap();
    fs::write(&path, "1.0.0.0,1.0.0.255,333,x\n").unwrap();
    assert_eq!((is_new(), asn()), (Ok(true), Some(333)), "it is back");
}

#[test]
fn names_speak_of_kinds() {
    for (name, wanted) in [
        ("Hetzner Online GmbH", Network::Hosting),
        ("Amazon.com, Inc.", Network::Hosting),
        ("T-Mobile USA, Inc.", Network::Mobile),
        ("Cellco Partnership DBA Verizon Wireless", Network::Mobile),
        ("Deutsche Telekom AG", Network::Access),
        ("Comcast Cable Communications, LLC", Network::Access),
        ("Inmarsat Global Limited", Network::Carriage),
        ("31173 Services AB", Network::Unknown),
        ("AnchorFree VPN Services", Network::Anonymous),
        ("Torkel Elektrik", Network::Unknown),
        ("", Network::Unknown),
    ] {
        assert_eq!(kind::of_name(name), wanted, "{name}");
    }
}

/// A file of cities: the lower half of IPv4 as DB-IP lays it out, with narrow numbers, the upper as MaxMind does, with wide
/// ones (MaxMind DB file format 2.0).
fn cities() -> Vec<u8> {
    let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
    let narrow = |number: f32| [&[0x04, 0x08], &number.to_be_bytes()[..]].concat();
    let wide = |number: f64| [&[0x68], &number.to_be_bytes()[..]].concat();
    let small = |number: u8| vec![0xA1, number];
    let map = |pairs: &[(&str, Vec<u8>)]| {
        let pairs: Vec<u8> =
            pairs.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
        (pairs, 0xE0)
    };
    let whole = |count: u8, (pairs, kind): (Vec<u8>, u8)| [vec![kind | count], pairs].concat();
    let lower =
        map(&[("country_code", text("DE")), ("latitude", narrow(48.5)), ("longitude", narrow(-9.25))]);
    let lower = whole(3, lower);
    let code = whole(1, map(&[("iso_code", text("br"))]));
    let point = whole(2, map(&[("latitude", wide(-12.5)), ("longitude", wide(300.0))]));
    let upper = whole(2, map(&[("country", code), ("location", point)]));
    let record = |offset: usize| (1 + 16 + offset as u32).to_be_bytes()[1..].to_vec();
    let metadata = map(&[
        ("binary_format_major_version", small(2)),
        ("binary_format_minor_version", vec![0xA0]),
        ("build_epoch", vec![0x01, 0x02, 1]),
        ("database_type", text("city")),
        ("description", vec![0xE0]),
        ("ip_version", small(4)),
        ("languages", vec![0x00, 0x04]),
        ("node_count", vec![0xC1, 1]),
        ("record_size", small(24)),
    ]);
    let tree = [record(0), record(lower.len()), vec![0; 16]].concat();
    [tree, lower, upper, b"\xAB\xCD\xEFMaxMind.com".to_vec(), whole(9, metadata)].concat()
}

#[test]
fn a_city_has_a_country_and_a_point() {
    let folder = folder(&[]);
    fs::write(folder.path().join("x-city-ipv4.mmdb"), cities()).unwrap();
    let places = Places::open(folder.path()).unwrap();
    let lower = Place { country: Some(*b"DE"), point: Some((48.5, -9.25)), ..Place::default() };
    assert_eq!(places.of(ip("1.2.3.4")), lower);
    // That longitude is none.
    assert_eq!(places.of(ip("200.2.3.4")), Place { country: Some(*b"BR"), ..Place::default() });
    assert_eq!(places.of(ip("2001:db8::1")), Place::default());
    let french = Place { country: Some(*b"FR"), ..Place::default() };
    let mut event = event(Some(ip("1.2.3.4")), french);
    places.fill(&mut event);
    assert_eq!(event.place.point, None, "a point of another country than the event's own is left out");
}

proptest! {
    /// Against a search through all of them.
    #[test]
    fn ranges_are_found(
        lengths in proptest::collection::vec((1_u32..200_000, 0_u32..200_000), 1..60),
        start in 0_u32..u32::MAX / 2,
        asked in proptest::collection::vec(0_u32..12_000_000, 1..60),
    ) {
        let mut ranges = Ranges::default();
        let mut all = Vec::new();
        let mut at = start;
        for (value, (length, gap)) in lengths.into_iter().enumerate() {
            let (first, last) = (at, at + length - 1);
            let v6 = |bits: u32| IpAddr::V6((u128::from(bits) << 40).into());
            ranges.add(IpAddr::V4(first.into()), IpAddr::V4(last.into()), value).unwrap();
            ranges.add(v6(first), v6(last), value).unwrap();
            all.push((first, last, value));
            at = last + 1 + gap;
        }
        ranges.finish();
        for asked in asked {
            let address = start.saturating_add(asked);
            let wanted = all.iter().find(|(first, last, _)| (*first..=*last).contains(&address)).map(|(_, _, value)| *value);
            prop_assert_eq!(ranges.of(IpAddr::V4(address.into())), wanted);
            prop_assert_eq!(ranges.of(IpAddr::V6((u128::from(address) << 40).into())), wanted);
        }
    }
}

/// The pinned files, as `.ci/install.sh` fetches them.
#[test]
fn the_fetched_files_know_well_known_addresses() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/places"));
    // Not the whole folder, in which there may be cities too, of another opinion on some addresses.
    let mut places = Places::default();
    for name in ["dbip-country.mmdb", "asn-ipv4.csv", "asn-ipv6.csv"] {
        places.add(&folder.join(name)).expect("`. .ci/install.sh && ensure_places_files` fetches them");
    }
    places.finish();
    let check = |address: &str, country: &[u8; 2], asn: u32, network| {
        let place = places.of(ip(address));
        assert_eq!(
            (place.country, place.asn, place.network),
            (Some(*country), Some(asn), network),
            "{address}"
        );
    };
    // RIPE NCC, DFN, Hetzner: older than this code and unlikely to move.
    check("193.0.6.139", b"NL", 3333, Network::Unknown);
    check("2001:67c:2e8:22::c100:68b", b"NL", 3333, Network::Unknown);
    check("5.9.0.1", b"DE", 24940, Network::Hosting);
    assert_eq!(places.of(ip("10.0.0.1")), Place::default());
    // What was laid out flat is what the file says.
    let file = mmdb(&folder.join("dbip-country.mmdb")).unwrap();
    let mut bits = 1_u64;
    for _ in 0..20_000 {
        bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let v4 = IpAddr::V4(((bits >> 32) as u32).into());
        let v6 = IpAddr::V6((0x2000_u128 << 112 | u128::from(bits >> 4) << 64).into());
        for address in [v4, v6] {
            let wanted = look(&file, address).and_then(|found| countries::country(&found));
            assert_eq!(places.of(address).country, wanted, "{address}");
        }
    }
}
