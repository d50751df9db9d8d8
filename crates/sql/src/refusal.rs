//! What a refused statement is answered with: the rule, a sentence, and what would be needed. Not in this room: how
//! it is put on the wire (the gate does, always as SQLSTATE 42501) and what is written in the record.

/// A refused statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence} (rule {rule}; needed: {needs})")]
pub struct Refusal {
    /// The rule's stable name, such as `relation` or `function`.
    pub rule: &'static str,
    /// One sentence saying what was refused. It quotes names of the statement, never values.
    pub sentence: String,
    /// What would be needed for it to pass, or what to do instead.
    pub needs: String,
}

impl Refusal {
    pub(crate) fn new(rule: &'static str, sentence: impl Into<String>, needs: impl Into<String>) -> Refusal {
        Refusal { rule, sentence: sentence.into(), needs: needs.into() }
    }
}
