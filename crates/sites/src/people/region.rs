//! Where generated subjects live: the countries of an enclave's region, and the sites that may be their homes. Not here:
//! who lives there (`country`).

use policy::Enclave;

use super::country::{AMERICA, Account, Country, EUROPE, NORDIC};

/// What of an enclave decides who its generated subjects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// ISO 3166, two letters.
    pub countries: Vec<String>,
    /// In the order of the enclave's.
    pub sites: Vec<HomeSite>,
}

/// A site that may be a home: its name and its country (ISO 3166).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeSite {
    /// As in the enclave's configuration.
    pub name: String,
    /// Two letters.
    pub country: String,
}

/// How a region's subjects write their bank accounts, which is also in which columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banking {
    /// By IBAN.
    Iban,
    /// By routing number and account number.
    Routed,
}

impl Region {
    /// An enclave's.
    pub fn of(enclave: &Enclave) -> Self {
        let home =
            |site: &policy::Site| HomeSite { name: site.name.clone(), country: site.country.to_string() };
        Self {
            countries: enclave.region.iter().map(ToString::to_string).collect(),
            sites: enclave.sites.iter().map(home).collect(),
        }
    }

    /// None when nobody can be made up who lives there.
    pub fn banking(&self) -> Option<Banking> {
        self.lived_in().next().map(|country| match country.account {
            Account::Iban(_) => Banking::Iban,
            Account::Routed(_) => Banking::Routed,
        })
    }

    /// The countries that subjects come from. Of one part of the world alone: their accounts are in the same columns.
    pub(super) fn lived_in(&self) -> impl Iterator<Item = &'static Country> {
        let has = |country: &&Country| self.countries.iter().any(|code| code == country.code);
        let part = [EUROPE, AMERICA].into_iter().find(|part| part.iter().any(|country| has(&country)));
        part.unwrap_or_default().iter().filter(has)
    }

    /// The sites of the country itself, else those of its part of Europe, else all.
    pub(super) fn nearest(&self, code: &str) -> Vec<String> {
        let nordic = |code: &str| NORDIC.contains(&code);
        let choose = |near: &dyn Fn(&HomeSite) -> bool| -> Vec<String> {
            self.sites.iter().filter(|site| near(site)).map(|site| site.name.clone()).collect()
        };
        let own = choose(&|site| site.country == code);
        let part = choose(&|site| nordic(&site.country) == nordic(code));
        [own, part].into_iter().find(|found| !found.is_empty()).unwrap_or_else(|| choose(&|_| true))
    }
}
