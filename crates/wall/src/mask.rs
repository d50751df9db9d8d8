//! Masks: what is left of a value when it is shown reduced. Each is a function that a view calls, with names qualified
//! so that no search path changes its meaning, and immutable so that the planner inlines it. A mask holds no secret.
//! Not here: which columns are masked (policy), pseudonyms (`views`).

use policy::{ColumnType, Identifier, ProfileColumn};

use crate::names::OWN_SCHEMA;

/// A function from a value to what is shown of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Mask {
    /// Without the schema.
    pub name: &'static str,
    /// Type of its only argument, `v`.
    pub argument: &'static str,
    /// Type of what is shown.
    pub result: &'static str,
    /// The expression.
    pub body: &'static str,
}

const EMAIL: Mask = text("mask_email", "pg_catalog.left(v, 1) || '***@' || pg_catalog.split_part(v, '@', 2)");
const NAME: Mask = text("mask_name", "pg_catalog.left(v, 1) || '.'");
/// The country's prefix, as long as a space ends it, and two digits; short numbers show nothing.
const PHONE: Mask = text(
    "mask_phone",
    "CASE WHEN pg_catalog.length(v) < 8 THEN '***' ELSE \
     pg_catalog.left(pg_catalog.split_part(v, ' ', 1), 4) || ' *** ' || pg_catalog.right(v, 2) END",
);
/// The country and four digits; what is too short for an IBAN shows nothing.
const IBAN: Mask = text(
    "mask_iban",
    "CASE WHEN pg_catalog.length(v) < 15 THEN '***' ELSE \
     pg_catalog.left(v, 2) || '** **** ' || pg_catalog.right(v, 4) END",
);
/// The network: of an IPv4 address its first three numbers, of an IPv6 address its first three groups. By the text alone,
/// and without a cast, whose error would quote what is masked.
const IP: Mask = text(
    "mask_ip",
    "CASE WHEN v ~ '^[0-9]{1,3}([.][0-9]{1,3}){3}$' THEN pg_catalog.split_part(v, '.', 1) || '.' || \
     pg_catalog.split_part(v, '.', 2) || '.' || pg_catalog.split_part(v, '.', 3) || '.0/24' \
     WHEN v ~ '^[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){2,7}$' THEN pg_catalog.rtrim( \
     pg_catalog.split_part(pg_catalog.split_part(v, '::', 1), ':', 1) || ':' || \
     pg_catalog.split_part(pg_catalog.split_part(v, '::', 1), ':', 2) || ':' || \
     pg_catalog.split_part(pg_catalog.split_part(v, '::', 1), ':', 3), ':') || '::/48' \
     WHEN v IS NULL THEN v ELSE '***' END",
);
const TEXT: Mask = text("mask_text", "CASE WHEN v IS NULL THEN v ELSE '***' END");
/// The year. Infinite dates show nothing: they have none.
const DATE: Mask = year(
    "mask_date",
    "date",
    "CASE WHEN pg_catalog.isfinite(v) THEN pg_catalog.int4(pg_catalog.date_part('year', v)) END",
);
const TIMESTAMPTZ: Mask = year(
    "mask_timestamptz",
    "timestamp with time zone",
    "CASE WHEN pg_catalog.isfinite(v) THEN \
     pg_catalog.int4(pg_catalog.date_part('year', pg_catalog.timezone('UTC', v))) END",
);

/// Every mask there is.
pub const ALL: [&Mask; 8] = [&EMAIL, &NAME, &PHONE, &IBAN, &IP, &TEXT, &DATE, &TIMESTAMPTZ];

const fn text(name: &'static str, body: &'static str) -> Mask {
    Mask { name, argument: "text", result: "text", body }
}

const fn year(name: &'static str, argument: &'static str, body: &'static str) -> Mask {
    Mask { name, argument, result: "integer", body }
}

/// The mask of a column, or none when its values cannot be reduced.
pub(crate) fn of(column: &ProfileColumn) -> Option<&'static Mask> {
    match (column.data_type, column.identifier) {
        (_, Identifier::Subject | Identifier::Row) => None,
        (ColumnType::Date, _) => Some(&DATE),
        (ColumnType::Timestamptz, _) => Some(&TIMESTAMPTZ),
        (ColumnType::Text, Identifier::Email) => Some(&EMAIL),
        (ColumnType::Text, Identifier::Name) => Some(&NAME),
        (ColumnType::Text, Identifier::Phone) => Some(&PHONE),
        (ColumnType::Text, Identifier::Iban) => Some(&IBAN),
        (ColumnType::Text, Identifier::Ip) => Some(&IP),
        (ColumnType::Text, _) => Some(&TEXT),
        (ColumnType::Bigint | ColumnType::Integer | ColumnType::Boolean, _) => None,
    }
}

impl Mask {
    /// As functions are told apart: `trefoil.mask_email(text)`.
    pub(crate) fn signature(&self) -> String {
        format!("{OWN_SCHEMA}.{}({})", self.name, self.argument)
    }

    /// What the function's source is.
    pub(crate) fn source(&self) -> String {
        format!("SELECT {}", self.body)
    }

    pub(crate) fn create(&self) -> String {
        format!(
            "CREATE FUNCTION {OWN_SCHEMA}.{}(v {}) RETURNS {} LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $mask${}$mask$",
            self.name,
            self.argument,
            self.result,
            self.source()
        )
    }
}
