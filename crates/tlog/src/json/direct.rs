//! Canonical text straight from a typed value, without a [`serde_json::Value`] in between. Fields that come in order
//! are written once; others are moved into place when their object ends. Not here: reading.

use std::cmp::Ordering;
use std::fmt;

use serde::ser::{self, Impossible, Serialize};

use serde_json::Value;

use super::{DEPTH_MAX, INTEGER_MAX, JsonError, write_string, write_whole};

/// The canonical text of a value: what [`super::canonical`] makes of its [`serde_json::Value`].
pub fn canonical_of(value: &(impl Serialize + ?Sized)) -> Result<String, JsonError> {
    let mut out = String::with_capacity(256);
    value.serialize(Writer { out: &mut out, depth: DEPTH_MAX }).map_err(|error| error.0)?;
    Ok(out)
}

/// An error on its way through serde.
#[derive(Debug)]
struct Failed(JsonError);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Failed(JsonError::Type)
    }
}

type Done = Result<(), Failed>;

struct Writer<'a> {
    out: &'a mut String,
    depth: usize,
}

impl<'a> Writer<'a> {
    fn plain(self, text: &str) -> Done {
        self.out.push_str(text);
        Ok(())
    }

    fn whole(self, is_negative: bool, magnitude: u64) -> Done {
        if magnitude > INTEGER_MAX {
            return Err(Failed(JsonError::Range));
        }
        write_whole(self.out, is_negative, magnitude);
        Ok(())
    }

    fn inside(self, opening: char) -> Result<Parts<'a>, Failed> {
        let depth = self.depth.checked_sub(1).ok_or(Failed(JsonError::Depth))?;
        self.out.push(opening);
        let start = self.out.len();
        Ok(Parts {
            out: self.out,
            depth,
            start,
            is_first: true,
            fields: Vec::new(),
            in_order: true,
            key: None,
        })
    }
}

/// An array or an object that is being written.
struct Parts<'a> {
    out: &'a mut String,
    depth: usize,
    /// Where its inside begins.
    start: usize,
    is_first: bool,
    /// Each field's name and where its text begins, without the comma.
    fields: Vec<(Key, usize)>,
    in_order: bool,
    /// The name of a map's next value.
    key: Option<String>,
}

enum Key {
    Fixed(&'static str),
    Owned(String),
}

impl Key {
    fn text(&self) -> &str {
        match self {
            Key::Fixed(text) => text,
            Key::Owned(text) => text,
        }
    }

    /// RFC 8785 sorts by UTF-16 code units, which for ASCII is the order of bytes.
    fn order(&self, other: &Key) -> Ordering {
        let (a, b) = (self.text(), other.text());
        if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
    }
}

impl Parts<'_> {
    fn comma(&mut self) {
        if !self.is_first {
            self.out.push(',');
        }
        self.is_first = false;
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Done {
        self.comma();
        value.serialize(Writer { out: self.out, depth: self.depth })
    }

    fn field(&mut self, key: Key, value: &(impl Serialize + ?Sized)) -> Done {
        self.comma();
        self.in_order &= self.fields.last().is_none_or(|(last, _)| last.order(&key) == Ordering::Less);
        let at = self.out.len();
        write_string(self.out, key.text());
        self.out.push(':');
        self.fields.push((key, at));
        value.serialize(Writer { out: self.out, depth: self.depth })
    }

    fn close(mut self, closing: char) -> Done {
        if !self.in_order {
            self.sort();
        }
        self.out.push(closing);
        Ok(())
    }

    /// Moves the fields into their order.
    fn sort(&mut self) {
        let written = self.out.split_off(self.start);
        let ends = self.fields.iter().skip(1).map(|(_, at)| at - self.start - 1).chain([written.len()]);
        let mut pieces: Vec<(&Key, &str)> = self
            .fields
            .iter()
            .zip(ends)
            .map(|((key, at), end)| (key, written.get(at - self.start..end).unwrap_or_default()))
            .collect();
        pieces.sort_by(|(a, _), (b, _)| a.order(b));
        for (position, (_, piece)) in pieces.into_iter().enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            self.out.push_str(piece);
        }
    }
}

macro_rules! whole {
    ($($method:ident: $signed:ty),*) => {
        $(fn $method(self, value: $signed) -> Done {
            let value = i64::from(value);
            self.whole(value < 0, value.unsigned_abs())
        })*
    };
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Impossible<(), Failed>;
    type SerializeTupleVariant = Impossible<(), Failed>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Impossible<(), Failed>;

    whole!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);

    fn serialize_u64(self, value: u64) -> Done {
        self.whole(false, value)
    }

    fn serialize_f32(self, _: f32) -> Done {
        Err(Failed(JsonError::Fraction))
    }

    fn serialize_f64(self, _: f64) -> Done {
        Err(Failed(JsonError::Fraction))
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.plain(if value { "true" } else { "false" })
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        write_string(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Done {
        self.plain("null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.plain("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.plain("null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let mut parts = self.inside('{')?;
        parts.field(Key::Fixed(variant), value)?;
        parts.close('}')
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, Failed> {
        self.inside('[')
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Failed> {
        self.inside('[')
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Failed> {
        Err(Failed(JsonError::Type))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Failed> {
        Err(Failed(JsonError::Type))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, Failed> {
        self.inside('{')
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Failed> {
        self.inside('{')
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Failed> {
        Err(Failed(JsonError::Type))
    }
}

impl ser::SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.item(value)
    }

    fn end(self) -> Done {
        self.close(']')
    }
}

impl ser::SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.item(value)
    }

    fn end(self) -> Done {
        self.close(']')
    }
}

impl ser::SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
        self.field(Key::Fixed(key), value)
    }

    fn end(self) -> Done {
        self.close('}')
    }
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        match serde_json::to_value(key) {
            Ok(Value::String(text)) => {
                self.key = Some(text);
                Ok(())
            }
            _ => Err(Failed(JsonError::Type)),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let key = self.key.take().ok_or(Failed(JsonError::Type))?;
        self.field(Key::Owned(key), value)
    }

    fn end(self) -> Done {
        self.close('}')
    }
}
