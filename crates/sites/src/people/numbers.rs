//! Telephone and account numbers of the right shape, from a stream of random numbers.
//!
//! An IBAN has the length, the structure and the check digits of its country (ISO 13616), so that a detector has to
//! recognise it. The check digits that some countries keep inside the account part are left to chance, and letters of
//! banks are ones that no bank has: nobody's account is meant.

use rand::RngCore;

use super::country::Country;

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

/// An IBAN without spaces.
pub(super) fn iban(random: &mut impl RngCore, country: &Country) -> String {
    let mut account = String::new();
    for (kind, times) in country.account {
        match (kind, times) {
            ('a', 4) => account.push_str(BANK_LETTERS),
            ('a', times) => account.extend((0..*times).map(|_| letter(random))),
            // Letters are possible here and rare.
            (_, times) => account.extend((0..*times).map(|_| digit(random))),
        }
    }
    let check = 98_u32.saturating_sub(remainder(&format!("{account}{}00", country.code)));
    format!("{}{check:02}{account}", country.code)
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
