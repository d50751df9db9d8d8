//! `[logins]` of gate.toml: what is done about suspicious logins, read and checked once.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use policy::Network;
use serde::Deserialize;
use tokio::time::Duration;

/// A second proof that holds for longer than this is none.
const PASS_MINUTES_MAX: u32 = 60;
/// A response that lasts longer is somebody's decision, for the monitor to make.
const RESPONSE_MINUTES_MAX: u32 = 7 * 24 * 60;
/// Whoever is learnt about for longer is never judged.
const LEARNING_DAYS_MAX: u32 = 30;
/// Log-odds that are asked for; beyond, nothing ever is.
const LOG_ODDS_MAX: f64 = 100.0;

/// What is remembered of all principals; some hundred bytes each.
const HISTORY_BYTES_MAX: u64 = 256 << 20;

/// `[logins]`, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawLogins {
    mode: Mode,
    folder: PathBuf,
    step_up: f64,
    block: f64,
    learning_days: u32,
    pass_minutes: u32,
    response_minutes: u32,
    never_blocked: Vec<String>,
    places: Option<PathBuf>,
}

/// Whether anything is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Logins are refused and sources stopped.
    Enforce,
    /// It is only said what would be.
    Observe,
}

/// `[logins]`, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    pub mode: Mode,
    /// Where what is learnt and done is kept.
    pub folder: PathBuf,
    /// From which score a second proof is asked for, in log-odds.
    pub step_up: f64,
    /// From which score a login is refused whatever else is proven.
    pub block: f64,
    /// How long after a principal's first login nothing is done about what is unusual of their own: everything is.
    pub learning_days: u32,
    /// How long a second proof holds.
    pub pass: Duration,
    /// How long a source is stopped or slowed down.
    pub response: Duration,
    /// Sources that are many people at once: nobody there is stopped for another.
    pub never_blocked: Vec<Network>,
    /// Files that say which network an address is of, and where; without them, that is not known.
    pub places: Option<PathBuf>,
}

impl Settings {
    /// Whether an address is many people's.
    pub fn is_many(&self, address: IpAddr) -> bool {
        self.never_blocked.iter().any(|network| network.holds(address.to_canonical()))
    }

    /// As the engine takes them.
    pub fn engine(&self) -> risk::Settings {
        risk::Settings {
            step_up_at: self.step_up,
            block_at: self.block,
            history_bytes_max: HISTORY_BYTES_MAX,
            ..risk::Settings::default()
        }
    }
}

impl RawLogins {
    /// Checks what was written; paths are relative to the folder of gate.toml.
    ///
    /// # Errors
    /// The key and what is wrong with it.
    pub fn check(self, at: impl Fn(&Path) -> PathBuf) -> Result<Settings, String> {
        for (key, value, max) in [
            ("pass_minutes", self.pass_minutes, PASS_MINUTES_MAX),
            ("response_minutes", self.response_minutes, RESPONSE_MINUTES_MAX),
        ] {
            if !(1..=max).contains(&value) {
                return Err(format!("logins.{key}: {value} is not between 1 and {max}"));
            }
        }
        if self.learning_days > LEARNING_DAYS_MAX {
            let days = self.learning_days;
            return Err(format!("logins.learning_days: {days} is not between 0 and {LEARNING_DAYS_MAX}"));
        }
        // NaN is not above anything.
        let (least, most) = (-LOG_ODDS_MAX, LOG_ODDS_MAX);
        let ordered = least <= self.step_up && self.step_up < self.block && self.block <= most;
        if !ordered {
            let (step_up, block) = (self.step_up, self.block);
            return Err(format!(
                "logins.step_up, logins.block: {step_up} and {block} are not log-odds of {least} to {most}, the \
                 second above the first"
            ));
        }
        let network = |text: &String| {
            let problem = || format!("logins.never_blocked: `{text}` is not a network, such as 10.1.0.0/16");
            Network::parse(text).ok_or_else(problem)
        };
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        Ok(Settings {
            mode: self.mode,
            folder: at(&self.folder),
            step_up: self.step_up,
            block: self.block,
            learning_days: self.learning_days,
            pass: minutes(self.pass_minutes),
            response: minutes(self.response_minutes),
            never_blocked: self.never_blocked.iter().map(network).collect::<Result<_, _>>()?,
            places: self.places.as_deref().map(at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "mode = 'enforce'\nfolder = 'risk'\nstep_up = -3.0\nblock = 2.0\nlearning_days = 7\npass_minutes = 5\n\
                           response_minutes = 60\nnever_blocked = ['127.0.0.0/8']\n";

    fn check(text: &str) -> Result<Settings, String> {
        let raw: RawLogins = toml::from_str(text).map_err(|e| e.to_string())?;
        raw.check(|path| Path::new("/gate").join(path))
    }

    #[test]
    fn every_key_but_places_is_needed_and_means_something() {
        let settings = check(WRITTEN).unwrap();
        assert_eq!((settings.folder.to_str(), settings.pass.as_secs()), (Some("/gate/risk"), 300));
        let places = |text: &str| check(text).unwrap().places;
        assert_eq!(places(WRITTEN), None);
        assert_eq!(places(&format!("{WRITTEN}places = 'places'\n")).unwrap(), Path::new("/gate/places"));
        for line in WRITTEN.lines() {
            let (key, _) = line.split_once(" = ").unwrap();
            assert!(check(&WRITTEN.replace(line, "")).unwrap_err().contains(key), "{line}");
        }
        for (from, to, said) in [
            ("'enforce'", "'sometimes'", "sometimes"),
            ("folder", "more = 1\nfolder", "more"),
            ("-3.0", "9.5", "the second above the first"),
            ("-3.0", "nan", "the second above the first"),
            ("2.0", "inf", "of -100 to 100"),
            ("-3.0", "-300.0", "of -100 to 100"),
            ("= 7", "= 31", "learning_days: 31"),
            ("= 5", "= 61", "pass_minutes: 61"),
            ("= 60", "= 0", "response_minutes: 0"),
            ("127.0.0.0/8", "everywhere", "`everywhere` is not a network"),
        ] {
            let problem = check(&WRITTEN.replace(from, to)).unwrap_err();
            assert!(problem.contains(said), "{to}: {problem}");
        }
    }
}
