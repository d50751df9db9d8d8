//! Identifiers that are made up here by the rules are found, whatever stands around them.

use proptest::prelude::*;

use crate::{Kind, scan};

/// The identifier is found at its place among words.
fn found(value: &str, kind: Kind, before: &str) {
    let text = format!("{before} {value}, and more");
    let start = u64::try_from(before.len() + 1).unwrap();
    let length = u32::try_from(value.len()).unwrap();
    let same = scan(text.as_bytes()).iter().any(|finding| {
        (finding.offset, finding.length, finding.kind) == (start, length, kind) && finding.valid()
    });
    assert!(same, "{text}: {:?}", scan(text.as_bytes()));
}

fn luhn(body: &str) -> char {
    let sum: u32 = body.bytes().rev().enumerate().fold(0, |sum, (place, digit)| {
        let value = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
        sum + value / 10 + value % 10
    });
    char::from_digit((10 - sum % 10) % 10, 10).unwrap()
}

fn iban(country: &str, account: &str) -> String {
    let number: String =
        format!("{account}{country}00").chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
    let rest = number.bytes().fold(0_u64, |rest, digit| (rest * 10 + u64::from(digit - b'0')) % 97);
    format!("{country}{:02}{account}", 98 - rest)
}

proptest! {
    #[test]
    fn emails(local in "[a-z][a-z0-9]{0,20}([._+-][a-z0-9]{1,8}){0,2}", host in "[a-z][a-z0-9-]{0,20}[a-z]", top in "(com|ie|no|de|fr|eu|org|museum)") {
        found(&format!("{local}@{host}.{top}"), Kind::Email, "mail");
    }

    #[test]
    fn cards(body in "4[0-9]{14}|5[1-5][0-9]{13}|3[47][0-9]{12}|62[0-9]{13}") {
        let number = format!("{body}{}", luhn(&body));
        found(&number, Kind::Card, "paid by");
        if number.len() == 16 {
            let groups: Vec<&str> = [0, 4, 8, 12].map(|at| &number[at..at + 4]).into();
            found(&groups.join(" "), Kind::Card, "paid by");
        }
    }

    #[test]
    fn ibans(german in "[0-9]{18}", irish in "[A-Z]{4}[0-9]{14}", french in "[0-9]{10}[0-9A-Z]{11}[0-9]{2}", norwegian in "[0-9]{11}") {
        for (country, account) in [("DE", german), ("IE", irish), ("FR", french), ("NO", norwegian)] {
            let value = iban(country, &account);
            found(&value, Kind::Iban, "to");
            found(&value.to_lowercase(), Kind::Iban, "to");
            let groups: Vec<&str> = value.as_bytes().chunks(4).map(|part| std::str::from_utf8(part).unwrap()).collect();
            found(&groups.join(" "), Kind::Iban, "to");
        }
    }

    #[test]
    fn addresses(v4 in any::<u32>(), v6 in any::<[u16; 8]>()) {
        let v4: Vec<String> = v4.to_be_bytes().iter().map(u8::to_string).collect();
        found(&v4.join("."), Kind::Ip, "from");
        let groups: Vec<String> = v6[1..].iter().map(|group| format!("{group:x}")).collect();
        let first = 0x2000 | (v6[0] & 0x1fff);
        found(&format!("{first:x}:{}", groups.join(":")), Kind::Ip, "from");
        found(&format!("{first:x}:{}::{}", groups[0], groups[1]), Kind::Ip, "from");
    }

    #[test]
    fn phones(irish in "8[35-9][0-9]{7}", german in "1[67][0-9]{8}", french in "[1-9][0-9]{8}", norwegian in "[49][0-9]{7}") {
        for (code, number) in [("353", irish), ("49", german), ("33", french), ("47", norwegian)] {
            found(&format!("+{code}{number}"), Kind::Phone, "or");
            found(&format!("+{code} {} {}", &number[..3], &number[3..]), Kind::Phone, "or");
        }
    }

    #[test]
    fn places(latitude in -899_999..899_999_i32, longitude in -1_799_999..1_799_999_i32) {
        prop_assume!(latitude.abs() > 10_000 && latitude % 10_000 != 0 && longitude % 10_000 != 0);
        let degrees = |value: i32| format!("{:.4}", f64::from(value) / 10_000.0);
        found(&format!("{}, {}", degrees(latitude), degrees(longitude)), Kind::Coordinates, "at");
    }

    /// Finland, Spain, Sweden, Belgium, Poland: by a letter, a letter, Luhn, mod 97 and weights.
    #[test]
    fn national_numbers(day in 1..=28_u64, month in 1..=12_u64, year in 40..=99_u64, serial in 2..=899_u64, dni in 1..99_999_999_u64) {
        let date = format!("{day:02}{month:02}{year:02}");
        let rest = usize::try_from((date.parse::<u64>().unwrap() * 1000 + serial) % 31).unwrap();
        let letter = char::from(b"0123456789ABCDEFHJKLMNPRSTUVWXY"[rest]);
        found(&format!("{date}-{serial:03}{letter}"), Kind::NationalId, "is");
        let letter = char::from(b"TRWAGMYFPDXBNJZSQVHLCKE"[usize::try_from(dni % 23).unwrap()]);
        found(&format!("{dni:08}{letter}"), Kind::NationalId, "is");
        let reversed = format!("{year:02}{month:02}{day:02}");
        let body = format!("{reversed}{serial:03}");
        found(&format!("{reversed}-{serial:03}{}", luhn(&body)), Kind::NationalId, "is");
        let check = 97 - body.parse::<u64>().unwrap() % 97;
        found(&format!("{year:02}.{month:02}.{day:02}-{serial:03}.{check:02}"), Kind::NationalId, "is");
        let body = format!("{reversed}{serial:04}");
        let weights = [1, 3, 7, 9].into_iter().cycle();
        let sum: u32 = body.bytes().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        found(&format!("{body}{}", (10 - sum % 10) % 10), Kind::NationalId, "pesel");
    }
}
