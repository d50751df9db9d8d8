//! Telephone and account numbers of the right shape, from a stream of random numbers.
//!
//! An IBAN has the length, the structure and the check digits of its country (ISO 13616), so that a detector has to
//! recognise it. The check digits that some countries keep inside the account part are left to chance, and letters of
//! banks are ones that no bank has. An American routing number has its check digit (ABA). Nobody's account is meant.

use rand::RngCore;

use super::Bank;
use super::country::{Account, Country};

/// Stands where four letters name a bank.
const BANK_LETTERS: &str = "TRFL";

/// A number below `bound`, nearly uniform; 0 when the bound is 0. Written out, so that a seed makes the same subjects
/// whatever a library's sampling does.
pub(super) fn below(random: &mut impl RngCore, bound: u64) -> u64 {
    let wide = u128::from(random.next_u64()).saturating_mul(u128::from(bound));
    u64::try_from(wide >> 64).unwrap_or(0)
}

/// One of the items; None when there is none.
pub(super) fn one<'a, T>(random: &mut impl RngCore, items: &'a [T]) -> Option<&'a T> {
    let at = below(random, u64::try_from(items.len()).ok()?);
    items.get(usize::try_from(at).ok()?)
}

fn digit(random: &mut impl RngCore) -> char {
    u32::try_from(below(random, 10)).ok().and_then(|digit| char::from_digit(digit, 10)).unwrap_or('0')
}

/// A mobile number as E.123 prints E.164: `+353 871234567`.
pub(super) fn phone(random: &mut impl RngCore, country: &Country) -> String {
    let prefix = one(random, country.mobile).copied().unwrap_or_default();
    let rest = country.mobile_digits.saturating_sub(prefix.len());
    let mut phone = format!("+{} {prefix}", country.calling);
    phone.extend((0..rest).map(|_| digit(random)));
    phone
}

/// A bank account of the country.
pub(super) fn bank(random: &mut impl RngCore, country: &Country) -> Bank {
    match country.account {
        Account::Iban(shape) => Bank::Iban(iban(random, country.code, shape)),
        Account::Routed(districts) => {
            let routing = routing(random, districts);
            let digits = below(random, 3).saturating_add(10);
            Bank::Routed { routing, account: (0..digits).map(|_| digit(random)).collect() }
        }
    }
}

/// Nine digits, the last of which makes their weighted sum a multiple of ten.
fn routing(random: &mut impl RngCore, districts: &[&str]) -> String {
    let mut number = one(random, districts).copied().unwrap_or_default().to_owned();
    number.extend((0..6).map(|_| digit(random)));
    let check = (10 - routing_sum(&number) % 10) % 10;
    number.extend(char::from_digit(check, 10));
    number
}

/// The sum of a routing number's digits, weighted 3, 7, 1 and again.
pub(super) fn routing_sum(number: &str) -> u32 {
    number.chars().filter_map(|c| c.to_digit(10)).zip([3, 7, 1].into_iter().cycle()).map(|(d, w)| d * w).sum()
}

/// An IBAN without spaces.
fn iban(random: &mut impl RngCore, code: &str, shape: &[(char, usize)]) -> String {
    let mut account = String::new();
    for (kind, times) in shape {
        match (kind, times) {
            ('a', 4) => account.push_str(BANK_LETTERS),
            ('a', times) => account.extend((0..*times).map(|_| letter(random))),
            // Letters are possible here and rare.
            (_, times) => account.extend((0..*times).map(|_| digit(random))),
        }
    }
    let check = 98_u32.saturating_sub(remainder(&format!("{account}{code}00")));
    format!("{code}{check:02}{account}")
}

fn letter(random: &mut impl RngCore) -> char {
    u32::try_from(below(random, 26))
        .ok()
        .and_then(|at| char::from_digit(at.saturating_add(10), 36))
        .map_or('A', |letter| letter.to_ascii_uppercase())
}

/// The remainder by 97 of the text read as a number in which A is 10 and Z is 35 (ISO 7064).
pub(super) fn remainder(text: &str) -> u32 {
    text.chars().filter_map(|c| c.to_digit(36)).fold(0, |rest, value| {
        let shift = if value > 9 { 100 } else { 10 };
        (rest * shift + value) % 97
    })
}
