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
    #[error(
        "line {line}: expected `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, \
         `group <name> <all|any|k> <name>…` or `quorum <name|none>`"
    )]
    Form { line: usize },
    #[error("line {line}: {problem}")]
    Key { line: usize, problem: KeyError },
    #[error("line {line}: a log needs a key of type 01, a witness one of type 04")]
    KeyType { line: usize },
    #[error("line {line}: an earlier log or witness has this public key; every one needs its own")]
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
    /// The names of `nodes` as they are written: any bytes, compared as such.
    names: Vec<Vec<u8>>,
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
        if content.starts_with(b"#") {
            continue;
        }
        let words = content.split(|byte| b" \t".contains(byte)).filter(|word| !word.is_empty());
        match words.collect::<Vec<_>>().as_slice() {
            [b"log", key] => draft.log(line, key, None)?,
            [b"log", key, url] => draft.log(line, key, Some(url))?,
            [b"witness", name, key] => draft.witness(line, name, key, None)?,
            [b"witness", name, key, url] => draft.witness(line, name, key, Some(url))?,
            [b"group", name, threshold, members @ ..] => draft.group(line, name, threshold, members)?,
            [b"quorum", name] => draft.quorum(line, name)?,
            _ => return Err(RuleTextError::Form { line }),
        }
    }
    draft.finish()
}

impl Draft {
    fn log(&mut self, line: usize, key: &[u8], url: Option<&[u8]>) -> Result<(), RuleTextError> {
        let key = read_key(line, key, KeyType::Ed25519)?;
        if self.logs.iter().any(|earlier| earlier.key.public() == key.public()) {
            return Err(RuleTextError::RepeatedKey { line });
        }
        self.logs.push(Log { key, url: url.map(text) });
        Ok(())
    }

    fn witness(
        &mut self,
        line: usize,
        name: &[u8],
        key: &[u8],
        url: Option<&[u8]>,
    ) -> Result<(), RuleTextError> {
        let key = Box::new(read_key(line, key, KeyType::CosignatureV1)?);
        if self.witnesses().any(|earlier| earlier.public() == key.public()) {
            return Err(RuleTextError::RepeatedKey { line });
        }
        self.define(line, name, Part::Witness { key, url: url.map(text) })
    }

    fn group(
        &mut self,
        line: usize,
        name: &[u8],
        threshold: &[u8],
        names: &[&[u8]],
    ) -> Result<(), RuleTextError> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = self.defined(line, name)?;
            // A witness that counted twice would make a quorum of one.
            if !self.members.insert(member) {
                return Err(RuleTextError::RepeatedMember { line, name: text(name) });
            }
            members.push(member);
        }
        let threshold = match threshold {
            b"all" => Some(members.len()),
            b"any" => Some(1),
            number => std::str::from_utf8(number)
                .ok()
                .and_then(parse_decimal)
                .and_then(|number| usize::try_from(number).ok()),
        };
        let threshold = threshold
            .filter(|threshold| (1..=members.len()).contains(threshold))
            .ok_or(RuleTextError::Threshold { line })?;
        self.define(line, name, Part::Group { threshold, members })
    }

    fn quorum(&mut self, line: usize, name: &[u8]) -> Result<(), RuleTextError> {
        if self.quorum.is_some() {
            return Err(RuleTextError::RepeatedQuorum { line });
        }
        self.quorum = Some(if name == NONE.as_bytes() { None } else { Some(self.defined(line, name)?) });
        Ok(())
    }

    fn witnesses(&self) -> impl Iterator<Item = &VerifierKey> {
        self.nodes.iter().filter_map(|node| match &node.part {
            Part::Witness { key, .. } => Some(key.as_ref()),
            Part::Group { .. } => None,
        })
    }

    fn define(&mut self, line: usize, name: &[u8], part: Part) -> Result<(), RuleTextError> {
        if name == NONE.as_bytes() || self.names.iter().any(|earlier| earlier == name) {
            return Err(RuleTextError::RepeatedName { line, name: text(name) });
        }
        self.nodes.push(Node { name: text(name), part });
        self.names.push(name.to_vec());
        Ok(())
    }

    fn defined(&self, line: usize, name: &[u8]) -> Result<usize, RuleTextError> {
        let found = self.names.iter().position(|earlier| earlier == name);
        found.ok_or_else(|| RuleTextError::UnknownName { line, name: text(name) })
    }

    fn finish(self) -> Result<ReleaseRule, RuleTextError> {
        let known = self.logs.iter().map(|log| &log.key).chain(self.witnesses()).cloned().collect();
        let quorum = self.quorum.ok_or(RuleTextError::NoQuorum)?;
        Ok(ReleaseRule { logs: self.logs, nodes: self.nodes, quorum, known })
    }
}

fn read_key(line: usize, key: &[u8], kind: KeyType) -> Result<VerifierKey, RuleTextError> {
    // A key's name is part of signed notes, which are UTF-8.
    let key = std::str::from_utf8(key).map_err(|_| KeyError::Form);
    let key = key.and_then(str::parse::<VerifierKey>);
    let key = key.map_err(|problem| RuleTextError::Key { line, problem })?;
    if key.key_type() == kind { Ok(key) } else { Err(RuleTextError::KeyType { line }) }
}

/// How a name or URL is shown; one that is not UTF-8 cannot be shown as it is.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
