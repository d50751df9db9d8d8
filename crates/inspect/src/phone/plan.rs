//! Numbering plans: what follows each country code, by first digits and length for the EEA, the United Kingdom,
//! Switzerland and North America, by length elsewhere. From the national plans as the ITU publishes them. Not here: how
//! numbers are written.

/// The country of a number that begins with a country code, if its plan has room for it.
pub(super) fn international(digits: &[u8]) -> Option<&'static str> {
    let (plan, national) = split(digits)?;
    plan.has(national).then_some(plan.country)
}

/// Whether a country of the EEA has room for a number as it is written there.
pub(super) fn national(digits: &[u8]) -> bool {
    PLANS.iter().any(|plan| {
        let national = match plan.trunk {
            Trunk::None => Some(digits),
            Trunk::Nought => digits.strip_prefix(&[0]),
            Trunk::NoughtSix => digits.strip_prefix(&[0, 6]),
            Trunk::Unknown => None,
        };
        national.is_some_and(|national| plan.has(national))
    })
}

fn split(digits: &[u8]) -> Option<(&'static Plan, &[u8])> {
    PLANS.iter().find_map(|plan| {
        let code = plan.code.as_bytes();
        let (start, national) = digits.split_at_checked(code.len())?;
        starts(start, code).then_some((plan, national))
    })
}

/// Digits as numbers against digits as characters.
fn starts(digits: &[u8], characters: &[u8]) -> bool {
    digits.len() >= characters.len()
        && digits.iter().zip(characters).all(|(digit, character)| digit + b'0' == *character)
}

struct Plan {
    code: &'static str,
    country: &'static str,
    trunk: Trunk,
    /// First digits, parted by spaces (none: any), and how many digits there are at least and at most.
    rules: &'static [(&'static str, usize, usize)],
}

/// What is dialled before a number inside the country.
#[derive(PartialEq, Eq)]
enum Trunk {
    None,
    Nought,
    NoughtSix,
    /// Numbers of this country are only known by their country code.
    Unknown,
}

impl Plan {
    fn has(&self, national: &[u8]) -> bool {
        self.rules.iter().any(|(first, least, most)| {
            (*least..=*most).contains(&national.len())
                && (first.is_empty() || first.split(' ').any(|first| starts(national, first.as_bytes())))
        })
    }
}

type Rules = &'static [(&'static str, usize, usize)];

const fn plan(code: &'static str, country: &'static str, trunk: Trunk, rules: Rules) -> Plan {
    Plan { code, country, trunk, rules }
}

const fn abroad(code: &'static str, country: &'static str, rules: Rules) -> Plan {
    Plan { code, country, trunk: Trunk::Unknown, rules }
}

const PLANS: &[Plan] = &[
    // Those with a nought first: a number that begins with one is theirs.
    plan(
        "353",
        "IE",
        Trunk::Nought,
        &[
            ("83 85 86 87 88 89", 9, 9),
            ("1", 8, 8),
            ("21 22 23 24 25 26 27 28 29 4 5 6 7 9", 7, 9),
            ("800 850 890 81 82 15 16 17 18 19", 9, 10),
        ],
    ),
    plan(
        "49",
        "DE",
        Trunk::Nought,
        &[
            ("15", 11, 11),
            ("16 17", 10, 11),
            ("2 3 4 5 6 7 81 82 83 84 85 86 87 88 89 9", 5, 11),
            ("800 900 180 137 700", 7, 12),
        ],
    ),
    plan("33", "FR", Trunk::Nought, &[("1 2 3 4 5 6 7 8 9", 9, 9)]),
    plan("31", "NL", Trunk::Nought, &[("1 2 3 4 5 61 62 63 64 65 68 7 85 88 91", 9, 9), ("800 90", 7, 10)]),
    plan("32", "BE", Trunk::Nought, &[("45 46 47 48 49", 9, 9), ("1 2 3 40 41 42 43 5 6 7 8 90", 8, 8)]),
    plan(
        "43",
        "AT",
        Trunk::Nought,
        &[
            ("650 651 652 653 655 657 659 66 67 68 69", 9, 13),
            ("1", 4, 12),
            ("2 3 4 5 61 62 63 64 7 8 9", 6, 13),
        ],
    ),
    plan("46", "SE", Trunk::Nought, &[("70 72 73 76 79", 9, 9), ("1 2 3 4 5 6 8 9 75 77 78", 7, 10)]),
    plan("358", "FI", Trunk::Nought, &[("4 50", 6, 10), ("1 2 3 5 6 7 8 9", 5, 11)]),
    plan("385", "HR", Trunk::Nought, &[("91 92 95 97 98 99", 8, 9), ("1 2 3 4 5 6 7 8", 8, 9)]),
    plan("359", "BG", Trunk::Nought, &[("87 88 89 98 99 48 43", 8, 9), ("2 3 4 5 6 7 8 9", 7, 8)]),
    plan("40", "RO", Trunk::Nought, &[("2 3 7 8 9", 9, 9)]),
    plan("421", "SK", Trunk::Nought, &[("2 3 4 5 6 8 9", 9, 9)]),
    plan("386", "SI", Trunk::Nought, &[("1 2 3 4 5 6 7 8 9", 8, 8)]),
    plan("44", "GB", Trunk::Nought, &[("1 2 3 7 8", 10, 10), ("1 800", 9, 9)]),
    plan("41", "CH", Trunk::Nought, &[("2 3 4 5 6 71 74 75 76 77 78 79 8 9", 9, 9)]),
    plan(
        "36",
        "HU",
        Trunk::NoughtSix,
        &[
            ("20 21 30 31 38 50 70", 9, 9),
            ("1 22 23 24 25 26 27 28 29 32 33 34 35 36 37 4 52 53 54 55 56 57 59 6 7 8 9", 8, 8),
        ],
    ),
    plan("370", "LT", Trunk::Nought, &[("3 4 5 6 7 8 9", 8, 8)]),
    // Those that dial the same from everywhere.
    plan("34", "ES", Trunk::None, &[("6 71 72 73 74 75 76 77 78 79 8 9", 9, 9)]),
    plan("39", "IT", Trunk::None, &[("3", 9, 10), ("0", 6, 11), ("800 803 840 848 89 1", 6, 10)]),
    plan("48", "PL", Trunk::None, &[("1 2 3 4 5 6 7 8 9", 9, 9)]),
    plan("420", "CZ", Trunk::None, &[("2 3 4 5 60 70 72 73 77 79 8 9", 9, 9)]),
    plan("351", "PT", Trunk::None, &[("2 3 6 7 8 91 92 93 96", 9, 9)]),
    plan("30", "GR", Trunk::None, &[("2 69 5 7 8 90", 10, 10)]),
    plan("47", "NO", Trunk::None, &[("2 3 4 5 6 7 8 9", 8, 8), ("58 59", 12, 12)]),
    plan("45", "DK", Trunk::None, &[("2 3 4 5 6 7 8 9", 8, 8)]),
    plan("354", "IS", Trunk::None, &[("4 5 6 7 8", 7, 7), ("3", 9, 9)]),
    plan("371", "LV", Trunk::None, &[("2 6 7 8 9", 8, 8)]),
    plan("372", "EE", Trunk::None, &[("3 4 6 7 88", 7, 7), ("5", 7, 8), ("8", 7, 8)]),
    plan(
        "352",
        "LU",
        Trunk::None,
        &[("621 628 651 658 661 668 671 678 691 698", 9, 9), ("2 3 4 5 7 8 9", 5, 11)],
    ),
    plan("356", "MT", Trunk::None, &[("2 3 5 7 8 9", 8, 8)]),
    plan("357", "CY", Trunk::None, &[("2 5 7 8 9", 8, 8)]),
    plan("423", "LI", Trunk::None, &[("2 3 7 8 9", 7, 7), ("6", 9, 9)]),
    // The rest of the world: three digits of code before two before one.
    abroad("1", "NANP", &[("2 3 4 5 6 7 8 9", 10, 10)]),
    abroad("7", "RU", &[("3 4 6 7 8 9", 10, 10)]),
    abroad("20", "EG", &[("", 8, 10)]),
    abroad("211", "SS", &[("", 9, 9)]),
    abroad("212", "MA", &[("5 6 7 8", 9, 9)]),
    abroad("213", "DZ", &[("", 8, 9)]),
    abroad("216", "TN", &[("", 8, 8)]),
    abroad("218", "LY", &[("", 8, 10)]),
    abroad("22", "west Africa", &[("", 7, 9)]),
    abroad("234", "NG", &[("", 7, 10)]),
    abroad("23", "Africa", &[("", 7, 10)]),
    abroad("254", "KE", &[("", 6, 10)]),
    abroad("24", "Africa", &[("", 6, 9)]),
    abroad("25", "Africa", &[("", 6, 10)]),
    abroad("26", "Africa", &[("", 6, 9)]),
    abroad("27", "ZA", &[("1 2 3 4 5 6 7 8 9", 9, 9)]),
    abroad("290", "SH", &[("", 4, 5)]),
    abroad("291", "ER", &[("", 7, 7)]),
    abroad("297", "AW", &[("", 7, 7)]),
    abroad("298", "FO", &[("", 6, 6)]),
    abroad("299", "GL", &[("", 6, 6)]),
    abroad("350", "GI", &[("", 8, 8)]),
    abroad("355", "AL", &[("", 6, 9)]),
    abroad("373", "MD", &[("", 8, 8)]),
    abroad("374", "AM", &[("", 8, 8)]),
    abroad("375", "BY", &[("", 9, 10)]),
    abroad("376", "AD", &[("", 6, 9)]),
    abroad("377", "MC", &[("", 8, 9)]),
    abroad("378", "SM", &[("", 6, 10)]),
    abroad("380", "UA", &[("", 9, 9)]),
    abroad("381", "RS", &[("", 7, 12)]),
    abroad("382", "ME", &[("", 8, 9)]),
    abroad("383", "XK", &[("", 8, 9)]),
    abroad("387", "BA", &[("", 8, 9)]),
    abroad("389", "MK", &[("", 8, 8)]),
    abroad("50", "central America", &[("", 7, 8)]),
    abroad("51", "PE", &[("", 8, 9)]),
    abroad("52", "MX", &[("", 10, 11)]),
    abroad("53", "CU", &[("", 6, 8)]),
    abroad("54", "AR", &[("", 10, 11)]),
    abroad("55", "BR", &[("", 10, 11)]),
    abroad("56", "CL", &[("", 9, 9)]),
    abroad("57", "CO", &[("", 8, 10)]),
    abroad("58", "VE", &[("", 10, 10)]),
    abroad("59", "South America, Caribbean", &[("", 6, 9)]),
    abroad("60", "MY", &[("", 8, 10)]),
    abroad("61", "AU", &[("1 2 3 4 7 8", 9, 10)]),
    abroad("62", "ID", &[("", 7, 12)]),
    abroad("63", "PH", &[("", 8, 10)]),
    abroad("64", "NZ", &[("", 8, 10)]),
    abroad("65", "SG", &[("3 6 8 9", 8, 8)]),
    abroad("66", "TH", &[("", 8, 9)]),
    abroad("67", "Pacific", &[("", 5, 8)]),
    abroad("68", "Pacific", &[("", 4, 7)]),
    abroad("69", "Pacific", &[("", 4, 7)]),
    abroad("81", "JP", &[("", 9, 10)]),
    abroad("82", "KR", &[("", 8, 10)]),
    abroad("84", "VN", &[("", 8, 10)]),
    abroad("852", "HK", &[("", 8, 8)]),
    abroad("853", "MO", &[("", 8, 8)]),
    abroad("855", "KH", &[("", 8, 9)]),
    abroad("856", "LA", &[("", 8, 10)]),
    abroad("86", "CN", &[("13 14 15 16 17 18 19", 11, 11), ("2 3 4 5 6 7 8 9 10", 10, 11)]),
    abroad("880", "BD", &[("", 8, 10)]),
    abroad("886", "TW", &[("", 8, 9)]),
    abroad("90", "TR", &[("2 3 4 5 8", 10, 10)]),
    abroad("91", "IN", &[("", 10, 10)]),
    abroad("92", "PK", &[("", 9, 10)]),
    abroad("93", "AF", &[("", 9, 9)]),
    abroad("94", "LK", &[("", 9, 9)]),
    abroad("95", "MM", &[("", 7, 10)]),
    abroad("960", "MV", &[("", 7, 7)]),
    abroad("961", "LB", &[("", 7, 8)]),
    abroad("962", "JO", &[("", 8, 9)]),
    abroad("963", "SY", &[("", 8, 9)]),
    abroad("964", "IQ", &[("", 8, 10)]),
    abroad("965", "KW", &[("", 7, 8)]),
    abroad("966", "SA", &[("", 8, 9)]),
    abroad("967", "YE", &[("", 7, 9)]),
    abroad("968", "OM", &[("", 7, 8)]),
    abroad("970", "PS", &[("", 8, 9)]),
    abroad("971", "AE", &[("", 8, 9)]),
    abroad("972", "IL", &[("", 8, 9)]),
    abroad("973", "BH", &[("", 8, 8)]),
    abroad("974", "QA", &[("", 7, 8)]),
    abroad("975", "BT", &[("", 7, 8)]),
    abroad("976", "MN", &[("", 8, 10)]),
    abroad("977", "NP", &[("", 8, 10)]),
    abroad("98", "IR", &[("", 10, 10)]),
    abroad("992", "TJ", &[("", 9, 9)]),
    abroad("993", "TM", &[("", 8, 8)]),
    abroad("994", "AZ", &[("", 9, 9)]),
    abroad("995", "GE", &[("", 9, 9)]),
    abroad("996", "KG", &[("", 9, 9)]),
    abroad("998", "UZ", &[("", 9, 9)]),
];
