//! What a profile may write, and how. INSERT, UPDATE and DELETE go through its views, which PostgreSQL passes on to the
//! base table with the rights of the views' owner: column by column, and for rows of the profile's scope alone, before
//! and after. `COPY … FROM` cannot go through a plain view: it goes to a relation of the same name in a schema of its
//! own, from which nothing can be read, and whose trigger inserts with the same owner's rights. Not here: what may be
//! read (`views`).

use policy::{Bundle, ProfileTable};

use crate::names::{list, quoted, relation};
use crate::tables::printed;
use crate::views::Compiled;

/// Roles and schemas of one profile.
pub(crate) struct Named<'a> {
    /// Of the views.
    pub(crate) schema: &'a str,
    /// Of the relations that COPY goes to.
    pub(crate) copies: &'a str,
    /// Owns the views.
    pub(crate) owner: &'a str,
    /// Has the pool roles as members.
    pub(crate) readers: &'a str,
}

/// The policies by which an owner writes: (suffix of the name, command, whether it has USING, WITH CHECK).
const COMMANDS: [(&str, &str, bool, bool); 3] =
    [("insert", "INSERT", false, true), ("update", "UPDATE", true, true), ("delete", "DELETE", true, false)];

/// A row-level security policy for writing.
pub(crate) struct WritePolicy {
    pub(crate) name: String,
    pub(crate) command: &'static str,
    pub(crate) using: bool,
    pub(crate) check: bool,
}

/// The policies that an owner needs beside the one for reading.
pub(crate) fn policies(owner: &str, shown: &ProfileTable) -> Vec<WritePolicy> {
    let writes = &shown.writes;
    let needed = [!writes.insert.is_empty(), !writes.update.is_empty(), writes.delete];
    let named = |(suffix, command, using, check): (&str, &'static str, bool, bool)| WritePolicy {
        name: format!("{owner}_{suffix}"),
        command,
        using,
        check,
    };
    let needed = COMMANDS.into_iter().zip(needed).filter(|(_, needed)| *needed);
    needed.map(|(command, _)| named(command)).collect()
}

/// Everything that lets a profile write one table.
pub(crate) fn let_write(
    bundle: &Bundle,
    shown: &ProfileTable,
    compiled: &Compiled,
    named: &Named<'_>,
    ddl: &mut Vec<String>,
) {
    let base = relation(&bundle.catalog().schema, &shown.table);
    let view = relation(named.schema, &shown.table);
    let privileges = privileges(shown).join(", ");
    ddl.push(format!("GRANT {privileges} ON {base} TO {}", quoted(named.owner)));
    ddl.push(format!("GRANT {privileges} ON {view} TO {}", quoted(named.readers)));
    let rows = compiled.rows.get(&shown.table).map_or("false", String::as_str);
    for policy in policies(named.owner, shown) {
        let using = if policy.using { format!(" USING ({rows})") } else { String::new() };
        let check = if policy.check { format!(" WITH CHECK ({rows})") } else { String::new() };
        ddl.push(format!(
            "CREATE POLICY {} ON {base} FOR {} TO {}{using}{check}",
            quoted(&policy.name),
            policy.command,
            quoted(named.owner)
        ));
    }
    if !shown.writes.insert.is_empty() {
        add_copy(bundle, shown, named, ddl);
    }
}

fn privileges(shown: &ProfileTable) -> Vec<String> {
    let writes = &shown.writes;
    let of = |privilege: &str, columns: &[String]| {
        let columns = list(columns.iter().map(String::as_str));
        (!columns.is_empty()).then(|| format!("{privilege} ({columns})"))
    };
    let delete = writes.delete.then(|| "DELETE".to_owned());
    [of("INSERT", &writes.insert), of("UPDATE", &writes.update), delete].into_iter().flatten().collect()
}

/// Runs as the owner of the profile's views, so that grants and policies are those of any other INSERT.
fn add_copy(bundle: &Bundle, shown: &ProfileTable, named: &Named<'_>, ddl: &mut Vec<String>) {
    let (copy, owner) = (relation(named.copies, &shown.table), quoted(named.owner));
    ddl.extend([
        format!("CREATE VIEW {copy} AS {}", copy_query(shown)),
        format!("ALTER VIEW {copy} OWNER TO {owner}"),
        format!("GRANT INSERT ON {copy} TO {}", quoted(named.readers)),
        format!(
            "CREATE FUNCTION {copy}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS $body${}$body$",
            copy_source(bundle, shown)
        ),
        format!("REVOKE ALL ON FUNCTION {copy}() FROM PUBLIC"),
        format!("ALTER FUNCTION {copy}() OWNER TO {owner}"),
        copy_trigger(shown, named.copies),
    ]);
}

/// A relation with the columns that a row may be given, and no rows.
pub(crate) fn copy_query(shown: &ProfileTable) -> String {
    let given = shown.columns.iter().filter(|column| shown.writes.insert.contains(&column.name));
    let columns: Vec<String> = given
        .map(|column| format!("NULL::{} AS {}", printed(column.data_type), quoted(&column.name)))
        .collect();
    format!("SELECT {} WHERE false", columns.join(", "))
}

/// What the trigger's function does.
pub(crate) fn copy_source(bundle: &Bundle, shown: &ProfileTable) -> String {
    let given = &shown.writes.insert;
    let values: Vec<String> = given.iter().map(|column| format!("NEW.{}", quoted(column))).collect();
    format!(
        "BEGIN INSERT INTO {} ({}) VALUES ({}); RETURN NEW; END",
        relation(&bundle.catalog().schema, &shown.table),
        list(given.iter().map(String::as_str)),
        values.join(", ")
    )
}

/// The trigger, as PostgreSQL prints it.
pub(crate) fn copy_trigger(shown: &ProfileTable, copies: &str) -> String {
    let copy = relation(copies, &shown.table);
    format!("CREATE TRIGGER copy_in INSTEAD OF INSERT ON {copy} FOR EACH ROW EXECUTE FUNCTION {copy}()")
}
