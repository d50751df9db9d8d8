//! What a result shows, as far as its description tells: which columns hold subjects' keys, and which classes there
//! are. Not here: the rows (`counter`).

use policy::Class;
use sql::{CopyFormat, CopyOptions, Counting, Reads};
use wire::backend::RowDescription;
use wire::codec::Format;

use super::views::{Relations, Whose};

/// OIDs of the types that a subject's key can have: PostgreSQL never changes them.
const INT8: u32 = 20;
const INT4: u32 = 23;
const TEXT: u32 = 25;

/// What a result shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Columns with keys of subjects, by their place in the row.
    pub(super) keys: Vec<Key>,
    pub(super) counting: Counting,
    /// How many rows of the profile's relations one row of the result shows at most.
    pub(super) rows_most: u64,
    /// The classes shown; `None` when some of what is shown has no known origin.
    classes: Option<Vec<Class>>,
    /// How rows are written when COPY writes them.
    pub(super) copy: Option<CopyOptions>,
}

/// A column with keys of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub index: usize,
    pub whose: Whose,
    type_oid: u32,
    format: Format,
}

/// How a key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It is text.
    Text,
    /// Eight bytes, signed.
    Int8,
    /// Four bytes, signed.
    Int4,
}

impl Shape {
    /// The shape of a statement's result, in the formats that its description names.
    pub fn of(description: &RowDescription<'_>, relations: &Relations, reads: &Reads) -> Self {
        let mut shape = Self { rows_most: reads.rows_most, ..Self::nothing() };
        if reads.subjects == Counting::None {
            return shape;
        }
        shape.counting = reads.subjects;
        let mut classes = Vec::new();
        let mut is_known = true;
        for (index, column) in description.columns().enumerate() {
            let Some(known) = relations.known(column.table, column.number) else {
                is_known = false;
                continue;
            };
            if !classes.contains(&known.class) {
                classes.push(known.class);
            }
            if let Some(whose) = known.key {
                shape.keys.push(Key { index, whose, type_oid: column.type_oid, format: column.format });
            }
        }
        shape.classes = is_known.then_some(classes);
        shape
    }

    /// The shape of a result that was never described: nothing is known but what the statement reads.
    pub fn undescribed(reads: &Reads) -> Self {
        let nothing = Self::nothing();
        match reads.subjects {
            Counting::None => nothing,
            counting => Self { counting, classes: None, rows_most: reads.rows_most, ..nothing },
        }
    }

    /// The shape of a result that shows nothing of the profile.
    pub fn nothing() -> Self {
        Self {
            keys: Vec::new(),
            counting: Counting::None,
            rows_most: 0,
            classes: Some(Vec::new()),
            copy: None,
        }
    }

    /// The same result in the formats that a Bind asks for: none, one for all columns, or one for each.
    #[must_use]
    pub fn in_formats(mut self, formats: &[Format]) -> Self {
        for key in &mut self.keys {
            key.format = match formats {
                [] => Format::Text,
                [all] => *all,
                each => each.get(key.index).copied().unwrap_or(Format::Text),
            };
        }
        self
    }

    /// The same rows, written by COPY.
    #[must_use]
    pub fn copied(mut self, options: CopyOptions) -> Self {
        let format = match options.format {
            CopyFormat::Binary => Format::Binary,
            CopyFormat::Text | CopyFormat::Csv => Format::Text,
        };
        self.copy = Some(options);
        self.in_formats(&[format])
    }

    /// Whether a limit on this class counts the result; on no class in particular, every result is counted.
    pub fn shows(&self, class: Option<Class>) -> bool {
        match (class, &self.classes) {
            (None, _) | (_, None) => true,
            (Some(class), Some(shown)) => shown.contains(&class),
        }
    }

    /// Whether each row says which subject it is about.
    pub(super) fn tells_subjects(&self) -> bool {
        self.counting == Counting::OnePerRow && self.keys.iter().any(|key| key.whose == Whose::Own)
    }
}

impl Key {
    /// How its values are read; `None` when they are of a type that no key has.
    pub(super) fn reading(&self) -> Option<Reading> {
        match (self.format, self.type_oid) {
            (Format::Text, _) | (Format::Binary, TEXT) => Some(Reading::Text),
            (Format::Binary, INT8) => Some(Reading::Int8),
            (Format::Binary, INT4) => Some(Reading::Int4),
            (Format::Binary, _) => None,
        }
    }
}
