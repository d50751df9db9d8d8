//! Where places are: distances, and about where most people of a country are, for when nothing finer is known. Not here:
//! what country an address is in.

use crate::event::Place;

const EARTH_KM: f64 = 6_371.0;
/// How far off somebody may be of the middle of a country.
const COUNTRY_KM: f64 = 500.0;

/// A point, and how far off it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    pub latitude: f64,
    pub longitude: f64,
    pub off_km: f64,
}

impl Spot {
    /// Where a place is: its point, or the middle of its country.
    pub fn of(place: &Place) -> Option<Self> {
        let point = place.point.filter(|(latitude, longitude)| {
            (-90.0..=90.0).contains(latitude) && (-180.0..=180.0).contains(longitude)
        });
        match point {
            Some((latitude, longitude)) => {
                Some(Self { latitude: latitude.into(), longitude: longitude.into(), off_km: 0.0 })
            }
            None => Self::of_country(place.country?),
        }
    }

    /// The middle of a country.
    pub fn of_country(country: [u8; 2]) -> Option<Self> {
        let (latitude, longitude) = (*MIDDLE_OF.get(code_of(country)?)?)?;
        Some(Self { latitude: latitude.into(), longitude: longitude.into(), off_km: COUNTRY_KM })
    }

    /// A point of [`Spot::packed`].
    pub fn unpacked((latitude, longitude): (i16, i16)) -> Self {
        Self { latitude: f64::from(latitude) / 100.0, longitude: f64::from(longitude) / 100.0, off_km: 0.0 }
    }

    /// In hundredths of a degree; `None` for the middle of a country. 180 degrees fit into 16 bits so.
    pub fn packed(&self) -> Option<(i16, i16)> {
        let packed = |degrees: f64| (degrees * 100.0).round() as i16;
        (self.off_km == 0.0).then(|| (packed(self.latitude), packed(self.longitude)))
    }

    /// Kilometres that lie between two spots at least.
    pub fn km(&self, other: &Self) -> f64 {
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |difference: f64| (difference / 2.0).sin().powi(2);
        let longitudes = (other.longitude - self.longitude).to_radians();
        let haversine = half(b - a) + a.cos() * b.cos() * half(longitudes);
        let km = 2.0 * EARTH_KM * haversine.sqrt().min(1.0).asin();
        (km - self.off_km - other.off_km).max(0.0)
    }
}

/// The place of a pair of capital letters among all pairs.
const fn code_of(country: [u8; 2]) -> Option<usize> {
    match country {
        [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => Some((a - b'A') as usize * 26 + (b - b'A') as usize),
        _ => None,
    }
}

/// [`MIDDLES`] by [`code_of`]: every event asks.
static MIDDLE_OF: [Option<(i8, i16)>; 26 * 26] = {
    let mut middles = [None; 26 * 26];
    let mut at = 0;
    while at < MIDDLES.len() {
        let (country, latitude, longitude) = MIDDLES[at];
        if let Some(code) = code_of(*country) {
            middles[code] = Some((latitude, longitude));
        }
        at += 1;
    }
    middles
};

/// Countries by code, and whole degrees of latitude and longitude of where most of their people are, about.
#[rustfmt::skip]
const MIDDLES: &[(&[u8; 2], i8, i16)] = &[
    (b"AD", 42, 1), (b"AE", 24, 54), (b"AF", 34, 66), (b"AG", 17, -62), (b"AI", 18, -63), (b"AL", 41, 20),
    (b"AM", 40, 45), (b"AO", -12, 17), (b"AQ", -80, 0), (b"AR", -35, -65), (b"AS", -14, -171),
    (b"AT", 47, 14), (b"AU", -27, 144), (b"AW", 12, -70), (b"AX", 60, 20), (b"AZ", 40, 48), (b"BA", 44, 18),
    (b"BB", 13, -60), (b"BD", 24, 90), (b"BE", 51, 5), (b"BF", 12, -2), (b"BG", 43, 25), (b"BH", 26, 51),
    (b"BI", -3, 30), (b"BJ", 10, 2), (b"BL", 18, -63), (b"BM", 32, -65), (b"BN", 5, 115), (b"BO", -17, -65),
    (b"BQ", 12, -68), (b"BR", -14, -51), (b"BS", 24, -76), (b"BT", 27, 90), (b"BW", -22, 24),
    (b"BY", 53, 28), (b"BZ", 17, -89), (b"CA", 51, -95), (b"CC", -12, 97), (b"CD", -3, 23), (b"CF", 7, 21),
    (b"CG", -1, 15), (b"CH", 47, 8), (b"CI", 8, -6), (b"CK", -21, -160), (b"CL", -33, -71), (b"CM", 6, 12),
    (b"CN", 34, 110), (b"CO", 4, -73), (b"CR", 10, -84), (b"CU", 22, -80), (b"CV", 15, -24),
    (b"CW", 12, -69), (b"CX", -10, 106), (b"CY", 35, 33), (b"CZ", 50, 15), (b"DE", 51, 10), (b"DJ", 12, 43),
    (b"DK", 56, 10), (b"DM", 15, -61), (b"DO", 19, -70), (b"DZ", 34, 3), (b"EC", -2, -78), (b"EE", 59, 26),
    (b"EG", 28, 31), (b"EH", 24, -13), (b"ER", 15, 39), (b"ES", 40, -4), (b"ET", 9, 39), (b"FI", 62, 25),
    (b"FJ", -18, 178), (b"FK", -52, -59), (b"FM", 7, 158), (b"FO", 62, -7), (b"FR", 47, 2), (b"GA", -1, 12),
    (b"GB", 53, -2), (b"GD", 12, -62), (b"GE", 42, 44), (b"GF", 4, -53), (b"GG", 49, -3), (b"GH", 8, -1),
    (b"GI", 36, -5), (b"GL", 67, -50), (b"GM", 13, -15), (b"GN", 10, -11), (b"GP", 16, -62), (b"GQ", 2, 10),
    (b"GR", 39, 23), (b"GS", -54, -37), (b"GT", 15, -90), (b"GU", 13, 145), (b"GW", 12, -15),
    (b"GY", 6, -59), (b"HK", 22, 114), (b"HN", 15, -87), (b"HR", 45, 16), (b"HT", 19, -73), (b"HU", 47, 19),
    (b"ID", -5, 112), (b"IE", 53, -8), (b"IL", 32, 35), (b"IM", 54, -5), (b"IN", 22, 79), (b"IO", -7, 72),
    (b"IQ", 33, 44), (b"IR", 33, 53), (b"IS", 64, -20), (b"IT", 43, 12), (b"JE", 49, -2), (b"JM", 18, -77),
    (b"JO", 31, 36), (b"JP", 36, 138), (b"KE", 0, 37), (b"KG", 42, 75), (b"KH", 12, 105), (b"KI", 1, 173),
    (b"KM", -12, 44), (b"KN", 17, -63), (b"KP", 40, 127), (b"KR", 36, 128), (b"KW", 29, 48),
    (b"KY", 19, -81), (b"KZ", 48, 68), (b"LA", 18, 103), (b"LB", 34, 36), (b"LC", 14, -61), (b"LI", 47, 10),
    (b"LK", 7, 81), (b"LR", 6, -9), (b"LS", -29, 28), (b"LT", 55, 24), (b"LU", 50, 6), (b"LV", 57, 25),
    (b"LY", 30, 17), (b"MA", 32, -7), (b"MC", 44, 7), (b"MD", 47, 29), (b"ME", 43, 19), (b"MF", 18, -63),
    (b"MG", -19, 47), (b"MH", 7, 171), (b"MK", 42, 22), (b"ML", 14, -5), (b"MM", 20, 96), (b"MN", 47, 105),
    (b"MO", 22, 114), (b"MP", 15, 146), (b"MQ", 15, -61), (b"MR", 19, -12), (b"MS", 17, -62),
    (b"MT", 36, 14), (b"MU", -20, 58), (b"MV", 4, 73), (b"MW", -14, 34), (b"MX", 21, -101), (b"MY", 4, 106),
    (b"MZ", -18, 36), (b"NA", -22, 17), (b"NC", -21, 165), (b"NE", 15, 8), (b"NF", -29, 168), (b"NG", 8, 7),
    (b"NI", 12, -86), (b"NL", 52, 5), (b"NO", 62, 10), (b"NP", 28, 84), (b"NR", -1, 167),
    (b"NU", -19, -170), (b"NZ", -40, 175), (b"OM", 22, 57), (b"PA", 9, -80), (b"PE", -10, -76),
    (b"PF", -18, -149), (b"PG", -6, 146), (b"PH", 13, 122), (b"PK", 31, 71), (b"PL", 52, 20),
    (b"PM", 47, -56), (b"PN", -25, -130), (b"PR", 18, -66), (b"PS", 32, 35), (b"PT", 40, -8),
    (b"PW", 7, 134), (b"PY", -25, -57), (b"QA", 25, 51), (b"RE", -21, 56), (b"RO", 46, 25), (b"RS", 44, 21),
    (b"RU", 56, 45), (b"RW", -2, 30), (b"SA", 24, 45), (b"SB", -9, 160), (b"SC", -5, 55), (b"SD", 15, 31),
    (b"SE", 60, 16), (b"SG", 1, 104), (b"SH", -16, -6), (b"SI", 46, 15), (b"SJ", 78, 16), (b"SK", 49, 19),
    (b"SL", 8, -12), (b"SM", 44, 12), (b"SN", 15, -15), (b"SO", 4, 46), (b"SR", 5, -55), (b"SS", 7, 31),
    (b"ST", 0, 7), (b"SV", 14, -89), (b"SX", 18, -63), (b"SY", 35, 37), (b"SZ", -26, 31), (b"TC", 22, -72),
    (b"TD", 12, 17), (b"TF", -49, 69), (b"TG", 8, 1), (b"TH", 14, 101), (b"TJ", 39, 70), (b"TK", -9, -172),
    (b"TL", -9, 126), (b"TM", 39, 58), (b"TN", 35, 10), (b"TO", -21, -175), (b"TR", 39, 33),
    (b"TT", 10, -61), (b"TV", -8, 179), (b"TW", 24, 121), (b"TZ", -6, 36), (b"UA", 49, 31), (b"UG", 1, 32),
    (b"US", 38, -92), (b"UY", -34, -56), (b"UZ", 40, 67), (b"VA", 42, 12), (b"VC", 13, -61),
    (b"VE", 10, -67), (b"VG", 18, -65), (b"VI", 18, -65), (b"VN", 16, 107), (b"VU", -16, 167),
    (b"WF", -13, -176), (b"WS", -14, -172), (b"XK", 43, 21), (b"YE", 15, 46), (b"YT", -13, 45),
    (b"ZA", -28, 27), (b"ZM", -14, 28), (b"ZW", -19, 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_as_on_a_map() {
        let place = |point| Spot::of(&Place { point: Some(point), ..Place::default() }).expect("a point");
        let (dublin, oslo, sydney) = (place((53.35, -6.26)), place((59.91, 10.75)), place((-33.87, 151.21)));
        for (one, other, km) in [
            (dublin, oslo, 1_268.0),
            (dublin, sydney, 17_215.0),
            (dublin, dublin, 0.0),
            (oslo, dublin, 1_268.0),
        ] {
            assert!((one.km(&other) - km).abs() < 0.01 * km + 1.0, "{one:?} {other:?}: {}", one.km(&other));
        }
        let country = |country| Spot::of(&Place { country: Some(country), ..Place::default() });
        assert!(country(*b"IE").expect("Ireland").km(&country(*b"NO").expect("Norway")) < 700.0);
        assert_eq!(country(*b"??"), None);
        assert!(MIDDLES.is_sorted_by_key(|(country, _, _)| *country));
        assert_eq!(Spot::of(&Place { point: Some((f32::NAN, 0.0)), ..Place::default() }), None);
    }
}
