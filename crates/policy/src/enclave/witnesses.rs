//! Witnesses of others that cosign the enclave's record, beside the monitor. Not here: the release rule that they become
//! part of (`trefoil up`), and asking them (the gate).

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use super::check_new_name;
use crate::error::Problems;
use crate::names::NameKind;
use crate::raw::{RawRecord, RawWitness};

/// Names that the release rule gives to others.
const NAMES_TAKEN: [&str; 5] = ["everyone", "none", "others", "redecided", "witness"];

/// Who else must have seen that the record only grew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Witnesses {
    /// In the order of the file.
    pub each: Vec<Witness>,
    /// How many of them must have cosigned before anything is released; none: every one.
    pub quorum: Option<usize>,
}

/// A C2SP tlog-witness.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Witness {
    /// Its name in the release rule.
    pub name: String,
    /// Its verifier key, `name+id+base64`. Whether it is one, whoever writes the rule finds out.
    pub vkey: String,
    /// What `/add-checkpoint` is added to: `https://host/path`, or `http://`.
    pub url: String,
}

pub(super) fn check(raw: RawRecord, found: &mut Problems<'_>) -> Witnesses {
    let mut seen = BTreeSet::new();
    let mut each = Vec::new();
    for (i, witness) in raw.witness.map(|raw| raw.0).unwrap_or_default().into_iter().enumerate() {
        each.push(check_witness(witness, &format!("record.witness[{i}]"), &mut seen, found));
    }
    let count = each.len();
    let quorum = raw.quorum.map(|raw| check_quorum(&raw, count, found));
    Witnesses { each, quorum }
}

fn check_quorum(raw: &Spanned<usize>, count: usize, found: &mut Problems<'_>) -> usize {
    let quorum = *raw.get_ref();
    if !(1..=count).contains(&quorum) {
        let problem = format!("{quorum} of {count} witnesses cannot be asked for");
        let remedy = "use 1 to the number of `record.witness`, or leave the key out to ask for all of them";
        found.at(raw.span(), "record.quorum", problem, remedy);
    }
    quorum
}

fn check_witness(
    raw: RawWitness,
    key: &str,
    seen: &mut BTreeSet<String>,
    found: &mut Problems<'_>,
) -> Witness {
    let at = raw.name.span();
    let name = check_new_name(raw.name, &format!("{key}.name"), NameKind::Name, seen, found);
    if NAMES_TAKEN.contains(&name.as_str()) {
        let problem = format!("`{name}` means something else in the release rule");
        found.at(at, &format!("{key}.name"), problem, "call the witness something else");
    }
    let word = |text: &str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    if !word(raw.vkey.get_ref()) || raw.vkey.get_ref().split('+').count() < 3 {
        let problem = format!("`{}` is no verifier key", raw.vkey.get_ref().escape_debug());
        let remedy = "write the witness's own, name+id+base64, of type 04 (cosignature/v1)";
        found.at(raw.vkey.span(), &format!("{key}.vkey"), problem, remedy);
    }
    let url = raw.url.get_ref();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if !word(url) || host.is_none_or(|host| host.is_empty() || host.starts_with('/')) {
        let problem = format!("`{}` is no address of a witness", url.escape_debug());
        let remedy = "write what its `/add-checkpoint` is below, such as https://witness.example";
        found.at(raw.url.span(), &format!("{key}.url"), problem, remedy);
    }
    Witness { name, vkey: raw.vkey.into_inner(), url: raw.url.into_inner() }
}

/// One table, or an array of them.
#[derive(Debug)]
pub(crate) struct OneOrMore(Vec<RawWitness>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMore;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table [record.witness], or several [[record.witness]]")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMore, A::Error> {
                RawWitness::deserialize(MapAccessDeserializer::new(map)).map(|one| OneOrMore(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OneOrMore, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OneOrMore)
            }
        }
        from.deserialize_any(Either)
    }
}
