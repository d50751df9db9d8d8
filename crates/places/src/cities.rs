//! What a record of a city file says, read in one go: as DB-IP's files have it, and those laid out as MaxMind's own.

use std::fmt;

use maxminddb::LookupResult;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

#[derive(Deserialize)]
struct City<'a> {
    #[serde(borrow)]
    country_code: Option<&'a str>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
    latitude: Option<Degrees>,
    longitude: Option<Degrees>,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<Degrees>,
    longitude: Option<Degrees>,
}

/// A number of either width: DB-IP's files have the narrow, MaxMind's the wide.
#[derive(Clone, Copy)]
struct Degrees(f32);

impl<'de> Deserialize<'de> for Degrees {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Numbers;

        impl Visitor<'_> for Numbers {
            type Value = Degrees;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of degrees")
            }

            fn visit_f32<E: Error>(self, degrees: f32) -> Result<Degrees, E> {
                Ok(Degrees(degrees))
            }

            fn visit_f64<E: Error>(self, degrees: f64) -> Result<Degrees, E> {
                // Seven digits are a metre.
                Ok(Degrees(degrees as f32))
            }
        }

        from.deserialize_any(Numbers)
    }
}

/// A country, and a latitude and longitude.
type Where = (Option<[u8; 2]>, Option<(f32, f32)>);

/// Where a record says that its addresses are. One that is damaged says nothing.
pub(super) fn read(found: &LookupResult<'_, Vec<u8>>) -> Where {
    let Ok(Some(city)) = found.decode::<City<'_>>() else { return (None, None) };
    let code = city.country_code.or_else(|| city.country.and_then(|country| country.iso_code));
    let location = city.location.map(|location| (location.latitude, location.longitude));
    let (latitude, longitude) = location.unwrap_or((city.latitude, city.longitude));
    let point = latitude.zip(longitude).map(|(latitude, longitude)| (latitude.0, longitude.0));
    let point = point.filter(|(latitude, longitude)| latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
    (code.and_then(crate::code), point)
}
