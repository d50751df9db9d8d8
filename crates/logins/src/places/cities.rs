//! What a record of a city file says, read in one go: as DB-IP's files have it, and those laid out as MaxMind's own.

use maxminddb::LookupResult;
use serde::Deserialize;

#[derive(Deserialize)]
struct City<'a> {
    #[serde(borrow)]
    country_code: Option<&'a str>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Country<'a> {
    iso_code: Option<&'a str>,
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

/// A country, and a latitude and longitude.
type Where = (Option<[u8; 2]>, Option<(f32, f32)>);

/// Where a record says that its addresses are. One that is damaged says nothing.
pub(super) fn read(found: &LookupResult<'_, Vec<u8>>) -> Where {
    let Ok(Some(city)) = found.decode::<City<'_>>() else { return (None, None) };
    let code = city.country_code.or_else(|| city.country.and_then(|country| country.iso_code));
    let location = city.location.map(|location| (location.latitude, location.longitude));
    let (latitude, longitude) = location.unwrap_or((city.latitude, city.longitude));
    let point = latitude.zip(longitude).filter(|(lat, long)| lat.abs() <= 90.0 && long.abs() <= 180.0);
    // Seven digits are a metre.
    (code.and_then(crate::words::country), point.map(|(lat, long)| (lat as f32, long as f32)))
}
