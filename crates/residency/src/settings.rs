//! `residency.toml`: which sites there are, what is inside the region, and what may be there, for those who check without
//! an enclave. What is not named is not expected. Not here: what an enclave's bundle says (`enclave`).

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use policy::{Country, Network};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::{CountryFile, Expectations, Home, Hosts, Identity, Places, Site, Target, checks};

/// Why a configuration is refused.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or has a key that is not known.
    #[error("{}: {said}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        said: String,
    },
    /// A value is wrong.
    #[error("{}:{line}: {key}: {problem}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// What a file says.
#[derive(Debug)]
pub struct Settings {
    /// The sites, in the file's order.
    pub sites: Vec<Site>,
    /// What is inside.
    pub hosts: Hosts,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    networks: Vec<Spanned<String>>,
    #[serde(default)]
    region: Vec<Spanned<String>>,
    country_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    allow: Allowed,
    #[serde(default)]
    site: Vec<RawSite>,
}

type Allowed = BTreeMap<Spanned<String>, Vec<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSite {
    name: Spanned<String>,
    url: Spanned<String>,
    password_file: Option<Spanned<PathBuf>>,
    #[serde(default)]
    allow: Allowed,
    identities: Option<Vec<RawIdentity>>,
    hba: Option<Vec<String>>,
    #[serde(default)]
    homes: Vec<RawHome>,
    data_directory: Option<PathBuf>,
    system_identifier: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdentity {
    role: String,
    /// None is the Unix socket.
    #[serde(default)]
    networks: Vec<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHome {
    table: Spanned<String>,
    column: String,
    homes: Spanned<Vec<String>>,
}

/// Reads a file. `password` stands in for connection strings that have none.
///
/// # Errors
/// When a value is wrong; the error names the line and what to do.
pub fn read(path: &Path, password: Option<&str>) -> Result<Settings, SettingsError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
    let raw: Raw = toml::from_str(&text)
        .map_err(|error| SettingsError::Toml { path: path.to_owned(), said: error.to_string() })?;
    let file = File { path, text: &text };
    let networks = file.networks("networks", &raw.networks)?;
    let mut region = Vec::new();
    for code in &raw.region {
        let country = Country::parse(code.get_ref());
        region.push(
            country.ok_or_else(|| {
                file.wrong(code.span(), "region", "write ISO codes of countries, such as IE")
            })?,
        );
    }
    if raw.site.is_empty() {
        return Err(file.wrong(0..0, "site", "there is no site; add [[site]] with name and url"));
    }
    let mut sites: Vec<Site> = Vec::new();
    for site in raw.site {
        if sites.iter().any(|other| other.name == *site.name.get_ref()) {
            return Err(file.wrong(site.name.span(), "site.name", "two sites have this name; rename one"));
        }
        sites.push(file.site(site, &raw.allow, password)?);
    }
    let places = raw.country_file.map(|file_path| {
        let opened = CountryFile::open(file_path.get_ref());
        opened.map_err(|error| file.wrong(file_path.span(), "country_file", error.to_string()))
    });
    let places = places.transpose()?.map(|file| -> Box<dyn Places> { Box::new(file) });
    Ok(Settings { sites, hosts: Hosts { networks, region, places } })
}

/// A file that is being read.
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn wrong(&self, at: Range<usize>, key: &str, problem: impl Into<String>) -> SettingsError {
        let line = 1 + self.text.bytes().take(at.start).filter(|byte| *byte == b'\n').count();
        SettingsError::Value {
            path: self.path.to_owned(),
            line,
            key: key.to_owned(),
            problem: problem.into(),
        }
    }

    fn networks(&self, key: &str, raw: &[Spanned<String>]) -> Result<Vec<Network>, SettingsError> {
        let network = |text: &Spanned<String>| {
            let problem = "write the first address and the length of the prefix, such as 10.1.0.0/16";
            Network::parse(text.get_ref()).ok_or_else(|| self.wrong(text.span(), key, problem))
        };
        raw.iter().map(network).collect()
    }

    fn site(
        &self,
        raw: RawSite,
        everywhere: &Allowed,
        password: Option<&str>,
    ) -> Result<Site, SettingsError> {
        let mut expectations = Expectations {
            hba: raw.hba,
            data_directory: raw.data_directory,
            system_identifier: raw.system_identifier,
            ..Expectations::default()
        };
        self.allow(everywhere, &mut expectations)?;
        self.allow(&raw.allow, &mut expectations)?;
        if let Some(list) = raw.identities {
            let identity = |one: RawIdentity| {
                let from = self.networks("site.identities.networks", &one.networks)?;
                Ok(Identity { role: one.role, from })
            };
            expectations.identities = Some(list.into_iter().map(identity).collect::<Result<_, _>>()?);
        }
        for home in raw.homes {
            if !home.table.get_ref().contains('.') {
                return Err(self.wrong(
                    home.table.span(),
                    "site.homes.table",
                    "write schema and table, such as public.users",
                ));
            }
            if home.homes.get_ref().is_empty() {
                return Err(self.wrong(
                    home.homes.span(),
                    "site.homes.homes",
                    "name what may stand in the column here",
                ));
            }
            let (table, homes) = (home.table.into_inner(), home.homes.into_inner());
            expectations.homes.push(Home { table, column: home.column, homes, rows: true });
        }
        let from_file = raw.password_file.map(|path| {
            let text = fs::read_to_string(path.get_ref());
            text.map(|text| text.trim_end_matches(['\n', '\r']).to_owned()).map_err(|error| {
                let problem = format!("{}: {error}", path.get_ref().display());
                self.wrong(path.span(), "site.password_file", problem)
            })
        });
        let from_file = from_file.transpose()?;
        let target = Target::parse(raw.url.get_ref(), from_file.as_deref().or(password));
        let target = target.map_err(|error| self.wrong(raw.url.span(), "site.url", error.to_string()))?;
        Ok(Site { name: raw.name.into_inner(), target, expectations })
    }

    fn allow(&self, allowed: &Allowed, expectations: &mut Expectations) -> Result<(), SettingsError> {
        for (check, objects) in allowed {
            if checks::named(check.get_ref()).is_none() {
                let problem =
                    format!("there is no check `{}`; `residency explain` lists them", check.get_ref());
                return Err(self.wrong(check.span(), "allow", problem));
            }
            objects.iter().for_each(|object| expectations.allow(check.get_ref(), object));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    const WHOLE: &str = r#"
networks = ["10.1.0.0/16"]
region = ["IE", "NO"]
[allow]
extension = ["pg_trgm"]
[[site]]
name = "dublin"
url = "postgresql://checker@10.1.0.5/app"
identities = [{ role = "app_*", networks = ["10.1.0.0/16"] }, { role = "postgres" }]
homes = [{ table = "public.users", column = "home", homes = ["dublin"] }]
[site.allow]
library = ["auto_explain"]
"#;

    fn check(text: &str, expected: Result<usize, &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        match (read(file.path(), None), expected) {
            (Ok(settings), Ok(sites)) => assert_eq!(settings.sites.len(), sites),
            (Err(error), Err(part)) => {
                let said = error.to_string();
                assert!(said.starts_with(&file.path().display().to_string()), "{said}");
                assert!(said.contains(part), "{said}");
            }
            (found, expected) => panic!("{text}: {expected:?}, but {found:?}"),
        }
    }

    #[test]
    fn files() {
        check(WHOLE, Ok(1));
        check("", Err("there is no site"));
        for (from, to, part) in [
            ("10.1.0.0/16\"]\nregion", "10.1.0.1/16\"]\nregion", ":2: networks: write the first address"),
            ("\"NO\"", "\"Norway\"", ":3: region: write ISO codes"),
            ("[allow]", "country_file = \"/nowhere.mmdb\"\n[allow]", ":4: country_file: /nowhere.mmdb"),
            ("extension =", "extensions =", ":5: allow: there is no check `extensions`"),
            ("[site.allow]", "allowed = []\n[site.allow]", "allowed"),
            ("public.users", "users", "write schema and table"),
            ("[\"dublin\"]", "[]", "name what may stand"),
            ("checker@", "", ":8: site.url: the connection string cannot be read: it names no user"),
            ("[site.allow]", "password_file = \"/nowhere\"\n[site.allow]", "password_file: /nowhere"),
        ] {
            assert!(WHOLE.contains(from), "{from}");
            check(&WHOLE.replacen(from, to, 1), Err(part));
        }
        let twice = WHOLE.split_once("[[site]]").unwrap();
        check(&format!("{}[[site]]{}[[site]]{}", twice.0, twice.1, twice.1), Err("two sites have this name"));
    }

    #[test]
    fn what_is_allowed_is_allowed_for_its_check_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), WHOLE).unwrap();
        let settings = read(file.path(), None).unwrap();
        let expected = &settings.sites[0].expectations;
        assert!(expected.allows("extension", "pg_trgm"));
        assert!(expected.allows("library", "auto_explain"));
        assert!(!expected.allows("library", "pg_trgm"));
        let identities = expected.identities.as_ref().unwrap();
        let inside = Some("10.1.9.9".parse().unwrap());
        for (role, address, admits) in [
            ("app_1", inside, true),
            ("app_1", Some("10.2.0.1".parse().unwrap()), false),
            ("app_1", None, false),
            ("postgres", None, true),
            ("postgres", inside, false),
            ("other", inside, false),
        ] {
            assert_eq!(identities.iter().any(|one| one.admits(role, address)), admits, "{role} {address:?}");
        }
    }
}
