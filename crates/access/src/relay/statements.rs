//! What a session has prepared and bound, so that every Execute can be recorded with its text and parameters.
//! Not here: verdicts (crate `sql`); only texts that were cleared get in.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tlog::detail::Statement;
use wire::codec::Format;

use crate::fault::Fault;

/// Prepared statements and portals of a session together.
const NAMES_MAX: usize = 4_096;
/// Texts and parameters that a session may have prepared and bound.
const PREPARED_BYTES_MAX: usize = 16_777_216;
/// A longer parameter is recorded by its digest.
const PARAMETER_BYTES_MAX: usize = 16_384;

/// Names of the extended protocol and what they stand for.
#[derive(Debug, Default)]
pub struct Names {
    prepared: HashMap<String, Arc<str>>,
    portals: HashMap<String, Bound>,
    bytes: usize,
}

/// A portal: a statement with its parameters.
#[derive(Debug, Clone)]
pub struct Bound {
    text: Arc<str>,
    parameters: Arc<[Option<String>]>,
}

impl Names {
    /// Remembers a cleared text under a name; the empty name is replaced at will.
    pub fn prepare(&mut self, name: &str, text: &str) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(name.len() + text.len());
        if let Some(old) = self.prepared.insert(name.to_owned(), text.into()) {
            self.bytes = self.bytes.saturating_sub(name.len() + old.len());
        }
        self.check_bounds()
    }

    /// Remembers a portal. A statement that is not known here is not known to the site either, which will say so.
    pub fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameters: Vec<Option<String>>,
    ) -> Result<(), Fault> {
        let Some(text) = self.prepared.get(statement).cloned() else {
            return Ok(());
        };
        let bound = Bound { text, parameters: parameters.into() };
        self.bytes = self.bytes.saturating_add(bound.bytes() + portal.len());
        if let Some(old) = self.portals.insert(portal.to_owned(), bound) {
            self.bytes = self.bytes.saturating_sub(old.bytes() + portal.len());
        }
        self.check_bounds()
    }

    /// The text of a prepared statement.
    pub fn text(&self, statement: &str) -> Option<Arc<str>> {
        self.prepared.get(statement).cloned()
    }

    /// What a portal stands for.
    pub fn portal(&self, portal: &str) -> Option<Bound> {
        self.portals.get(portal).cloned()
    }

    /// Forgets a prepared statement.
    pub fn close_statement(&mut self, name: &str) {
        if let Some(old) = self.prepared.remove(name) {
            self.bytes = self.bytes.saturating_sub(name.len() + old.len());
        }
    }

    /// Forgets a portal.
    pub fn close_portal(&mut self, name: &str) {
        if let Some(old) = self.portals.remove(name) {
            self.bytes = self.bytes.saturating_sub(old.bytes() + name.len());
        }
    }

    fn check_bounds(&self) -> Result<(), Fault> {
        if self.prepared.len() + self.portals.len() > NAMES_MAX || self.bytes > PREPARED_BYTES_MAX {
            let message = format!(
                "more than {NAMES_MAX} prepared statements and portals, or {PREPARED_BYTES_MAX} bytes of them, in one session"
            );
            return Err(Fault::client("54000", message, Some("Close statements that are no longer used.")));
        }
        Ok(())
    }
}

impl Bound {
    fn bytes(&self) -> usize {
        let parameters: usize = self.parameters.iter().flatten().map(String::len).sum();
        parameters + self.parameters.len() * size_of::<Option<String>>()
    }

    /// The record of one execution.
    pub fn statement(&self) -> Statement {
        record_of(&self.text, self.parameters.to_vec())
    }
}

/// The record of a statement that has not answered yet.
pub fn record_of(text: &str, parameters: Vec<Option<String>>) -> Statement {
    Statement { text: text.to_owned(), parameters, rows: 0, bytes: 0, tag: None, error: None }
}

/// A parameter as the record shows it: text as it is, binary as `\\x…`, a large one by its digest.
pub fn shown_parameter(format: Format, value: Option<&[u8]>) -> Option<String> {
    let value = value?;
    if value.len() > PARAMETER_BYTES_MAX {
        return Some(format!("sha256 {} of {} bytes", hex(&Sha256::digest(value)), value.len()));
    }
    match std::str::from_utf8(value) {
        Ok(text) if format == Format::Text => Some(text.to_owned()),
        _ => Some(format!("\\x{}", hex(value))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
