//! What was found, and how it is said: a line an object for people, one object for programs. Not here: what becomes of
//! it.

use serde::{Serialize, Serializer};

/// How one check ended at one site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nothing is there but what is expected.
    Pass,
    /// It could not be looked at. That is not pass.
    Unknown,
    /// Something is there that should not be.
    Fail,
}

impl Outcome {
    /// As it is printed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }

    /// What a program that checks ends with: 0 when everything passes, 1 when something fails, 2 when nothing fails but
    /// something is unknown.
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Unknown => 2,
        }
    }
}

/// One line of a report: a check that passes has one at a site, and one that does not has one an object. The field names
/// are a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub name: &'static str,
    /// The site.
    pub site: String,
    /// How it ended.
    pub result: Outcome,
    /// The object that is wrong; none where the check passes or could not look at all.
    pub object: Option<String>,
    /// What is the matter.
    pub what: Option<String>,
    /// What to do.
    pub advice: Option<String>,
    /// What was asked, so that anybody can ask it again.
    pub query: String,
}

/// Everything that was looked at, by site and in the order of the checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The lines.
    pub checks: Vec<Finding>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Whole<'a> {
            result: Outcome,
            pass: usize,
            fail: usize,
            unknown: usize,
            checks: &'a [Finding],
        }
        let count = |outcome| self.checks.iter().filter(|check| check.result == outcome).count();
        let (pass, fail, unknown) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::Unknown));
        Whole { result: self.outcome(), pass, fail, unknown, checks: &self.checks }.serialize(serializer)
    }
}

impl Report {
    /// The worst of all. Of nothing, nothing is known.
    pub fn outcome(&self) -> Outcome {
        self.checks.iter().map(|check| check.result).max().unwrap_or(Outcome::Unknown)
    }

    /// Lines of text, by site. `paint` colours a word by how something ended.
    pub fn lines(&self, paint: &dyn Fn(Outcome, &str) -> String) -> Vec<String> {
        let mut lines = Vec::new();
        let mut sites: Vec<&str> = Vec::new();
        for check in &self.checks {
            if !sites.contains(&&*check.site) {
                sites.push(&check.site);
            }
        }
        for site in sites {
            let of_site = || self.checks.iter().filter(move |check| check.site == site);
            let count = |outcome| of_site().filter(|check| check.result == outcome).count();
            let worst = of_site().map(|check| check.result).max().unwrap_or(Outcome::Unknown);
            lines.push(format!(
                "{} site {site}: {} pass, {} fail, {} unknown",
                paint(worst, &format!("{:<7}", worst.as_str())),
                count(Outcome::Pass),
                count(Outcome::Fail),
                count(Outcome::Unknown)
            ));
            let wrong: Vec<&Finding> = of_site().filter(|check| check.result != Outcome::Pass).collect();
            for (at, check) in wrong.iter().enumerate() {
                let same = |other: &&&Finding| other.object.is_none() && other.what == check.what;
                if check.object.is_some() {
                    lines.extend(check.lines(check.name, paint));
                } else if !wrong.iter().take(at).any(|other| same(&other)) {
                    let names: Vec<&str> = wrong.iter().filter(same).map(|other| other.name).collect();
                    lines.extend(check.lines(&names.join(", "), paint));
                }
            }
        }
        lines
    }
}

impl Finding {
    fn lines(&self, names: &str, paint: &dyn Fn(Outcome, &str) -> String) -> Vec<String> {
        let word = paint(self.result, &format!("{:<7}", self.result.as_str()));
        let object = self.object.as_ref().map(|object| format!(": {}", plain(object))).unwrap_or_default();
        let what = plain(self.what.as_deref().unwrap_or_default());
        let mut lines = vec![format!("  {word} {names}{object}: {what}")];
        lines.extend(self.advice.as_ref().map(|advice| format!("          {}", plain(advice))));
        lines
    }
}

/// Names come from the database: what would move a terminal's cursor is written out.
fn plain(text: &str) -> String {
    let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::{Finding, Outcome, Report};

    fn line(name: &'static str, result: Outcome, object: Option<&str>, what: &str) -> Finding {
        let (object, site) = (object.map(str::to_owned), "dublin".to_owned());
        let (what, advice) = (Some(what.to_owned()), Some("do".to_owned()));
        Finding { name, site, result, object, what, advice, query: "SELECT".to_owned() }
    }

    #[test]
    fn reports_are_as_bad_as_their_worst_line() {
        use Outcome::{Fail, Pass, Unknown};
        for (outcomes, expected, code) in [
            (&[][..], Unknown, 2),
            (&[Pass], Pass, 0),
            (&[Pass, Unknown], Unknown, 2),
            (&[Unknown, Fail, Pass], Fail, 1),
        ] {
            let checks = outcomes.iter().map(|outcome| line("a", *outcome, None, "")).collect();
            let report = Report { checks };
            assert_eq!((report.outcome(), report.outcome().code()), (expected, code), "{outcomes:?}");
        }
    }

    #[test]
    fn lines_put_together_what_is_the_same_and_write_out_what_moves_the_cursor() {
        let checks = vec![
            line("a", Outcome::Pass, None, ""),
            line("b", Outcome::Unknown, None, "no answer"),
            line("c", Outcome::Fail, Some("x\u{1b}[2J"), "is there"),
            line("d", Outcome::Unknown, None, "no answer"),
        ];
        let lines = Report { checks }.lines(&|_, word| word.to_owned());
        assert_eq!(
            lines,
            [
                "fail    site dublin: 1 pass, 1 fail, 2 unknown",
                "  unknown b, d: no answer",
                "          do",
                "  fail    c: x\\u{1b}[2J: is there",
                "          do",
            ]
        );
    }
}
