//! Pieces of JSON, read without copying. `Cow` borrows by itself only where it is not within an `Option`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::why::{contains, names_factor};

/// A string, borrowed unless it holds escapes. A whole number is taken for the string of its digits, because
/// identifiers come as both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Texts<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Texts<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }

        from.deserialize_any(Texts(PhantomData))
    }
}

impl Default for Text<'_> {
    fn default() -> Self {
        Self(Cow::Borrowed(""))
    }
}

/// The first of an array; what follows is passed over.
#[derive(Debug, Default)]
pub struct First<T>(pub Option<T>);

/// A factor by which somebody says who they are, as far as its kind is told.
#[derive(Debug, Default, Deserialize)]
pub struct Factor<'a> {
    #[serde(borrow)]
    pub factor_type: Option<Text<'a>>,
    pub factor_type_id: Option<u32>,
}

/// The number of a password among the schema's kinds of factors.
const PASSWORD: u32 = 11;

impl Factor<'_> {
    /// Whether it is told, and no password.
    fn is_beyond_password(&self) -> bool {
        match (self.factor_type.as_deref().filter(|kind| !kind.is_empty()), self.factor_type_id) {
            // A one-time password is no password.
            (Some(kind), _) => !contains(kind, "password") || names_factor(kind),
            (None, id) => id.is_some_and(|id| id != 0 && id != PASSWORD),
        }
    }
}

/// How many factors an array holds, and whether one of them is told to be no password.
#[derive(Debug, Default, Clone, Copy)]
pub struct Factors {
    pub count: usize,
    pub is_beyond_password: bool,
}

impl Factors {
    /// Counts another one.
    pub fn add(&mut self, factor: &Factor<'_>) {
        self.count += 1;
        self.is_beyond_password |= factor.is_beyond_password();
    }
}

/// Characters of a wrong value that are shown.
const SHOWN_CHARS_MAX: usize = 60;

/// The beginning of what was given, to show in an error: what a terminal would obey is escaped.
pub fn shown(given: &str) -> Cow<'_, str> {
    let is_short = given.chars().nth(SHOWN_CHARS_MAX).is_none();
    if is_short && !given.chars().any(char::is_control) {
        return Cow::Borrowed(given);
    }
    let mut shown: String = given.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if !is_short {
        shown.push('…');
    }
    Cow::Owned(shown)
}
