//! Devices and what they say of themselves: user agents whose versions go with the calendar, at each device's own pace.

use super::dice::Dice;

/// A device.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) kind: Kind,
    browser: Browser,
    model: &'static str,
    /// Days behind a release.
    lag: f64,
    /// Names it, in its network and to whoever manages it.
    pub(super) number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    IPhone,
    Android,
    Windows,
    Mac,
    Linux,
    IPad,
    Bot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Browser {
    Chrome,
    Safari,
    Firefox,
    Edge,
    Samsung,
    /// The service's own program.
    Own,
}

/// Released every so many days.
const MAJOR_DAYS: f64 = 28.0;
const MINOR_DAYS: f64 = 9.0;
const SYSTEM_DAYS: f64 = 37.0;

const MODELS: &[&str] = &[
    "SM-S911B",
    "SM-A546B",
    "SM-A145R",
    "SM-G991B",
    "SM-A536B",
    "SM-A135F",
    "SM-S901B",
    "SM-A336B",
    "SM-G781B",
    "SM-A528B",
    "SM-S918B",
    "SM-A125F",
    "SM-G973F",
    "SM-A515F",
    "SM-A715F",
    "SM-M236B",
    "Pixel 7",
    "Pixel 7a",
    "Pixel 6",
    "Pixel 8",
    "Pixel 6a",
    "2201117TY",
    "M2101K6G",
    "23021RAA2Y",
    "22101316G",
    "Redmi Note 8 Pro",
    "2109119DG",
    "CPH2399",
    "CPH2211",
    "CPH2145",
    "RMX3085",
    "RMX3630",
    "LE2113",
    "AC2003",
    "IN2023",
    "XQ-BC52",
    "moto g(60)",
    "moto g54 5G",
    "VOG-L29",
    "ELE-L29",
    "MAR-LX1A",
    "ANE-LX1",
    "TECNO KI5q",
    "Infinix X6819",
    "V2111",
    "V2207",
    "Nokia G21",
    "HRY-LX1",
];

impl Device {
    /// A device as people have them: mostly phones.
    pub(super) fn draw(dice: &mut Dice, kind: Kind) -> Self {
        use Browser::{Chrome, Edge, Firefox, Own, Safari, Samsung};
        let weights: &[(Browser, f64)] = match kind {
            Kind::IPhone => &[(Safari, 0.5), (Own, 0.35), (Chrome, 0.15)],
            Kind::Android => &[(Chrome, 0.5), (Own, 0.3), (Samsung, 0.15), (Firefox, 0.05)],
            Kind::Windows => &[(Chrome, 0.62), (Edge, 0.24), (Firefox, 0.14)],
            Kind::Mac => &[(Safari, 0.45), (Chrome, 0.45), (Firefox, 0.1)],
            Kind::Linux => &[(Firefox, 0.5), (Chrome, 0.5)],
            Kind::IPad => &[(Safari, 0.9), (Chrome, 0.1)],
            Kind::Bot => &[(Own, 1.0)],
        };
        let chosen = dice.weighted(weights.iter().map(|(_, weight)| *weight));
        let browser = weights.get(chosen).map_or(Chrome, |(browser, _)| *browser);
        let model =
            MODELS.get(dice.weighted((0..MODELS.len()).map(|rank| 1.0 / (3.0 + rank as f64)))).copied();
        let lag = if dice.chance(0.08) { 400.0 } else { dice.lognormal(6.0, 0.9) };
        Self { kind, browser, model: model.unwrap_or("Pixel 7"), lag, number: dice.number() }
    }

    /// A kind of device by how many logins are from one.
    pub(super) fn kind(dice: &mut Dice) -> Kind {
        const SHARES: [(Kind, f64); 6] = [
            (Kind::IPhone, 0.27),
            (Kind::Android, 0.38),
            (Kind::Windows, 0.15),
            (Kind::Mac, 0.06),
            (Kind::Linux, 0.02),
            (Kind::IPad, 0.03),
        ];
        let chosen = dice.weighted(SHARES.iter().map(|(_, share)| *share));
        SHARES.get(chosen).map_or(Kind::Android, |(kind, _)| *kind)
    }

    pub(super) fn is_phone(&self) -> bool {
        matches!(self.kind, Kind::IPhone | Kind::Android)
    }

    pub(super) fn is_portable(&self) -> bool {
        self.kind != Kind::Bot && self.kind != Kind::Linux
    }

    /// What it says on a day. Where everybody was told to update, all but those that never do are up to date.
    pub(super) fn agent(&self, day: f64, everybody_updated: Option<f64>) -> String {
        let mut at = day - self.lag;
        if let Some(when) = everybody_updated.filter(|when| *when <= day && self.lag < 300.0) {
            at = at.max(when);
        }
        let at = at + 1200.0;
        let major = 90 + (at / MAJOR_DAYS) as u32;
        let build = 4400 + 60 * (at / MAJOR_DAYS) as u32;
        let minor = 40 + 17 * ((at % MAJOR_DAYS) / MINOR_DAYS) as u32;
        let system = (at / SYSTEM_DAYS) as u32;
        let (ios, ios_minor) = (14 + system / 8, system % 8);
        let chrome = format!("Chrome/{major}.0.{build}.{minor}");
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let apple = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        let desk = match self.kind {
            Kind::Windows => "Windows NT 10.0; Win64; x64",
            Kind::Mac => "Macintosh; Intel Mac OS X 10_15_7",
            _ => "X11; Linux x86_64",
        };
        let android = 10 + self.number % 4 + u64::from(system / 20);
        let app = format!("{}.{}.0", at as u32 / 90, (at as u32 % 90) / 14);
        match (self.kind, self.browser) {
            (Kind::Bot, _) => {
                format!("clover-sync/1.{} python-requests/2.{}", self.number % 7, 28 + system / 10)
            }
            (Kind::IPhone | Kind::IPad, browser) => self.apple(browser, apple, (ios, ios_minor), &app, major),
            (Kind::Android, Browser::Own) => {
                format!("Clover/{app} (Linux; U; Android {android}; {})", self.model)
            }
            (Kind::Android, Browser::Firefox) => {
                format!(
                    "Mozilla/5.0 (Android {android}; Mobile; rv:{major}.0) Gecko/{major}.0 Firefox/{major}.0"
                )
            }
            (Kind::Android, Browser::Samsung) => format!(
                "Mozilla/5.0 (Linux; Android {android}; {}) {webkit} SamsungBrowser/{}.0 {chrome} Mobile Safari/537.36",
                self.model,
                14 + system / 3
            ),
            (Kind::Android, _) => {
                format!(
                    "Mozilla/5.0 (Linux; Android {android}; {}) {webkit} {chrome} Mobile Safari/537.36",
                    self.model
                )
            }
            (_, Browser::Firefox) => {
                format!("Mozilla/5.0 ({desk}; rv:{major}.0) Gecko/20100101 Firefox/{major}.0")
            }
            (_, Browser::Edge) => {
                format!(
                    "Mozilla/5.0 ({desk}) {webkit} {chrome} Safari/537.36 Edg/{major}.0.{}.{minor}",
                    build - 3300
                )
            }
            (Kind::Mac, Browser::Safari) => {
                format!("Mozilla/5.0 ({desk}) {apple} Version/{ios}.{ios_minor} Safari/605.1.15")
            }
            _ => format!("Mozilla/5.0 ({desk}) {webkit} {chrome} Safari/537.36"),
        }
    }

    fn apple(
        &self,
        browser: Browser,
        kit: &str,
        (major, minor): (u32, u32),
        app: &str,
        chrome: u32,
    ) -> String {
        let device = if self.kind == Kind::IPad { "iPad; CPU OS" } else { "iPhone; CPU iPhone OS" };
        match browser {
            Browser::Own => format!(
                "Clover/{app} (iPhone{},{}; iOS {major}.{minor}; Scale/3.00)",
                12 + self.number % 4,
                1 + self.number / 4 % 5
            ),
            Browser::Chrome => format!(
                "Mozilla/5.0 ({device} {major}_{minor} like Mac OS X) {kit} CriOS/{chrome}.0 Mobile/15E148 Safari/604.1"
            ),
            _ => format!(
                "Mozilla/5.0 ({device} {major}_{minor} like Mac OS X) {kit} Version/{major}.{minor} Mobile/15E148 \
                 Safari/604.1"
            ),
        }
    }
}
