//! COPY TO STDOUT of a read, and COPY FROM STDIN into columns that the profile writes. Not here: files and programs of
//! the site, which are refused, and the counting of rows (the gate's meter), which needs the options that are read here.

use pg_query::protobuf::Token;

use crate::cleared::{CopyFormat, CopyOptions, Copying, StatementKind};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::tree::{Node, Tree};
use crate::{settings, walk, writes};

/// Longest text that stands for NULL.
const NULL_BYTES_MAX: usize = 64;

/// Judges COPY; `text` is the statement's own part of the text.
pub(crate) fn judge(rules: &Rules<'_>, copy: &Node, text: &str) -> Result<(StatementKind, Copying), Refusal> {
    if copy.flag("is_program") || !copy.text("filename").is_empty() {
        return Err(refused(
            "COPY to or from a file or a program of the site is not allowed",
            "COPY (SELECT …) TO STDOUT, or \\copy (SELECT …) to 'file' in psql, which writes at your side",
        ));
    }
    let options = options(copy)?;
    let format = options.format;
    if copy.flag("is_from") {
        let columns = into(rules, copy)?;
        return Ok((StatementKind::CopyIn(format), Copying { options, query: None, columns }));
    }
    let query = copy.node("query").ok_or_else(by_name)?;
    if query.name != "SelectStmt" {
        return Err(refused("COPY of a statement that writes is not allowed", "send the write by itself"));
    }
    walk::read(rules, copy.get("query"))?;
    let query = Some(inner(rules, text)?);
    Ok((StatementKind::CopyOut(format), Copying { options, query, columns: Vec::new() }))
}

fn refused(what: impl Into<String>, needs: impl Into<String>) -> Refusal {
    Refusal::new("copy", what, needs)
}

/// What a profile shows are views, and PostgreSQL copies tables alone by name.
fn by_name() -> Refusal {
    refused(
        "COPY of a relation by its name is not possible: what is shown are views",
        "COPY (SELECT … FROM the relation) TO STDOUT, or in psql \\copy (SELECT …) to 'file'",
    )
}

/// The columns that COPY FROM fills.
fn into(rules: &Rules<'_>, copy: &Node) -> Result<Vec<String>, Refusal> {
    if *copy.get("where_clause") != Tree::Absent {
        return Err(refused(
            "COPY FROM with a WHERE clause is not allowed",
            "leave out the rows before sending",
        ));
    }
    let target = writes::target(rules, copy)?;
    let named =
        copy.name_parts("attlist").ok_or_else(|| refused("a column has no name", "name the columns"))?;
    writes::insert_columns(rules, &target, named)
}

/// The text of the query in parentheses. It is judged by itself, because it may be sent by itself to be described.
fn inner(rules: &Rules<'_>, text: &str) -> Result<String, Refusal> {
    let slice =
        between_parentheses(text).ok_or_else(|| crate::unparsable(&"the query of COPY has no end"))?;
    let alone = crate::judge_by(rules, slice)?;
    match alone.statements() {
        [only] if only.kind() == StatementKind::Read => Ok(alone.sent().to_owned()),
        _ => Err(crate::unparsable(&"the query of COPY reads differently by itself")),
    }
}

fn between_parentheses(text: &str) -> Option<&str> {
    let scanned = pg_query::scan(text).ok()?;
    let comments = [Token::SqlComment as i32, Token::CComment as i32];
    let mut tokens = scanned.tokens.iter().filter(|token| !comments.contains(&token.token));
    let (copy, open) = (tokens.next()?, tokens.next()?);
    if copy.token != Token::Copy as i32 || open.token != Token::Ascii40 as i32 {
        return None;
    }
    let mut depth = 1_usize;
    for token in tokens {
        if token.token == Token::Ascii40 as i32 {
            depth = depth.checked_add(1)?;
        } else if token.token == Token::Ascii41 as i32 {
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 {
            return text.get(usize::try_from(open.end).ok()?..usize::try_from(token.start).ok()?);
        }
    }
    None
}

fn options(copy: &Node) -> Result<CopyOptions, Refusal> {
    let mut format = CopyFormat::Text;
    let (mut delimiter, mut null, mut quote, mut escape) = (None, None, None, None);
    let mut header = false;
    for option in copy.list("options") {
        let Some(element) = option.node().filter(|node| node.name == "DefElem") else {
            return Err(refused("an option of COPY has no name", "leave it out"));
        };
        let (name, value) = (element.text("defname"), element.node("arg").and_then(settings::scalar));
        let unfit =
            || refused(format!("the COPY option \"{name}\" may not have this value"), "another value");
        match name {
            "format" => {
                format = match value.as_deref() {
                    Some("text") => CopyFormat::Text,
                    Some("csv") => CopyFormat::Csv,
                    Some("binary") => CopyFormat::Binary,
                    _ => return Err(unfit()),
                }
            }
            "delimiter" => delimiter = Some(byte(value.as_deref()).ok_or_else(unfit)?),
            "quote" => quote = Some(byte(value.as_deref()).ok_or_else(unfit)?),
            "escape" => escape = Some(byte(value.as_deref()).ok_or_else(unfit)?),
            "null" => null = Some(value.filter(|v| v.len() <= NULL_BYTES_MAX).ok_or_else(unfit)?),
            "header" => header = has_header(element, value.as_deref()).ok_or_else(unfit)?,
            "encoding" if value.as_deref().is_some_and(settings::is_utf8) => {}
            "force_quote" | "force_not_null" | "force_null" => {}
            _ => {
                return Err(refused(
                    format!("the COPY option \"{name}\" is not allowed, or not with this value"),
                    "format, delimiter, null, header, quote, escape, force_quote, and encoding UTF8",
                ));
            }
        }
    }
    let (delimiter_else, null_else) = if format == CopyFormat::Csv { (b',', "") } else { (b'\t', "\\N") };
    let quote = quote.unwrap_or(b'"');
    Ok(CopyOptions {
        format,
        delimiter: delimiter.unwrap_or(delimiter_else),
        null: null.unwrap_or_else(|| null_else.to_owned()),
        header,
        quote,
        escape: escape.unwrap_or(quote),
    })
}

fn byte(value: Option<&str>) -> Option<u8> {
    match value?.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

/// `HEADER` alone, or with a word of truth; MATCH, for COPY FROM, is a header too.
fn has_header(element: &Node, value: Option<&str>) -> Option<bool> {
    if *element.get("arg") == Tree::Absent {
        return Some(true);
    }
    match value?.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" | "match" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}
