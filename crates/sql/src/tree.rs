//! The parse tree as one uniform shape, so that a walk cannot miss a place where an expression may stand.
//!
//! libpg_query's tree is some 270 structs, each with its own fields. They all implement `serde::Serialize`, and a
//! serializer is told the type name of every struct it meets, so that this serializer yields a `Tree` in which every
//! node bears its type's name. Nothing here knows PostgreSQL; what a node means is judged in `walk`.

use std::cell::Cell;

use serde::ser::{self, Impossible, Serialize};

/// Nesting accepted, in levels of the uniform tree. libpg_query's decoder stops near 100 messages; this is the second
/// bound, which protects the recursion of `walk`.
const TREE_LEVELS_MAX: usize = 512;
/// Nodes accepted. Each is looked at several times, on a thread that serves other sessions as well, and once more by the
/// monitor, whom all of a gate's sessions wait for.
pub(crate) const TREE_NODES_MAX: usize = 20_000;

/// libpg_query's struct around "one of these structs".
const WRAPPER: &str = "Node";

/// A node, list or scalar of the parse tree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Node(Node),
    List(Vec<Tree>),
    Text(String),
    Int(i64),
    Bool(bool),
    Absent,
}

/// A struct of the parse tree: its type name (`RangeVar`, `FuncCall` …) and its fields.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    fields: Vec<(&'static str, Tree)>,
}

impl Node {
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &Tree)> {
        self.fields.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) fn get(&self, key: &str) -> &Tree {
        self.fields.iter().find(|(name, _)| *name == key).map_or(&Tree::Absent, |(_, value)| value)
    }

    /// A text field; empty when absent, as in protobuf.
    pub(crate) fn text(&self, key: &str) -> &str {
        match self.get(key) {
            Tree::Text(text) => text,
            _ => "",
        }
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        *self.get(key) == Tree::Bool(true)
    }

    pub(crate) fn list(&self, key: &str) -> &[Tree] {
        match self.get(key) {
            Tree::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn node(&self, key: &str) -> Option<&Node> {
        self.get(key).node()
    }

    /// The texts of a list of `String` nodes, such as a qualified name. None when anything else is in it.
    pub(crate) fn name_parts(&self, key: &str) -> Option<Vec<&str>> {
        self.list(key)
            .iter()
            .map(|item| item.node().filter(|n| n.name == "String").map(|n| n.text("sval")))
            .collect()
    }
}

impl Tree {
    pub(crate) fn node(&self) -> Option<&Node> {
        match self {
            Tree::Node(node) => Some(node),
            _ => None,
        }
    }

    /// Visits every node, parents first.
    pub(crate) fn each_node<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        match self {
            Tree::Node(node) => {
                visit(node);
                node.fields().for_each(|(_, value)| value.each_node(visit));
            }
            Tree::List(items) => items.iter().for_each(|item| item.each_node(visit)),
            Tree::Text(_) | Tree::Int(_) | Tree::Bool(_) | Tree::Absent => {}
        }
    }

    /// Builds the tree of a message.
    ///
    /// # Errors
    /// When the message nests too deep or holds a value of a kind that no parse tree has.
    pub(crate) fn of<T: Serialize>(message: &T) -> Result<Tree, TreeError> {
        let nodes = Cell::new(TREE_NODES_MAX);
        message.serialize(Builder { levels: TREE_LEVELS_MAX, nodes: &nodes })
    }
}

/// Why no uniform tree could be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TreeError {
    #[error("it nests deeper than {TREE_LEVELS_MAX} levels")]
    TooDeep,
    #[error("it has more than {TREE_NODES_MAX} parts")]
    TooMany,
    #[error("the parser produced something unknown: {0}")]
    Unknown(String),
}

impl ser::Error for TreeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        TreeError::Unknown(message.to_string())
    }
}

/// The serializer: how much deeper it may go, and how many more nodes it may make.
#[derive(Clone, Copy)]
struct Builder<'n> {
    levels: usize,
    nodes: &'n Cell<usize>,
}

impl Builder<'_> {
    fn deeper(self) -> Result<Self, TreeError> {
        let levels = self.levels.checked_sub(1).ok_or(TreeError::TooDeep)?;
        Ok(Self { levels, ..self })
    }

    fn one_more(self) -> Result<(), TreeError> {
        self.nodes.set(self.nodes.get().checked_sub(1).ok_or(TreeError::TooMany)?);
        Ok(())
    }
}

struct ListBuilder<'n> {
    inner: Builder<'n>,
    items: Vec<Tree>,
}

struct NodeBuilder<'n> {
    inner: Builder<'n>,
    node: Node,
}

impl ser::SerializeSeq for ListBuilder<'_> {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), TreeError> {
        self.items.push(value.serialize(self.inner)?);
        Ok(())
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(Tree::List(self.items))
    }
}

impl ser::SerializeStruct for NodeBuilder<'_> {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), TreeError> {
        self.node.fields.push((key, value.serialize(self.inner)?));
        Ok(())
    }

    fn end(mut self) -> Result<Tree, TreeError> {
        // `Node` is only the wrapper around "one of these structs": its content stands for it.
        if self.node.name == WRAPPER {
            return Ok(self.node.fields.pop().map_or(Tree::Absent, |(_, content)| content));
        }
        Ok(Tree::Node(self.node))
    }
}

/// Scalars that no parse tree holds are errors: an unknown thing is refused, not skipped.
macro_rules! never {
    ($($method:ident($kind:ty)),*) => {
        $(fn $method(self, _: $kind) -> Result<Tree, TreeError> {
            Err(TreeError::Unknown(stringify!($kind).to_owned()))
        })*
    };
}

impl<'n> ser::Serializer for Builder<'n> {
    type Ok = Tree;
    type Error = TreeError;
    type SerializeSeq = ListBuilder<'n>;
    type SerializeStruct = NodeBuilder<'n>;
    type SerializeTuple = Impossible<Tree, TreeError>;
    type SerializeTupleStruct = Impossible<Tree, TreeError>;
    type SerializeTupleVariant = Impossible<Tree, TreeError>;
    type SerializeMap = Impossible<Tree, TreeError>;
    type SerializeStructVariant = Impossible<Tree, TreeError>;

    never!(
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_bytes(&[u8]),
        serialize_unit_struct(&'static str)
    );

    fn serialize_bool(self, value: bool) -> Result<Tree, TreeError> {
        Ok(Tree::Bool(value))
    }

    fn serialize_i32(self, value: i32) -> Result<Tree, TreeError> {
        Ok(Tree::Int(i64::from(value)))
    }

    fn serialize_i64(self, value: i64) -> Result<Tree, TreeError> {
        Ok(Tree::Int(value))
    }

    fn serialize_u32(self, value: u32) -> Result<Tree, TreeError> {
        Ok(Tree::Int(i64::from(value)))
    }

    fn serialize_u64(self, value: u64) -> Result<Tree, TreeError> {
        i64::try_from(value).map(Tree::Int).map_err(ser::Error::custom)
    }

    fn serialize_str(self, value: &str) -> Result<Tree, TreeError> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn serialize_none(self) -> Result<Tree, TreeError> {
        Ok(Tree::Absent)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, TreeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Tree, TreeError> {
        Ok(Tree::Absent)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Tree, TreeError> {
        Ok(Tree::Text(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<Tree, TreeError> {
        value.serialize(self.deeper()?)
    }

    /// The struct inside names itself, so that the variant's name is not needed.
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<Tree, TreeError> {
        value.serialize(self.deeper()?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<ListBuilder<'n>, TreeError> {
        Ok(ListBuilder { inner: self.deeper()?, items: Vec::new() })
    }

    fn serialize_struct(self, name: &'static str, fields: usize) -> Result<NodeBuilder<'n>, TreeError> {
        if name != WRAPPER {
            self.one_more()?;
        }
        Ok(NodeBuilder { inner: self.deeper()?, node: Node { name, fields: Vec::with_capacity(fields) } })
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, TreeError> {
        Err(TreeError::Unknown("tuple".to_owned()))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, TreeError> {
        Err(TreeError::Unknown(name.to_owned()))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, TreeError> {
        Err(TreeError::Unknown(name.to_owned()))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, TreeError> {
        Err(TreeError::Unknown("map".to_owned()))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, TreeError> {
        Err(TreeError::Unknown(name.to_owned()))
    }
}
