//! Reading tlog-policy files: lines, names, references backwards only. What a rule means is in `rule`.

use std::collections::BTreeSet;

use thiserror::Error;

use super::{Log, Node, Part, ReleaseRule};
use crate::checkpoint::parse_decimal;
use crate::note::{KeyError, KeyType, VerifierKey};

/// Longest file that is read.
pub const RULE_BYTES_MAX: usize = 1024 * 1024;
/// The quorum that asks for no cosignature.
pub(super) const NONE: &str = "none";

/// Why a tlog-policy file was refused. Lines count from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleTextError {
    #[error("the file is longer than {RULE_BYTES_MAX} bytes")]
    TooLong,
    #[error("line {line}: control characters other than tab and newline are not allowed")]
    Control { line: usize },
    #[error("line {line}: names and URLs must be UTF-8 here")]
    NotUtf8 { line: usize },
    #[error(
        "line {line}: expected `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, \
         `group <name> <all|any|k> <name>…` or `quorum <name|none>`"
    )]
    Form { line: usize },
    #[error("line {line}: {problem}")]
    Key { line: usize, problem: KeyError },
    #[error("line {line}: a log needs a key of type 01, a witness one of type 04")]
    KeyType { line: usize },
    #[error("line {line}: this public key is used on an earlier line; every signer needs its own")]
    RepeatedKey { line: usize },
    #[error("line {line}: the name {name} is taken")]
    RepeatedName { line: usize, name: String },
    #[error("line {line}: {name} is not defined on an earlier line")]
    UnknownName { line: usize, name: String },
    #[error("line {line}: {name} is a member of a group already")]
    RepeatedMember { line: usize, name: String },
    #[error("line {line}: the threshold must be all, any, or from 1 to the number of members")]
    Threshold { line: usize },
    #[error("line {line}: there is a quorum line already")]
    RepeatedQuorum { line: usize },
    #[error("there is no quorum line; write `quorum none` to ask for no cosignature")]
    NoQuorum,
}

/// What has been read so far.
#[derive(Default)]
struct Draft {
    logs: Vec<Log>,
    nodes: Vec<Node>,
    members: BTreeSet<usize>,
    /// Outer `None`: no quorum line yet.
    quorum: Option<Option<usize>>,
}

pub(super) fn parse(text: &[u8]) -> Result<ReleaseRule, RuleTextError> {
    if text.len() > RULE_BYTES_MAX {
        return Err(RuleTextError::TooLong);
    }
    let mut draft = Draft::default();
    for (number, bytes) in text.split(|byte| *byte == b'\n').enumerate() {
        let line = number + 1;
        if bytes.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(RuleTextError::Control { line });
        }
        let start = bytes.iter().position(|byte| !b" \t".contains(byte));
        let Some(content) = start.and_then(|start| bytes.get(start..)) else { continue };
        // Comments may hold any bytes; what carries meaning must be UTF-8, so that it can be printed as it was.
        if content.starts_with(b"#") {
            continue;
        }
        let content = std::str::from_utf8(content).map_err(|_| RuleTextError::NotUtf8 { line })?;
        let words: Vec<_> = content.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            ["log", key] => draft.log(line, key, None)?,
            ["log", key, url] => draft.log(line, key, Some(url))?,
            ["witness", name, key] => draft.witness(line, name, key, None)?,
            ["witness", name, key, url] => draft.witness(line, name, key, Some(url))?,
            ["group", name, threshold, members @ ..] => draft.group(line, name, threshold, members)?,
            ["quorum", name] => draft.quorum(line, name)?,
            _ => return Err(RuleTextError::Form { line }),
        }
    }
    draft.finish()
}

impl Draft {
    fn log(&mut self, line: usize, key: &str, url: Option<&str>) -> Result<(), RuleTextError> {
        let key = self.key(line, key, KeyType::Ed25519)?;
        self.logs.push(Log { key, url: url.map(str::to_owned) });
        Ok(())
    }

    fn witness(
        &mut self,
        line: usize,
        name: &str,
        key: &str,
        url: Option<&str>,
    ) -> Result<(), RuleTextError> {
        let key = Box::new(self.key(line, key, KeyType::CosignatureV1)?);
        self.define(line, name, Part::Witness { key, url: url.map(str::to_owned) })
    }

    fn group(
        &mut self,
        line: usize,
        name: &str,
        threshold: &str,
        names: &[&str],
    ) -> Result<(), RuleTextError> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = self.defined(line, name)?;
            // A witness that counted twice would make a quorum of one.
            if !self.members.insert(member) {
                return Err(RuleTextError::RepeatedMember { line, name: (*name).to_owned() });
            }
            members.push(member);
        }
        let threshold = match threshold {
            "all" => Some(members.len()),
            "any" => Some(1),
            number => parse_decimal(number).and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold
            .filter(|threshold| (1..=members.len()).contains(threshold))
            .ok_or(RuleTextError::Threshold { line })?;
        self.define(line, name, Part::Group { threshold, members })
    }

    fn quorum(&mut self, line: usize, name: &str) -> Result<(), RuleTextError> {
        if self.quorum.is_some() {
            return Err(RuleTextError::RepeatedQuorum { line });
        }
        self.quorum = Some(if name == NONE { None } else { Some(self.defined(line, name)?) });
        Ok(())
    }

    /// Reads a key that no earlier line has. tlog-policy forbids repeats among logs and among witnesses; a log that
    /// witnesses itself under one key is refused as well, since no cosigner may share a key.
    fn key(&self, line: usize, text: &str, kind: KeyType) -> Result<VerifierKey, RuleTextError> {
        let key: VerifierKey = text.parse().map_err(|problem| RuleTextError::Key { line, problem })?;
        if key.key_type() != kind {
            return Err(RuleTextError::KeyType { line });
        }
        let repeated = self.keys().any(|earlier| earlier.public() == key.public());
        if repeated { Err(RuleTextError::RepeatedKey { line }) } else { Ok(key) }
    }

    fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        let witnesses = self.nodes.iter().filter_map(|node| match &node.part {
            Part::Witness { key, .. } => Some(key.as_ref()),
            Part::Group { .. } => None,
        });
        self.logs.iter().map(|log| &log.key).chain(witnesses)
    }

    fn define(&mut self, line: usize, name: &str, part: Part) -> Result<(), RuleTextError> {
        if name == NONE || self.nodes.iter().any(|node| node.name == name) {
            return Err(RuleTextError::RepeatedName { line, name: name.to_owned() });
        }
        self.nodes.push(Node { name: name.to_owned(), part });
        Ok(())
    }

    fn defined(&self, line: usize, name: &str) -> Result<usize, RuleTextError> {
        self.nodes
            .iter()
            .position(|node| node.name == name)
            .ok_or_else(|| RuleTextError::UnknownName { line, name: name.to_owned() })
    }

    fn finish(self) -> Result<ReleaseRule, RuleTextError> {
        let known = self.keys().cloned().collect();
        let quorum = self.quorum.ok_or(RuleTextError::NoQuorum)?;
        Ok(ReleaseRule { logs: self.logs, nodes: self.nodes, quorum, known })
    }
}
