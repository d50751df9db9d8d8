//! Breaches: what the gate posted and the monitor would not have decided. The batch is refused and nothing of it is
//! kept, so that the proof goes into the incident itself. Finding them belongs to `entries` and `monitor`.

use std::collections::HashMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use tlog::{
    detail::{About, Exhibit, Severity},
    entry::Micros,
    hash::{Hash, leaf_hash, node_hash},
    note::SignedNote,
    proof::Receipt,
    tree::{Frontier, Hashes, inclusion_proof},
};

use super::store::Found;
use crate::{
    batch::{Batch, Item},
    detect::{
        finding::said,
        mismatch::{self, is_about_decisions},
        order,
    },
};

/// The longest sealed detail that is kept with an incident.
const BLOB_BYTES_MAX: usize = 65_536;

/// What kind of rule the gate broke: a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Breach {
    /// Two trees of one log: signed checkpoints that cannot both be true.
    Fork,
    /// An entry that is not one.
    Malformed,
    /// A kind of entry that this gate has no business writing.
    Unexpected,
    /// A time that runs backwards, or away from the monitor's clock.
    Clock,
    /// A detail that is missing, does not open, is not what was committed to, or contradicts its entry.
    Detail,
    /// A keyed hash of a principal or a request that is not that of the detail.
    Identity,
    /// A policy, profile, place or decision other than the monitor's own.
    Decision,
    /// A statement released that is refused, or refused that is cleared.
    Verdict,
    /// An entry out of its session's order.
    Session,
    /// Counts that do not add up.
    Count,
    /// A day key that is not one.
    Key,
    /// A brake that is none of the monitor's, or that the gate has carried out and does not keep.
    Brake,
}

impl Breach {
    pub fn as_str(self) -> &'static str {
        match self {
            Breach::Fork => "fork",
            Breach::Malformed => "malformed",
            Breach::Unexpected => "unexpected",
            Breach::Clock => "clock",
            Breach::Detail => "detail",
            Breach::Identity => "identity",
            Breach::Decision => "decision",
            Breach::Verdict => "verdict",
            Breach::Session => "session",
            Breach::Count => "count",
            Breach::Key => "key",
            Breach::Brake => "brake",
        }
    }
}

/// Why an entry is not cosigned.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub breach: Breach,
    /// One sentence: what the entry says and what the monitor found.
    pub reason: String,
}

impl Fault {
    pub fn new(breach: Breach, reason: impl Into<String>) -> Fault {
        Fault { breach, reason: reason.into() }
    }

    /// What is kept of it: the entry at `index`, the gate that wrote it, and what proves it.
    pub fn found(&self, index: u64, gate: Option<String>, exhibit: Exhibit, now: Micros) -> Found {
        // The same words as the detectors', whose finding of the same breach then adds nothing.
        let (detector, baseline) = match is_about_decisions(self.breach) {
            true => (mismatch::NAME, "the monitor's own decision"),
            false => (order::NAME, "what was posted before"),
        };
        let reason = said(self.breach.as_str(), self.reason.clone(), baseline);
        Found {
            detector: detector.to_owned(),
            severity: Severity::Critical,
            about: About { gate, ..About::default() },
            at: now,
            evidence: vec![index],
            reasons: vec![reason],
            exhibit: Some(exhibit),
        }
    }
}

/// The exhibit of an entry that is refused: the log signed it, and here is the proof that it did.
pub fn exhibit(tree: &Frontier, batch: &Batch<'_>, item: &Item<'_>, index: u64) -> Exhibit {
    let blob = item.blob.filter(|blob| blob.len() <= BLOB_BYTES_MAX);
    Exhibit {
        entry: Some(String::from_utf8_lossy(item.entry).into_owned()),
        blob: blob.map(|blob| STANDARD.encode(blob)),
        checkpoint: batch.note.to_owned(),
        proof: receipt(tree, batch, item, index),
        held: None,
    }
}

/// The exhibit of a fork: two checkpoints of one log.
pub fn fork(note: &str, held: &str) -> Exhibit {
    Exhibit {
        entry: None,
        blob: None,
        checkpoint: note.to_owned(),
        proof: None,
        held: Some(held.to_owned()).filter(|held| !held.is_empty()),
    }
}

/// A receipt for an entry of a batch that makes the tree which its checkpoint signs.
fn receipt(tree: &Frontier, batch: &Batch<'_>, item: &Item<'_>, index: u64) -> Option<String> {
    let leaves = batch.items.iter().map(|item| leaf_hash(item.entry));
    let nodes = Grown::new(tree, leaves);
    let hashes = inclusion_proof(&nodes, index, nodes.size).ok()?;
    let note = SignedNote::parse(batch.note).ok()?;
    Some(Receipt { extra: Some(item.entry.to_vec()), index, hashes, note }.to_string())
}

/// A tree of which only the right edge is known, and what was appended to it: enough to prove what was appended.
struct Grown {
    size: u64,
    nodes: HashMap<(u8, u64), Hash>,
}

impl Grown {
    fn new(tree: &Frontier, leaves: impl Iterator<Item = Hash>) -> Grown {
        let mut grown = Grown { size: tree.size(), nodes: HashMap::new() };
        // The peaks are the complete subtrees that the ones in the size's binary stand for, largest first.
        let mut start = 0u64;
        let levels = (0..64u8).rev().filter(|level| tree.size() >> level & 1 == 1);
        for (level, peak) in levels.zip(tree.peaks()) {
            grown.nodes.insert((level, start >> level), *peak);
            start += 1 << level;
        }
        leaves.for_each(|leaf| grown.push(leaf));
        grown
    }

    fn push(&mut self, leaf: Hash) {
        let (mut level, mut index, mut node) = (0u8, self.size, leaf);
        self.nodes.insert((level, index), node);
        while index % 2 == 1 {
            let Some(left) = self.nodes.get(&(level, index - 1)) else { break };
            node = node_hash(left, &node);
            (level, index) = (level + 1, index / 2);
            self.nodes.insert((level, index), node);
        }
        self.size += 1;
    }
}

impl Hashes for Grown {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.nodes.get(&(level, index)).copied()
    }
}
