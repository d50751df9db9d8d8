//! What differs from country to country: names, language, currency, telephone numbers and account numbers. Shapes are
//! those of the national numbering plans, of the IBAN registry and of American routing numbers; only what a shape needs
//! is here.

use super::names::{self, Names};

/// A country that subjects live in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Country {
    /// ISO 3166, two letters.
    pub(super) code: &'static str,
    /// Subjects of it in a thousand of its part of the world.
    pub(super) weight: u64,
    /// ISO 639, the likely one first; the second is spoken by one in four.
    pub(super) languages: [&'static str; 2],
    /// ISO 4217.
    pub(super) currency: &'static str,
    /// Country calling code.
    pub(super) calling: &'static str,
    /// First digits of mobile numbers.
    pub(super) mobile: &'static [&'static str],
    /// Digits of a mobile number without the calling code.
    pub(super) mobile_digits: usize,
    pub(super) account: Account,
    pub(super) names: Names,
}

/// How a country numbers bank accounts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Account {
    /// The account part of an IBAN: `a` a letter, `n` a digit, `c` either, each with how often.
    Iban(&'static [(char, usize)]),
    /// A routing number that begins with one of these, and an account number.
    Routed(&'static [&'static str]),
}

/// The Nordic countries are nearer to a site in one of them than to any other site.
pub(super) const NORDIC: &[&str] = &["DK", "FI", "IS", "NO", "SE"];

/// Area codes, each followed by the exchange and the first digits of numbers that are kept for fiction.
const AMERICAN_NUMBERS: &[&str] = &[
    "20255501", "20655501", "21055501", "21255501", "21355501", "21455501", "30355501", "30555501",
    "31255501", "40455501", "41555501", "51255501", "60255501", "61255501", "61755501", "70355501",
    "71355501", "81855501",
];

/// Whom a region on the other side of the Atlantic has.
pub(super) const AMERICA: &[Country] = &[Country {
    code: "US",
    weight: 1_000,
    languages: ["en", "es"],
    currency: "USD",
    calling: "1",
    mobile: AMERICAN_NUMBERS,
    mobile_digits: 10,
    // The districts of the Federal Reserve in which banks are.
    account: Account::Routed(&["01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12"]),
    names: names::US,
}];

pub(super) const EUROPE: &[Country] = &[
    Country {
        code: "DE",
        weight: 170,
        languages: ["de", "de"],
        currency: "EUR",
        calling: "49",
        mobile: &["151", "152", "157", "159", "160", "162", "170", "171", "172", "174", "175", "176", "178"],
        mobile_digits: 11,
        account: Account::Iban(&[('n', 18)]),
        names: names::DE,
    },
    Country {
        code: "FR",
        weight: 150,
        languages: ["fr", "fr"],
        currency: "EUR",
        calling: "33",
        mobile: &["60", "61", "62", "63", "65", "66", "67", "68", "69", "73", "75", "76", "77", "78"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 10), ('c', 11), ('n', 2)]),
        names: names::FR,
    },
    Country {
        code: "IT",
        weight: 125,
        languages: ["it", "it"],
        currency: "EUR",
        calling: "39",
        mobile: &[
            "320", "328", "329", "333", "338", "339", "340", "347", "348", "349", "351", "366", "380", "389",
        ],
        mobile_digits: 10,
        account: Account::Iban(&[('a', 1), ('n', 10), ('c', 12)]),
        names: names::IT,
    },
    Country {
        code: "ES",
        weight: 110,
        languages: ["es", "ca"],
        currency: "EUR",
        calling: "34",
        mobile: &["60", "61", "62", "63", "64", "65", "66", "67", "68", "69", "71", "72", "74"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 20)]),
        names: names::ES,
    },
    Country {
        code: "PL",
        weight: 90,
        languages: ["pl", "pl"],
        currency: "PLN",
        calling: "48",
        mobile: &["50", "51", "53", "57", "60", "66", "69", "72", "73", "78", "79", "88"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 24)]),
        names: names::PL,
    },
    Country {
        code: "RO",
        weight: 50,
        languages: ["ro", "hu"],
        currency: "RON",
        calling: "40",
        mobile: &["72", "73", "74", "75", "76", "77", "78"],
        mobile_digits: 9,
        account: Account::Iban(&[('a', 4), ('c', 16)]),
        names: names::RO,
    },
    Country {
        code: "NL",
        weight: 55,
        languages: ["nl", "nl"],
        currency: "EUR",
        calling: "31",
        mobile: &["61", "62", "63", "64", "65", "68"],
        mobile_digits: 9,
        account: Account::Iban(&[('a', 4), ('n', 10)]),
        names: names::NL,
    },
    Country {
        code: "BE",
        weight: 35,
        languages: ["nl", "fr"],
        currency: "EUR",
        calling: "32",
        mobile: &["46", "47", "48", "49"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 12)]),
        names: names::BE,
    },
    Country {
        code: "SE",
        weight: 40,
        languages: ["sv", "sv"],
        currency: "SEK",
        calling: "46",
        mobile: &["70", "72", "73", "76", "79"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 20)]),
        names: names::SE,
    },
    Country {
        code: "PT",
        weight: 35,
        languages: ["pt", "pt"],
        currency: "EUR",
        calling: "351",
        mobile: &["91", "92", "93", "96"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 21)]),
        names: names::PT,
    },
    Country {
        code: "HU",
        weight: 30,
        languages: ["hu", "hu"],
        currency: "HUF",
        calling: "36",
        mobile: &["20", "30", "70"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 24)]),
        names: names::HU,
    },
    Country {
        code: "AT",
        weight: 30,
        languages: ["de", "de"],
        currency: "EUR",
        calling: "43",
        mobile: &["650", "660", "664", "676", "680", "681", "699"],
        mobile_digits: 10,
        account: Account::Iban(&[('n', 16)]),
        names: names::AT,
    },
    Country {
        code: "DK",
        weight: 20,
        languages: ["da", "da"],
        currency: "DKK",
        calling: "45",
        mobile: &["20", "21", "22", "26", "28", "30", "31", "40", "41", "50", "51", "60", "61", "71", "81"],
        mobile_digits: 8,
        account: Account::Iban(&[('n', 14)]),
        names: names::DK,
    },
    Country {
        code: "FI",
        weight: 20,
        languages: ["fi", "sv"],
        currency: "EUR",
        calling: "358",
        mobile: &["40", "41", "44", "45", "46", "50"],
        mobile_digits: 9,
        account: Account::Iban(&[('n', 14)]),
        names: names::FI,
    },
    Country {
        code: "IE",
        weight: 20,
        languages: ["en", "ga"],
        currency: "EUR",
        calling: "353",
        mobile: &["83", "85", "86", "87", "89"],
        mobile_digits: 9,
        account: Account::Iban(&[('a', 4), ('n', 14)]),
        names: names::IE,
    },
    Country {
        code: "NO",
        weight: 20,
        languages: ["nb", "nn"],
        currency: "NOK",
        calling: "47",
        mobile: &["40", "41", "45", "46", "47", "48", "90", "91", "92", "93", "95", "97", "98", "99"],
        mobile_digits: 8,
        account: Account::Iban(&[('n', 11)]),
        names: names::NO,
    },
];
