//! Values as they are meant: `"3320"` is a number, `"false"` no truth, `"ana"` a user with that name. What means nothing
//! where it stands is as if it were not there: a field that nobody needs costs nobody the line. Not here: values of the right
//! kind that say something impossible (`read`).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::raw::{
    Actor, Destination, Device, Endpoint, Location, Metadata, Named, Organisation, Request, Session, System,
    Unmapped, User,
};
use crate::login::is_seconds;
use crate::text::{Factor, Factors, First, Text};

/// A value that is no object and no array; those are passed over, and null.
enum Scalar<'a> {
    Nothing,
    Truth(bool),
    Whole(i64),
    Large(u64),
    Fraction(f64),
    Text(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Scalars)
    }
}

struct Scalars;

impl<'de> Visitor<'de> for Scalars {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Truth(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(number).map_or(Scalar::Large(number), Scalar::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Fraction(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Scalar<'de>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Scalar<'de>, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Nothing)
    }
}

impl<'a> Scalar<'a> {
    fn text(self) -> Option<Text<'a>> {
        Some(Text(match self {
            Self::Nothing => return None,
            Self::Text(text) => text,
            Self::Truth(truth) => Cow::Owned(truth.to_string()),
            Self::Whole(number) => Cow::Owned(number.to_string()),
            Self::Large(number) => Cow::Owned(number.to_string()),
            Self::Fraction(number) => Cow::Owned(number.to_string()),
        }))
    }

    fn number(&self) -> Option<f64> {
        let number = match self {
            Self::Nothing | Self::Truth(_) => None,
            Self::Whole(number) => Some(*number as f64),
            Self::Large(number) => Some(*number as f64),
            Self::Fraction(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        };
        number.filter(|number| number.is_finite())
    }

    fn fraction(&self) -> Option<f32> {
        let number = match self {
            // Rounded once.
            Self::Whole(number) => Some(*number as f32),
            Self::Large(number) => Some(*number as f32),
            other => other.number().map(|number| number as f32),
        };
        number.filter(|number| number.is_finite())
    }

    fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Text(text) if let Ok(number) = text.trim().parse() => Some(number),
            other => other
                .number()
                .filter(|number| number.fract() == 0.0 && number.abs() < 9e15)
                .map(|number| number as i64),
        }
    }
}

type Read<T, E> = Result<Option<T>, E>;

pub(super) fn text<'de: 'a, 'a, D: Deserializer<'de>>(from: D) -> Read<Text<'a>, D::Error> {
    Ok(Scalar::deserialize(from)?.text())
}

pub(super) fn whole<'de, D: Deserializer<'de>, N: TryFrom<i64>>(from: D) -> Read<N, D::Error> {
    Ok(Scalar::deserialize(from)?.whole().and_then(|number| N::try_from(number).ok()))
}

pub(super) fn fraction<'de, D: Deserializer<'de>>(from: D) -> Read<f32, D::Error> {
    Ok(Scalar::deserialize(from)?.fraction())
}

pub(super) fn truth<'de, D: Deserializer<'de>>(from: D) -> Read<bool, D::Error> {
    let is = |text: &str, words: [&str; 3]| words.iter().any(|word| text.trim().eq_ignore_ascii_case(word));
    Ok(match Scalar::deserialize(from)? {
        Scalar::Truth(truth) => Some(truth),
        Scalar::Whole(number @ (0 | 1)) => Some(number == 1),
        Scalar::Text(text) if is(&text, ["true", "yes", "1"]) => Some(true),
        Scalar::Text(text) if is(&text, ["false", "no", "0"]) => Some(false),
        _ => None,
    })
}

/// The number of an autonomous system, with or without AS before it.
pub(super) fn system<'de, D: Deserializer<'de>>(from: D) -> Read<u32, D::Error> {
    let given = Scalar::deserialize(from)?;
    Ok(match &given {
        Scalar::Text(text) => {
            let text = text.trim();
            let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
            digits.trim_start().parse().ok()
        }
        other => other.whole().and_then(|number| u32::try_from(number).ok()),
    })
}

/// A time, in milliseconds unless it can only be seconds.
pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Read<i64, D::Error> {
    let given = Scalar::deserialize(from)?;
    if let Some(whole) = given.whole() {
        return Ok(Some(whole));
    }
    if let Scalar::Text(text) = &given
        && let Ok(time) = text.trim().parse::<jiff::Timestamp>()
    {
        return Ok(Some(time.as_millisecond()));
    }
    let number = given.number().filter(|number| number.abs() < 9e15);
    // Parts of a second, where it is seconds, are milliseconds.
    Ok(number
        .map(|time| if is_seconds(time as i64) { (time * 1e3).round() as i64 } else { time.round() as i64 }))
}

/// What an object may be where it is told by one text alone.
pub(super) trait Short<'a>: Sized {
    /// The object.
    fn of(_: Text<'a>) -> Option<Self> {
        None
    }
}

macro_rules! short {
    ($($name:ty: $key:ident),+) => {
        $(impl<'a> Short<'a> for $name {
            fn of(text: Text<'a>) -> Option<Self> {
                Some(Self { $key: Some(text), ..Self::default() })
            }
        })+
    };
}

short!(User<'a>: name, Named<'a>: name, Endpoint<'a>: ip, Destination<'a>: hostname, Session<'a>: uid,
    Factor<'a>: factor_type);
impl<'a> Short<'a> for Device<'a> {}
impl<'a> Short<'a> for Request<'a> {}
impl<'a> Short<'a> for Actor<'a> {}
impl<'a> Short<'a> for Metadata<'a> {}
impl<'a> Short<'a> for Unmapped<'a> {}
impl<'a> Short<'a> for Organisation<'a> {}
impl<'a> Short<'a> for Location<'a> {}
impl Short<'_> for System {}

/// An object, or what stands for it.
struct Loose<T>(Option<T>);

impl<'de, T: Deserialize<'de> + Short<'de>> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Objects(PhantomData)).map(Loose)
    }
}

pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de> + Short<'de>>(
    from: D,
) -> Read<T, D::Error> {
    from.deserialize_any(Objects(PhantomData))
}

struct Objects<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Short<'de>> Visitor<'de> for Objects<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<T>, E> {
        Ok(Scalar::Whole(number).text().and_then(T::of))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<T>, E> {
        Ok(Scalar::Large(number).text().and_then(T::of))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Option<T>, E> {
        Ok(T::of(Text(Cow::Borrowed(text))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<T>, E> {
        Ok(T::of(Text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Option<T>, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// Elements of an array; anything else has none.
struct Elements<T, F>(F, PhantomData<T>);

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Elements<T, F> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<bool, A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.0)(element);
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<bool, A::Error> {
        Scalars.visit_map(entries).map(|_| false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
}

/// Calls for each element; whether it was an array.
fn each<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
    each: impl FnMut(T),
) -> Result<bool, D::Error> {
    from.deserialize_any(Elements(each, PhantomData))
}

pub(super) fn first<'de, D: Deserializer<'de>, T: Deserialize<'de> + Short<'de>>(
    from: D,
) -> Read<First<T>, D::Error> {
    let mut found = None;
    let is_array = each(from, |element: Loose<T>| {
        found.get_or_insert(element.0);
    })?;
    Ok(is_array.then(|| First(found.flatten())))
}

pub(super) fn factors<'de, D: Deserializer<'de>>(from: D) -> Read<Factors, D::Error> {
    let mut factors = Factors::default();
    let is_array = each(from, |factor: Loose<Factor<'de>>| factors.add(&factor.0.unwrap_or_default()))?;
    Ok(is_array.then_some(factors))
}

/// Longitude and latitude.
pub(super) fn point<'de, D: Deserializer<'de>>(from: D) -> Read<(f32, f32), D::Error> {
    let mut numbers = Vec::new();
    each(from, |number: Scalar<'de>| numbers.push(number.fraction()))?;
    Ok(match numbers[..] {
        [Some(long), Some(lat)] => Some((long, lat)),
        _ => None,
    })
}
