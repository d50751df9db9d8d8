//! Edits of `directory.toml` that leave everything else in it as it was: comments, order, spaces. Not here: whether
//! what comes out is a directory (crate `policy`).

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value, value};

/// A principal as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written<'a> {
    pub(super) name: &'a str,
    pub(super) display: &'a str,
    pub(super) kind: &'a str,
    pub(super) employer: &'a str,
    pub(super) office: &'a str,
    pub(super) roles: &'a [String],
}

/// Why a file cannot be edited here.
#[derive(Debug, thiserror::Error)]
pub(super) enum EditError {
    #[error("directory.toml cannot be read: {0}")]
    Toml(#[from] toml_edit::TomlError),
    #[error("directory.toml has no [[principals]]; write each principal under a [[principals]] of its own")]
    Shape,
}

/// The text with one more principal, at the end.
pub(super) fn with(text: &str, new: &Written<'_>) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let mut table = Table::new();
    for (key, text) in [
        ("name", new.name),
        ("display", new.display),
        ("kind", new.kind),
        ("employer", new.employer),
        ("office", new.office),
    ] {
        table.insert(key, value(text));
    }
    table.insert("roles", value(Value::Array(new.roles.iter().map(String::as_str).collect::<Array>())));
    table.decor_mut().set_prefix("\n");
    principals(&mut document)?.push(table);
    Ok(document.to_string())
}

/// The text without the principal of this name, and without the comment above it; none when there is no such principal.
pub(super) fn without(text: &str, name: &str) -> Result<Option<String>, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let principals = principals(&mut document)?;
    let named = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    let before = principals.len();
    principals.retain(|table| !named(table));
    Ok((principals.len() < before).then(|| document.to_string()))
}

fn principals(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, EditError> {
    // `principals = []` is how a directory says that it is empty.
    let empty = document.get("principals").and_then(Item::as_array).is_some_and(Array::is_empty);
    if empty {
        document.insert("principals", Item::ArrayOfTables(ArrayOfTables::new()));
    }
    document.get_mut("principals").and_then(Item::as_array_of_tables_mut).ok_or(EditError::Shape)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    const NEW: Written<'_> = Written {
        name: "niamh",
        display: "Niamh \"N\" Ryan",
        kind: "person",
        employer: "fernway",
        office: "ireland",
        roles: &[],
    };
    const ADDED: &str = "\n[[principals]]\nname = \"niamh\"\ndisplay = 'Niamh \"N\" Ryan'\nkind = \"person\"\n\
                         employer = \"fernway\"\noffice = \"ireland\"\nroles = []\n";

    /// Before, and what is left of it without `aoife`.
    const CASES: &[(&str, Option<&str>)] = &[
        ("# Empty.\nroles = [ 'a',  ]   # odd spaces\nemployers = []\nprincipals = []\n", None),
        (
            "roles = [\"a\"] # kept\n\n# The only one.\n[[principals]]\nname   = \"aoife\"\n# odd\n roles = [ ]\n",
            Some("roles = [\"a\"] # kept\n"),
        ),
        (
            "roles = []\n\n[[principals]]\nname = \"aoife\"\n\n# Lukas, of Germany.\n[[principals]]\nname = 'lukas' # him\n\
             \n# The end.\n",
            Some("roles = []\n\n# Lukas, of Germany.\n[[principals]]\nname = 'lukas' # him\n\n# The end.\n"),
        ),
    ];

    #[test]
    fn the_rest_of_the_file_stays_as_it_was() {
        for (text, left) in CASES {
            assert_eq!(without(text, "aoife").unwrap().as_deref(), *left, "{text}");
            let more = with(text, &NEW).unwrap();
            assert_eq!(without(&more, "niamh").unwrap().as_deref(), Some(with_no_empty_array(text).as_str()));
            assert!(more.contains(ADDED), "{more}");
        }
        assert!(with("principals = [{ name = \"aoife\" }]", &NEW).is_err());
        assert!(with("principals = [", &NEW).is_err());
    }

    fn with_no_empty_array(text: &str) -> String {
        text.replace("principals = []\n", "")
    }
}
