//! Identifiers of people in bytes: where they are, what they are, and whether a checksum or a numbering plan holds.
//!
//! [`scan`] reads any text, UTF-8 or not, once from left to right; [`Stream`] does the same over pieces. Each place is
//! looked at with a bounded number of bytes around it, so that time is linear in the text whatever it holds. A number
//! that many things could be (nine digits, say) is found only beside a word that says what it is; in a column
//! [`judge`] asks instead how many of its values hold.
//!
//! Not here: reading files and databases, and what becomes of a finding.
//!
//! Pure: no input or output, no clock, no randomness.

mod card;
mod column;
mod email;
mod iban;
mod ip;
mod names;
mod national;
mod phone;
mod place;
mod scan;
mod stream;
mod text;

pub use column::{Column, Hint, Judgement, hint, judge};
pub use scan::scan;
pub use stream::Stream;

/// What an identifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An international bank account number, ISO 13616.
    Iban,
    /// A payment card's number, ISO/IEC 7812.
    Card,
    /// A number that a state gives to a person.
    NationalId,
    /// An internet address, version 4 or 6.
    Ip,
    /// A point on the Earth.
    Coordinates,
    /// A person's name. Of columns only.
    Name,
    /// A name in public use, such as a login. Of columns only.
    Handle,
    /// A device or an installation. Of columns only.
    Device,
    /// What somebody wrote. Of columns only.
    Content,
    /// A date that narrows down who it is. Of columns only.
    Date,
    /// Where somebody lives, in words. Of columns only.
    Address,
    /// A password, a hash of one, a key. Of columns only.
    Secret,
}

impl Kind {
    /// The word for it, as in findings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::NationalId => "national_id",
            Self::Ip => "ip",
            Self::Coordinates => "coordinates",
            Self::Name => "name",
            Self::Handle => "handle",
            Self::Device => "device",
            Self::Content => "content",
            Self::Date => "date",
            Self::Address => "address",
            Self::Secret => "secret",
        }
    }
}

/// What speaks for a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Validation {
    /// It looks like one.
    Form,
    /// A plan (of numbers, addresses, names) has room for it.
    Plan,
    /// A checksum in it holds.
    Checksum,
}

impl Validation {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Plan => "plan",
            Self::Checksum => "checksum",
        }
    }
}

/// An identifier in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Bytes before it.
    pub offset: u64,
    /// Its length in bytes, at least 1.
    pub length: u32,
    /// What it is.
    pub kind: Kind,
    /// Which of its kind: a country (`DE`), an issuer (`visa`), a scheme (`FI-HETU`), a version (`v4`); may be empty.
    pub scheme: &'static str,
    /// What speaks for it.
    pub validation: Validation,
    /// Of coordinates, how far apart two neighbouring values are at the equator: metres.
    pub precision_m: Option<u32>,
}

impl Finding {
    /// Whether a checksum or a plan holds, and not only the form.
    pub fn valid(&self) -> bool {
        self.validation > Validation::Form
    }
}

/// A finding before it has a place in the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hit {
    /// In the text at hand.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: Kind,
    pub(crate) scheme: &'static str,
    pub(crate) validation: Validation,
    pub(crate) precision_m: Option<u32>,
}

impl Hit {
    pub(crate) const fn new(
        span: (usize, usize),
        kind: Kind,
        scheme: &'static str,
        validation: Validation,
    ) -> Self {
        Self { start: span.0, end: span.1, kind, scheme, validation, precision_m: None }
    }

    pub(crate) fn at(self, base: u64) -> Finding {
        let length = self.end.saturating_sub(self.start);
        Finding {
            offset: base.saturating_add(u64::try_from(self.start).unwrap_or(u64::MAX)),
            length: u32::try_from(length).unwrap_or(u32::MAX),
            kind: self.kind,
            scheme: self.scheme,
            validation: self.validation,
            precision_m: self.precision_m,
        }
    }
}

#[cfg(test)]
mod tests;
