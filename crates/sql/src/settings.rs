//! Which settings a session may set, reset and show, and to what; and the modes a transaction may begin with.
//!
//! A setting is on the list when it changes only how this session's own results look or how long it waits. Two are
//! held to one value, because with another one PostgreSQL would read a statement differently from the parser that
//! judged it: `client_encoding` (UTF8) and `standard_conforming_strings` (on).

use crate::cleared::{Own, StatementKind};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};
use pg_query::protobuf::VariableSetKind;

/// Longest value of a setting that is passed on.
const VALUE_BYTES_MAX: usize = 256;

/// What a setting may be set to.
#[derive(Clone, Copy)]
enum Values {
    /// Any constant or list of constants.
    Any,
    /// One of these words, compared without case.
    Only(&'static [&'static str]),
}

/// Names of the one encoding that is spoken.
const UTF8: &[&str] = &["utf8", "utf-8", "unicode"];

pub(crate) fn is_utf8(name: &str) -> bool {
    UTF8.iter().any(|known| known.eq_ignore_ascii_case(name))
}

const SETTABLE: &[(&str, Values)] = &[
    ("application_name", Values::Any),
    ("bytea_output", Values::Any),
    ("client_encoding", Values::Only(UTF8)),
    ("datestyle", Values::Any),
    ("default_transaction_isolation", Values::Any),
    ("extra_float_digits", Values::Any),
    ("idle_in_transaction_session_timeout", Values::Any),
    ("intervalstyle", Values::Any),
    // asyncpg switches it off while it looks up types.
    ("jit", Values::Any),
    ("lock_timeout", Values::Any),
    ("standard_conforming_strings", Values::Only(&["on", "true", "1", "yes"])),
    ("statement_timeout", Values::Any),
    ("timezone", Values::Any),
    ("transaction_isolation", Values::Any),
    ("transaction_read_only", Values::Only(&["on", "true", "1", "yes"])),
];

/// What may be shown besides what may be set.
const SHOWABLE: &[&str] = &[
    "block_size",
    "default_table_access_method",
    "default_transaction_deferrable",
    "default_transaction_read_only",
    "escape_string_warning",
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "lc_collate",
    "lc_ctype",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "max_identifier_length",
    "max_index_keys",
    "search_path",
    "server_encoding",
    "server_version",
    "server_version_num",
    "session_authorization",
    "transaction_deferrable",
];

fn settable(name: &str) -> Option<Values> {
    SETTABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, values)| *values)
}

/// Whether the value of the setting may be shown, by SHOW or by `current_setting`.
pub(crate) fn showable(name: &str) -> bool {
    settable(name).is_some() || SHOWABLE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What the gate answers by itself, never PostgreSQL.
const OWN: &[(&str, Own)] = &[
    ("trefoil.session", Own::Session),
    ("trefoil.profile", Own::Profile),
    ("trefoil.last_entry", Own::LastEntry),
];

/// Judges `SHOW name`.
pub(crate) fn show(statement: &Node) -> Result<StatementKind, Refusal> {
    let name = statement.text("name");
    if let Some((_, own)) = OWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(StatementKind::ShowOwn(*own));
    }
    if showable(name) {
        return Ok(StatementKind::Show);
    }
    Err(Refusal::new(
        "show",
        format!("the setting \"{name}\" may not be shown"),
        "ask for one of the settings that clients need, such as server_version or timezone",
    ))
}

/// Judges `SET`, `SET LOCAL`, `RESET`, `SET TRANSACTION` and `SET SESSION CHARACTERISTICS`.
pub(crate) fn set(rules: &Rules<'_>, statement: &Node) -> Result<(), Refusal> {
    let name = statement.text("name");
    let kind = match statement.get("kind") {
        Tree::Int(kind) => i32::try_from(*kind).ok().and_then(|kind| VariableSetKind::try_from(kind).ok()),
        _ => None,
    };
    match kind {
        Some(VariableSetKind::VarSetMulti) if matches!(name, "TRANSACTION" | "SESSION CHARACTERISTICS") => {
            modes(rules, statement.list("args"))
        }
        Some(VariableSetKind::VarSetValue) => match settable(name) {
            Some(values) => value(name, values, statement.list("args")),
            None => Err(unknown(name)),
        },
        // The default of a transaction's own mode is read-write, whatever the session's default is.
        Some(VariableSetKind::VarSetDefault | VariableSetKind::VarReset)
            if settable(name).is_some() && !name.eq_ignore_ascii_case("transaction_read_only") =>
        {
            Ok(())
        }
        // Back to what the session began with.
        Some(VariableSetKind::VarResetAll) => Ok(()),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::new(
        "setting",
        format!("the setting \"{name}\" may not be set or reset"),
        "leave it as it is: only settings of how this session's own results look or how long it waits may be set",
    )
}

/// Judges `set_config('name', 'value', is_local)`, which is SET by another name. A value that is not there yet may be
/// given as a parameter where any value is allowed.
pub(crate) fn set_config(arguments: &[Tree]) -> Result<(), Refusal> {
    let [name, new, local] = arguments else { return Err(unknown("set_config")) };
    let is_boolean =
        |node: &Node| node.name == "AConst" && node.node("val").is_some_and(|v| v.name == "Boolean");
    let Some(name) = literal(name).filter(|_| local.node().is_some_and(is_boolean)) else {
        return Err(unknown("set_config with anything but constants"));
    };
    if name.eq_ignore_ascii_case("search_path") && literal(new) == Some("") {
        return Err(Refusal::new(
            "dump",
            "search_path may not be set: this is how pg_dump and other programs of administration begin, \
             and the gate serves none of them",
            "COPY (SELECT …) TO STDOUT, or \\copy (SELECT …) to 'file' in psql, for the rows that the profile shows",
        ));
    }
    match (settable(name), new.node().map(|node| node.name)) {
        (Some(Values::Any), Some("ParamRef")) => Ok(()),
        (Some(values), _) => value(name, values, std::slice::from_ref(new)),
        (None, _) => Err(unknown(name)),
    }
}

/// The text of a literal, and nothing else.
pub(crate) fn literal(argument: &Tree) -> Option<&str> {
    let value = argument.node().filter(|node| node.name == "AConst")?.node("val")?;
    (value.name == "String").then(|| value.text("sval"))
}

fn value(name: &str, values: Values, arguments: &[Tree]) -> Result<(), Refusal> {
    let refused = |needs: String| {
        Err(Refusal::new(
            "setting-value",
            format!("the setting \"{name}\" may not be set to this value"),
            needs,
        ))
    };
    let mut words = Vec::new();
    for argument in arguments {
        match constant(argument) {
            Some(word) if word.len() <= VALUE_BYTES_MAX => words.push(word),
            _ => return refused(format!("use constants of at most {VALUE_BYTES_MAX} bytes")),
        }
    }
    match values {
        Values::Any => Ok(()),
        Values::Only(allowed) => match words.as_slice() {
            [word] if allowed.iter().any(|known| known.eq_ignore_ascii_case(word)) => Ok(()),
            _ => refused(format!("use one of: {}", allowed.join(", "))),
        },
    }
}

/// The text of a constant; of `INTERVAL 'x'` the text inside, as `SET TIME ZONE` has it.
fn constant(argument: &Tree) -> Option<String> {
    let node = argument.node()?;
    match node.name {
        "TypeCast" => {
            let parts = node.node("type_name")?.name_parts("names")?;
            matches!(parts.as_slice(), ["pg_catalog", "interval"])
                .then(|| constant(node.get("arg")))
                .flatten()
        }
        "AConst" => scalar(node.node("val")?),
        _ => None,
    }
}

/// The text of a bare value.
pub(crate) fn scalar(value: &Node) -> Option<String> {
    match value.name {
        "String" => Some(value.text("sval").to_owned()),
        "Float" => Some(value.text("fval").to_owned()),
        "Boolean" => Some(value.flag("boolval").to_string()),
        "Integer" => match value.get("ival") {
            Tree::Int(number) => Some(number.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// Judges the modes of `BEGIN`, `SET TRANSACTION` and `SET SESSION CHARACTERISTICS`.
pub(crate) fn modes(rules: &Rules<'_>, options: &[Tree]) -> Result<(), Refusal> {
    for option in options {
        let Some(element) = option.node().filter(|node| node.name == "DefElem") else {
            return Err(unknown("TRANSACTION"));
        };
        let name = element.text("defname");
        let argument = constant(element.get("arg"));
        let fine = match name {
            "transaction_isolation" | "transaction_deferrable" => argument.is_some(),
            "transaction_read_only" => argument.as_deref() == Some("1") || !rules.writable.is_empty(),
            _ => false,
        };
        if !fine {
            return Err(Refusal::new(
                "transaction-mode",
                format!("a transaction may not begin with this mode ({name})"),
                "transactions of this profile are read only; leave READ WRITE out, or say READ ONLY",
            ));
        }
    }
    Ok(())
}
