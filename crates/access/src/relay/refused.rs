//! Statements that do not run, and why: what the client is told and what is recorded. Not here: verdicts (crate
//! `sql`), the errors of statements that ran (`shown`).

use sql::Refusal;
use tlog::detail::Stage;
use wire::backend::{self, Report, Severity};

/// A statement that does not run, and why.
#[derive(Debug, Clone)]
pub struct Refused {
    /// Statement (our verdict) or wall (PostgreSQL, or a name that nobody prepared).
    pub stage: Stage,
    pub text: Option<String>,
    pub rule: String,
    pub sentence: String,
    needs: String,
}

impl Refused {
    /// How much an entry's detail grows by this.
    pub fn detail_bytes(&self) -> usize {
        self.text.as_ref().map_or(0, String::len).saturating_add(256)
    }

    /// By the verdict on its text.
    pub fn by_verdict(text: &str, refusal: Refusal) -> Self {
        Self {
            stage: Stage::Statement,
            text: Some(recorded(text).to_owned()),
            rule: refusal.rule.to_owned(),
            sentence: refusal.sentence,
            needs: refusal.needs,
        }
    }

    /// By PostgreSQL's privileges, or because what it names is not there.
    pub fn by_the_wall(text: Option<String>, sqlstate: &str, profile: &str) -> Self {
        let sentence = format!(
            "the statement names something that profile \"{profile}\" does not show (PostgreSQL {sqlstate})"
        );
        let needs = "Name only what this profile shows (\\d lists it), or ask for another purpose; policy decides \
                     what each shows.";
        Self { text, ..Self::wall("not-shown", sentence, needs) }
    }

    /// What the record could not name.
    pub fn unknown(what: &str, name: &str) -> Self {
        let sentence = format!("the gate knows no {what} \"{name}\", so it could not record what runs");
        let needs =
            "Parse and bind it in this session first; what SQL's PREPARE makes is run by SQL's EXECUTE.";
        Self::wall("unknown-name", sentence, needs)
    }

    /// The fast-path call.
    pub fn function_call() -> Self {
        let sentence = "the fast-path function call runs functions without a statement that could be judged";
        Self::wall("function-call", sentence.into(), "Call the function in a SELECT.")
    }

    /// EXECUTE, FETCH or MOVE of what Parse prepared or Bind bound, and more than a read.
    pub fn more_than_a_read(text: &str) -> Self {
        let sentence =
            "EXECUTE, FETCH and MOVE run reads; what writes or commits has an entry before it runs";
        let needs = "Bind and Execute it by the name under which it was parsed.";
        Self { text: Some(recorded(text).to_owned()), ..Self::wall("unrecorded", sentence.into(), needs) }
    }

    /// A parameter of a type whose values are names of a site's objects: an error would tell which there are.
    pub fn parameter_of_a_name(text: &str) -> Self {
        let sentence = "a parameter is declared as the name of a site's object (regclass and its kin)";
        let refused = Self::wall("name-type", sentence.into(), "Declare it as text, or leave its type open.");
        Self { text: Some(recorded(text).to_owned()), ..refused }
    }

    /// A setting of the gate's own among other statements.
    pub fn own_among_others() -> Self {
        let sentence = "what the gate itself shows cannot be asked for among other statements of one text";
        Self::wall("own-show", sentence.into(), "Send SHOW trefoil.… by itself.")
    }

    fn wall(rule: &str, sentence: String, needs: &str) -> Self {
        Self { stage: Stage::Wall, text: None, rule: rule.into(), sentence, needs: needs.into() }
    }

    /// Writes the error, with the number of its entry.
    pub fn say(&self, out: &mut Vec<u8>, profile: &str, entry: u64) {
        let message =
            format!("refused: {} (rule {}; profile \"{profile}\"; entry {entry})", self.sentence, self.rule);
        let report = Report {
            severity: Severity::Error,
            sqlstate: "42501",
            message: &message,
            detail: None,
            hint: Some(&self.needs),
        };
        backend::error_response(out, &report);
    }
}

/// As much of a refused text as a detail has room for: one that is too long still is.
fn recorded(text: &str) -> &str {
    let end = (sql::STATEMENT_BYTES_MAX + 1..text.len()).find(|at| text.is_char_boundary(*at));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}
