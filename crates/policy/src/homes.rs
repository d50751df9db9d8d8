//! Which site writes which home: at first each its own, after a failover another. The text that the operator signs, and
//! which statement may follow which. Not here: moving a home (`sites`), what a site then is (`wall`).

use std::collections::{BTreeMap, BTreeSet};

use crate::Bundle;

/// First line of the text.
const TITLE: &str = "trefoil homes v1";
/// Longest text that is read.
pub const HOMES_BYTES_MAX: usize = 64 * 1_024;

/// The site that writes a home now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its name.
    pub site: String,
    /// How often the home has moved. Whoever writes under a lower term is refused.
    pub term: u64,
}

/// Who holds every home, and which sites are out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    holders: BTreeMap<String, Holder>,
    out: BTreeSet<String>,
}

/// What the operator says of the homes: how they are, and while one moves, how they will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    enclave: String,
    serial: u64,
    now: Holders,
    next: Option<Holders>,
}

/// Why a statement about homes is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomesError {
    /// It cannot be read.
    #[error("line {line}: {problem}; sign it again with `trefoil sites failover` or `failback`")]
    Line {
        /// From 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It does not say of every site and home of the enclave what it has to.
    #[error("it does not fit the enclave: {0}")]
    Enclave(String),
    /// It does not follow the statement that is in force.
    #[error("it does not follow the statement in force: {0}")]
    Order(String),
}

impl Holders {
    /// Every site writes its own home.
    pub fn first(bundle: &Bundle) -> Self {
        let own = |site: &crate::Site| (site.name.clone(), Holder { site: site.name.clone(), term: 0 });
        Self { holders: bundle.enclave().sites.iter().map(own).collect(), out: BTreeSet::new() }
    }

    /// The site that writes a home, if there is such a home.
    pub fn of(&self, home: &str) -> Option<&Holder> {
        self.holders.get(home)
    }

    /// The homes that a site writes.
    pub fn held_by<'a>(&'a self, site: &'a str) -> impl Iterator<Item = &'a str> {
        self.holders.iter().filter(move |(_, holder)| holder.site == site).map(|(home, _)| home.as_str())
    }

    /// Whether a site writes a home.
    pub fn holds(&self, site: &str, home: &str) -> bool {
        self.of(home).is_some_and(|holder| holder.site == site)
    }

    /// Whether nobody follows a site and nobody is sent there.
    pub fn is_out(&self, site: &str) -> bool {
        self.out.contains(site)
    }

    /// As these, with a home under its next term at another site.
    pub fn moved(&self, home: &str, to: &str) -> Self {
        let mut moved = self.clone();
        if let Some(holder) = moved.holders.get_mut(home) {
            *holder = Holder { site: to.to_owned(), term: holder.term.saturating_add(1) };
        }
        moved
    }

    /// As these, with a site out, or in again.
    pub fn with_out(&self, site: &str, out: bool) -> Self {
        let mut changed = self.clone();
        if out {
            changed.out.insert(site.to_owned());
        } else {
            changed.out.remove(site);
        }
        changed
    }

    fn lines(&self, before: &str, text: &mut String) {
        for (home, Holder { site, term }) in &self.holders {
            text.push_str(&format!("{before}home {home} {site} {term}\n"));
        }
        for site in &self.out {
            text.push_str(&format!("{before}out {site}\n"));
        }
    }

    /// Says of every home who holds it, and of no other.
    fn check(&self, bundle: &Bundle) -> Result<(), HomesError> {
        let sites: BTreeSet<&str> = bundle.enclave().sites.iter().map(|site| site.name.as_str()).collect();
        let homes: BTreeSet<&str> = self.holders.keys().map(String::as_str).collect();
        let wrong = |problem: String| Err(HomesError::Enclave(problem));
        if homes != sites {
            return wrong(format!("it speaks of {homes:?}, and the enclave's sites are {sites:?}"));
        }
        let named = self
            .holders
            .values()
            .map(|holder| holder.site.as_str())
            .chain(self.out.iter().map(String::as_str));
        if let Some(unknown) = named.into_iter().find(|named| !sites.contains(named)) {
            return wrong(format!("there is no site `{unknown}`"));
        }
        match self.holders.iter().find(|(_, holder)| self.is_out(&holder.site)) {
            Some((home, holder)) => wrong(format!("`{home}` is held by {}, which is out", holder.site)),
            None => Ok(()),
        }
    }
}

impl Homes {
    /// Every site writes its own home: what holds before anything was signed.
    pub fn first(bundle: &Bundle) -> Self {
        let enclave = bundle.enclave().name.clone();
        Self { enclave, serial: 0, now: Holders::first(bundle), next: None }
    }

    /// Counts what was signed.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// How the homes are. While one moves, how they were before.
    pub fn now(&self) -> &Holders {
        &self.now
    }

    /// How they will be, while one moves.
    pub fn next(&self) -> Option<&Holders> {
        self.next.as_ref()
    }

    /// Whether nobody is sent to a site: it is out, or will be.
    pub fn is_out(&self, site: &str) -> bool {
        self.now.is_out(site) || self.next.as_ref().is_some_and(|next| next.is_out(site))
    }

    /// The statement with which a move begins.
    pub fn begin(&self, next: Holders) -> Self {
        Self { serial: self.serial.saturating_add(1), next: Some(next), ..self.clone() }
    }

    /// The statement with which it ends; the same one when nothing moves.
    pub fn finish(&self) -> Self {
        match &self.next {
            Some(next) => Self {
                enclave: self.enclave.clone(),
                serial: self.serial.saturating_add(1),
                now: next.clone(),
                next: None,
            },
            None => self.clone(),
        }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let mut text = format!("{TITLE}\n{}\nserial {}\n", self.enclave, self.serial);
        self.now.lines("", &mut text);
        if let Some(next) = &self.next {
            next.lines("next ", &mut text);
        }
        text
    }

    /// Reads the text of a statement about this enclave. There is one way to write each, so that what was signed is what
    /// was read.
    ///
    /// # Errors
    /// When it is not such a text, or of another enclave.
    pub fn parse(text: &str, bundle: &Bundle) -> Result<Self, HomesError> {
        let wrong = |line: usize, problem: &str| HomesError::Line { line, problem: problem.to_owned() };
        if text.len() > HOMES_BYTES_MAX {
            return Err(wrong(1, "it is longer than any enclave needs"));
        }
        let mut lines = text.lines().zip(1..);
        let mut expect = |what: &str| lines.next().ok_or_else(|| wrong(1, &format!("there is no {what}")));
        if expect("title")?.0 != TITLE {
            return Err(wrong(1, "it is not a statement about homes of a version known here"));
        }
        let enclave = expect("enclave")?.0.to_owned();
        if enclave != bundle.enclave().name {
            return Err(HomesError::Enclave(format!("it is about the enclave `{enclave}`")));
        }
        let (serial, line) = expect("serial")?;
        let serial =
            serial.strip_prefix("serial ").and_then(number).ok_or_else(|| wrong(line, "no serial"))?;
        let empty = || Holders { holders: BTreeMap::new(), out: BTreeSet::new() };
        let (mut now, mut next) = (empty(), None);
        for (text, line) in lines {
            let (of, words) = match text.strip_prefix("next ") {
                Some(words) => (next.get_or_insert_with(empty), words),
                None => (&mut now, text),
            };
            add(of, words).ok_or_else(|| wrong(line, "neither `home HOME SITE TERM` nor `out SITE`"))?;
        }
        now.check(bundle)?;
        if let Some(next) = &next {
            next.check(bundle)?;
        }
        let homes = Self { enclave, serial, now, next };
        if homes.text() == text { Ok(homes) } else { Err(wrong(1, "it is not written as it would be")) }
    }

    /// Whether this statement may come directly after another: it begins a move, finishes it, or says of one that was
    /// begun that it will end otherwise.
    ///
    /// # Errors
    /// When it may not, and why.
    pub fn follows(&self, before: &Self) -> Result<(), HomesError> {
        let wrong = |problem: String| Err(HomesError::Order(problem));
        if before.serial.checked_add(1) != Some(self.serial) {
            return wrong(format!("number {} comes after number {}", self.serial, before.serial));
        }
        if let Some(next) = &self.next {
            if self.now != before.now {
                return wrong("a move begins from another state than the present one".to_owned());
            }
            // What was begun is finished; that its site is gone meanwhile is all that may be added.
            if before.next.as_ref().is_some_and(|begun| begun.holders != next.holders) {
                return wrong("another move was begun, and is not over".to_owned());
            }
            for (home, holder) in &next.holders {
                let Some(was) = self.now.of(home) else { continue };
                let moved = was.site != holder.site;
                if holder.term != was.term.saturating_add(u64::from(moved)) {
                    return wrong(format!("`{home}` goes from term {} to {}", was.term, holder.term));
                }
            }
            return Ok(());
        }
        match &before.next {
            Some(next) if *next == self.now => Ok(()),
            Some(_) => wrong("the move that was begun ends otherwise".to_owned()),
            None => wrong("no move was begun".to_owned()),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}

fn add(holders: &mut Holders, words: &str) -> Option<()> {
    let words: Vec<&str> = words.split(' ').collect();
    match words.as_slice() {
        ["home", home, site, term] => {
            let holder = Holder { site: (*site).to_owned(), term: number(term)? };
            holders.holders.insert((*home).to_owned(), holder).is_none().then_some(())
        }
        ["out", site] => holders.out.insert((*site).to_owned()).then_some(()),
        _ => None,
    }
}
