//! The record's format, without input or output: Merkle tree, tiles, signed notes, checkpoints, cosignatures, the
//! witness rule, the release rule, receipts, entries, sealed details, and a reader that checks a published record.
//!
//! Follows RFC 6962 (tree), RFC 8785 (JSON) and the C2SP documents tlog-tiles, tlog-checkpoint, signed-note,
//! tlog-cosignature, tlog-witness, tlog-policy and tlog-proof, so that other people's verifiers accept what is written
//! here.
//!
//! **Absent, on purpose:** files, sockets, clocks, randomness, threads. Time, salts, nonces and seeds are arguments;
//! stored bytes come through [`reader::Source`].

pub mod brake;
pub mod checkpoint;
pub mod detail;
pub mod entry;
pub mod hash;
pub mod json;
pub mod note;
pub mod proof;
pub mod reader;
pub mod rule;
pub mod tile;
pub mod tree;
pub mod witness;
