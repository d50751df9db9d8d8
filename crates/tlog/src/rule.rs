//! The release rule: which signatures a checkpoint must carry before anything is released or believed, as a C2SP
//! tlog-policy file. Reading the file's text is in `rule::text`.

mod text;

use std::fmt;

use thiserror::Error;

pub use text::RuleTextError;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::{NoteError, Signature, SignedNote, SigningKey, VerifierKey};

/// Logs, cosigners and the quorum of cosigners. Displays as a tlog-policy file; names that are not UTF-8, which such a
/// file may have, are shown as well as can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRule {
    logs: Vec<Log>,
    /// In the order of definition: members of a group stand before it.
    nodes: Vec<Node>,
    /// Position in `nodes`; `None` is the quorum `none`.
    quorum: Option<usize>,
    /// The keys of `logs` and `nodes`, for verifying.
    known: Vec<VerifierKey>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Log {
    key: VerifierKey,
    url: Option<String>,
}

/// A witness or a group of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    name: String,
    part: Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// Boxed, because a key is much larger than the rest.
    Witness {
        key: Box<VerifierKey>,
        url: Option<String>,
    },
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

/// Why a checkpoint does not satisfy the rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RuleError {
    #[error("the note is no checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    #[error("{0}")]
    Note(#[from] NoteError),
    #[error("the rule names no log with the origin {origin}; add its line: log <vkey>")]
    UnknownOrigin { origin: String },
    #[error("the log {origin} has not signed the checkpoint")]
    NotSigned { origin: String },
    #[error("the quorum {quorum} is not reached: no cosignature by {}", missing.join(", "))]
    Quorum { quorum: String, missing: Vec<String> },
}

/// A checkpoint that satisfies a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub checkpoint: Checkpoint,
    /// Log and cosigners whose signatures verified.
    pub signers: Vec<Signer>,
}

/// Someone whose signature verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Name of the key.
    pub name: String,
    /// Seconds since 1970, in cosignatures.
    pub time: Option<u64>,
}

impl ReleaseRule {
    /// Reads a tlog-policy file.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<ReleaseRule, RuleTextError> {
        text::parse(text.as_ref())
    }

    /// The rule that one log must sign and every one of `witnesses`, given as (name in the rule, key), must cosign.
    pub fn all_of(
        log: &VerifierKey,
        witnesses: &[(&str, &VerifierKey)],
    ) -> Result<ReleaseRule, RuleTextError> {
        let mut text = format!("log {log}\n");
        for (name, key) in witnesses {
            text.push_str(&format!("witness {name} {key}\n"));
        }
        let names: Vec<_> = witnesses.iter().map(|(name, _)| *name).collect();
        match names.as_slice() {
            [] => text.push_str("quorum none\n"),
            [only] => text.push_str(&format!("quorum {only}\n")),
            all => text.push_str(&format!("group everyone all {}\nquorum everyone\n", all.join(" "))),
        }
        ReleaseRule::parse(text)
    }

    /// The logs that the rule accepts.
    pub fn logs(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter().map(|log| &log.key)
    }

    /// The witnesses by their name in the rule, whether or not the quorum needs them.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &VerifierKey)> {
        self.nodes.iter().filter_map(|node| match &node.part {
            Part::Witness { key, .. } => Some((node.name.as_str(), key.as_ref())),
            Part::Group { .. } => None,
        })
    }

    /// The witnesses that the rule gives an address, whether or not the quorum needs them.
    pub fn addresses(&self) -> impl Iterator<Item = (&VerifierKey, &str)> {
        self.nodes.iter().filter_map(|node| match &node.part {
            Part::Witness { key, url: Some(url) } => Some((key.as_ref(), url.as_str())),
            _ => None,
        })
    }

    /// The checkpoint in the note, if its log signed it and the quorum cosigned it.
    pub fn satisfied_by(&self, note: &SignedNote) -> Result<Checkpoint, RuleError> {
        self.check(note).map(|accepted| accepted.checkpoint)
    }

    /// Whether the checkpoint that its log has signed just now satisfies the rule with these cosignatures: as
    /// [`ReleaseRule::satisfied_by`], but what the caller's own key wrote is not verified.
    pub fn cosigned_by(
        &self,
        own: &SigningKey,
        text: &str,
        cosignatures: &[Signature],
    ) -> Result<(), RuleError> {
        let origin = Checkpoint::parse(text)?.origin;
        if !self.logs.iter().any(|log| log.key == *own.verifier() && *log.key.name() == origin) {
            return Err(RuleError::UnknownOrigin { origin });
        }
        if self.quorum.is_none() {
            return Ok(());
        }
        let note = SignedNote { text: text.to_owned(), signatures: cosignatures.to_vec() };
        let verified = note.verify(&self.known)?;
        self.check_quorum(|key| verified.iter().any(|signature| signature.key == key))
    }

    /// As [`ReleaseRule::satisfied_by`], and who signed.
    pub fn check(&self, note: &SignedNote) -> Result<Accepted, RuleError> {
        let checkpoint = Checkpoint::parse(&note.text)?;
        let origin = &checkpoint.origin;
        if !self.logs.iter().any(|log| log.key.name() == origin) {
            return Err(RuleError::UnknownOrigin { origin: origin.clone() });
        }
        let verified = note.verify(&self.known)?;
        let signed = |key: &VerifierKey| verified.iter().any(|signature| signature.key == key);
        // A log of another name that the rule also accepts cannot speak for this origin.
        if !self.logs.iter().any(|log| log.key.name() == origin && signed(&log.key)) {
            return Err(RuleError::NotSigned { origin: origin.clone() });
        }
        self.check_quorum(signed)?;
        let signers = verified
            .iter()
            .map(|signature| Signer { name: signature.key.name().to_owned(), time: signature.time })
            .collect();
        Ok(Accepted { checkpoint, signers })
    }

    fn check_quorum(&self, signed: impl Fn(&VerifierKey) -> bool) -> Result<(), RuleError> {
        let Some(quorum) = self.quorum else { return Ok(()) };
        let mut reached: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            // Members stand before their group, so their outcome is there already.
            let has = |member: &&usize| reached.get(**member).copied().unwrap_or(false);
            reached.push(match &node.part {
                Part::Witness { key, .. } => signed(key),
                Part::Group { threshold, members } => members.iter().filter(has).count() >= *threshold,
            });
        }
        if reached.get(quorum).copied().unwrap_or(false) {
            return Ok(());
        }
        let missing = self.witnesses().filter(|(_, key)| !signed(key)).map(|(name, _)| name.to_owned());
        Err(RuleError::Quorum {
            quorum: self.nodes.get(quorum).map_or_else(String::new, |node| node.name.clone()),
            missing: missing.collect(),
        })
    }
}

impl fmt::Display for ReleaseRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, start: String, url: &Option<String>| match url {
            Some(url) => writeln!(f, "{start} {url}"),
            None => writeln!(f, "{start}"),
        };
        for log in &self.logs {
            line(f, format!("log {}", log.key), &log.url)?;
        }
        for node in &self.nodes {
            match &node.part {
                Part::Witness { key, url } => line(f, format!("witness {} {key}", node.name), url)?,
                Part::Group { threshold, members } => {
                    write!(f, "group {}", node.name)?;
                    match *threshold {
                        all if all == members.len() => write!(f, " all")?,
                        1 => write!(f, " any")?,
                        some => write!(f, " {some}")?,
                    }
                    for member in members.iter().filter_map(|member| self.nodes.get(*member)) {
                        write!(f, " {}", member.name)?;
                    }
                    writeln!(f)?;
                }
            }
        }
        let quorum = self.quorum.and_then(|quorum| self.nodes.get(quorum));
        writeln!(f, "quorum {}", quorum.map_or(text::NONE, |node| &node.name))
    }
}

#[cfg(test)]
mod tests;
