//! Names that may be used, and the countries that exist. Everything here ends up in PostgreSQL identifiers, Cedar
//! entity ids or certificates, so the rules are narrow. Not here: whether a name is known (`enclave`, `catalog`, …).

use std::fmt;

/// Longest name of a profile, place, purpose, principal, employer or pseudonym scope, in bytes.
pub const NAME_BYTES_MAX: usize = 32;
/// Longest name of a site: two of them fit into one replication slot's name of 63 bytes.
pub const SITE_NAME_BYTES_MAX: usize = 20;
/// Longest name of a table, column, row scope or role, in bytes.
pub const IDENTIFIER_BYTES_MAX: usize = 40;

/// ISO 3166-1 alpha-2, officially assigned codes.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
    BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER \
    ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM \
    IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF \
    MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK \
    PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD \
    TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// A country by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The country with this code, or nothing when no country has it. Upper case only.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 2] = code.as_bytes().try_into().ok()?;
        Self::all().any(|known| known == code).then_some(Self(bytes))
    }

    /// The codes of all countries, in order.
    pub(crate) fn all() -> impl Iterator<Item = &'static str> {
        COUNTRIES.split(' ')
    }

    /// Two upper-case letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a principal asks from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A listener or network that is mapped to this country.
    Country(Country),
    /// Not mapped: denied at connect.
    Unknown,
}

impl Place {
    /// The country's code, or `unknown`: as in entries of the record.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Country(country) => country.as_str(),
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of name a key holds, and so which letters it may have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NameKind {
    /// `[a-z][a-z0-9-]*`, up to [`NAME_BYTES_MAX`].
    Name,
    /// As a name, up to [`SITE_NAME_BYTES_MAX`].
    Site,
    /// `[a-z_][a-z0-9_]*`, up to [`IDENTIFIER_BYTES_MAX`].
    Identifier,
}

impl NameKind {
    pub(crate) fn accepts(self, text: &str) -> bool {
        let (first, rest, max): (fn(u8) -> bool, u8, usize) = match self {
            Self::Name => (|b| b.is_ascii_lowercase(), b'-', NAME_BYTES_MAX),
            Self::Site => (|b| b.is_ascii_lowercase(), b'-', SITE_NAME_BYTES_MAX),
            Self::Identifier => (|b| b.is_ascii_lowercase() || b == b'_', b'_', IDENTIFIER_BYTES_MAX),
        };
        text.len() <= max
            && text.bytes().next().is_some_and(first)
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == rest)
    }

    /// What to write instead.
    pub(crate) fn remedy(self) -> String {
        match self {
            Self::Name => format!("use a-z, 0-9 and -, a letter first, at most {NAME_BYTES_MAX} bytes"),
            Self::Site => format!("use a-z, 0-9 and -, a letter first, at most {SITE_NAME_BYTES_MAX} bytes"),
            Self::Identifier => {
                format!("use a-z, 0-9 and _, no digit first, at most {IDENTIFIER_BYTES_MAX} bytes")
            }
        }
    }
}
