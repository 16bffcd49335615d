//! Lists, maps and enums: walking into a [`Node`], and judging the keys of structs.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeSeed, Visitor};
use serde::forward_to_deserialize_any;

use super::deserializer::NodeDeserializer;
use super::error::{DecodeError, shorten};
use super::path::Path;
use super::{Context, Finding, Unknown, help};
use crate::diagnostic::{Code, Severity};
use crate::document::{Entries, Entry, Items, Node, snake_case};

/// The elements of a list.
pub(super) struct ListReader<'a, 'p> {
    items: std::iter::Enumerate<Items<'a>>,
    left: usize,
    path: &'p Path<'p>,
    context: &'p Context,
}

impl<'a, 'p> ListReader<'a, 'p> {
    pub(super) fn new(items: Items<'a>, path: &'p Path<'p>, context: &'p Context) -> Self {
        Self { left: items.len(), items: items.enumerate(), path, context }
    }
}

impl<'a> de::SeqAccess<'a> for ListReader<'a, '_> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        for (index, node) in self.items.by_ref() {
            self.left = self.left.saturating_sub(1);
            let path = Path::Index(self.path, index);
            if self.context.is_skipped(&path) {
                continue;
            }
            let value = self.context.take(size_of::<T::Value>()).and_then(|()| {
                seed.deserialize(NodeDeserializer { node, path: &path, context: self.context })
            });
            return value.map(Some).map_err(|error| error.at(&path, node));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map or struct, those that the type shall see.
pub(super) struct MapReader<'a, 'p> {
    node: Node<'a>,
    entries: Entries<'a>,
    /// What a struct has; `None` for maps, which take every key.
    fields: Option<&'static [&'static str]>,
    value: Option<Entry<'a>>,
    path: &'p Path<'p>,
    context: &'p Context,
}

impl<'a, 'p> MapReader<'a, 'p> {
    pub(super) fn new(
        node: Node<'a>,
        fields: Option<&'static [&'static str]>,
        path: &'p Path<'p>,
        context: &'p Context,
    ) -> Self {
        Self { node, entries: node.entries(), fields, value: None, path, context }
    }

    /// The next entry and the name that the type knows it by.
    fn next(&mut self) -> Option<(&'a str, Entry<'a>)> {
        for entry in self.entries.by_ref() {
            if self.context.is_skipped(&self.path.field(entry.key)) {
                continue;
            }
            let Some(fields) = self.fields else { return Some((entry.key, entry)) };
            let Some(field) = field_name(entry.key, fields, self.context.options.protobuf) else {
                note_unknown(&entry, fields, self.path, self.context);
                continue;
            };
            if self.context.beyond_schema() == Some(Severity::Error)
                && entry.key != field
                && !fields.contains(&entry.key)
            {
                note_spelling(&entry, field, self.path, self.context);
            }
            if entry.value.is_null() {
                note_null(&entry, field, self.path, self.context);
                continue;
            }
            if field == entry.key {
                return Some((field, entry));
            }
            // The API's own spelling wins.
            match self.node.entry(field).filter(|own| !own.value.is_null()) {
                Some(own) if !self.context.is_skipped(&self.path.field(own.key)) => {
                    note_double(&entry, field, self.path, self.context);
                }
                _ => return Some((field, entry)),
            }
        }
        None
    }
}

impl<'a> de::MapAccess<'a> for MapReader<'a, '_> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some((name, entry)) = self.next() else { return Ok(None) };
        self.value = Some(entry);
        let key = seed.deserialize(KeyDeserializer { key: name });
        key.map(Some).map_err(|error| error.at_span(&self.path.field(entry.key), entry.key_span()))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let Some(entry) = self.value.take() else {
            return Err(DecodeError::new(Code::WrongType, "a map value was read before its key"));
        };
        let path = Path::Key(self.path, entry.key, self.fields.unwrap_or_default());
        let node = entry.value;
        // The fields of a struct are part of it; the values of a map are not.
        let bytes = if self.fields.is_none() { size_of::<V::Value>() } else { 0 };
        self.context.take(bytes).map_err(|error| error.at(&path, node))?;
        seed.deserialize(NodeDeserializer { node, path: &path, context: self.context })
            .map_err(|error| error.at(&path, node))
    }
}

/// The field that a key names: its own spelling, in protobuf's form also the `.proto` spelling.
///
/// Where the schema of the API has both spellings (`jwks_uri`), the type names the second one as an alias; they are
/// one field all the same.
fn field_name(key: &str, fields: &'static [&'static str], protobuf: bool) -> Option<&'static str> {
    let other = (protobuf && key.as_bytes().contains(&b'_')).then(|| other_spelling(key, fields)).flatten();
    other.or_else(|| fields.iter().copied().find(|field| is_same_name(field, key)))
}

#[cold]
fn other_spelling(key: &str, fields: &'static [&'static str]) -> Option<&'static str> {
    fields.iter().copied().find(|field| *field != key && snake_case(field) == key)
}

/// Equality that most often is over after the ends: calling out for a comparison of all bytes costs more than they do.
#[inline]
pub(crate) fn is_same_name(field: &str, key: &str) -> bool {
    let ends = |name: &str| (name.as_bytes().first().copied(), name.as_bytes().last().copied());
    field.len() == key.len() && ends(field) == ends(key) && field == key
}

fn note_unknown(entry: &Entry<'_>, fields: &'static [&'static str], path: &Path<'_>, context: &Context) {
    let severity = match context.options.unknown {
        Unknown::Error | Unknown::Schema => Severity::Error,
        Unknown::Warning => Severity::Warning,
        Unknown::Ignore => return,
    };
    context.find(&path.field(entry.key), Code::UnknownField, severity, || {
        let (mut help, replacement) = help::unknown_field(entry.key, fields);
        if let Some(beside) = path.beside(entry.key).filter(|_| replacement.is_none()) {
            help = format!("it belongs beside `{}`: indent it like that", shorten(beside));
        }
        Finding {
            code: Code::UnknownField,
            severity,
            span: entry.key_span(),
            message: format!("unknown field `{}`", shorten(entry.key)),
            help: Some(help),
            replacement: replacement.map(str::to_owned),
        }
    });
}

/// A field in the spelling of the `.proto` file, which the schema of the API does not have.
fn note_spelling(entry: &Entry<'_>, field: &str, path: &Path<'_>, context: &Context) {
    context.find(&path.field(entry.key), Code::UnknownField, Severity::Error, || Finding {
        code: Code::UnknownField,
        severity: Severity::Error,
        span: entry.key_span(),
        message: format!("unknown field `{}`", shorten(entry.key)),
        help: Some(format!("write `{field}`: the API server knows no other spelling")),
        replacement: Some(field.to_owned()),
    });
}

/// Fields that the schema lets be null: wrappers of numbers and booleans (istio/api, `nullable` in the CRDs).
const NULLABLE: [&str; 21] = [
    "aggression",
    "allowCredentials",
    "concurrency",
    "consecutive5xxErrors",
    "consecutiveGatewayErrors",
    "consecutiveLocalOriginFailures",
    "disableContextPropagation",
    "disableSpanReporting",
    "disabled",
    "enableIstioTags",
    "enabled",
    "insecureSkipVerify",
    "minClusterSize",
    "minimumPercent",
    "mirrorPercent",
    "percent",
    "priority",
    "randomSamplingPercentage",
    "retryIgnorePreviousHosts",
    "retryRemoteLocalities",
    "useRequestIdForTraceSampling",
];

/// A field that is null: for Istio's readers it is not written, the API server refuses it.
fn note_null(entry: &Entry<'_>, field: &str, path: &Path<'_>, context: &Context) {
    let Some(severity) = context.beyond_schema().filter(|_| !NULLABLE.contains(&field)) else { return };
    context.find(&path.field(entry.key), Code::WrongType, severity, || Finding {
        code: Code::WrongType,
        severity,
        span: entry.value.span(),
        message: format!("`{field}` is null, which the API server refuses"),
        help: Some("write a value, or leave the field out".to_owned()),
        replacement: None,
    });
}

fn note_double(entry: &Entry<'_>, field: &str, path: &Path<'_>, context: &Context) {
    context.find(&path.field(entry.key), Code::DuplicateKey, Code::DuplicateKey.severity(), || Finding {
        code: Code::DuplicateKey,
        severity: Code::DuplicateKey.severity(),
        span: entry.key_span(),
        message: format!("the field `{field}` is set in two spellings; `{field}` is used"),
        help: Some(format!("keep `{field}` and remove the other one")),
        replacement: None,
    });
}

/// A map key: text that also reads as a number or Boolean where the type wants one.
#[derive(Clone, Copy)]
struct KeyDeserializer<'a> {
    key: &'a str,
}

macro_rules! parsed_keys {
    ($($method:ident $visit:ident $what:literal;)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.key.parse() {
                Ok(value) => visitor.$visit(value),
                Err(_) => {
                    let message = format!("expected {} as key, found `{}`", $what, shorten(self.key));
                    let help = format!("the keys of this map are {}s", $what.trim_start_matches("a "));
                    Err(DecodeError::new(Code::WrongType, message).help(Some(help)))
                }
            }
        }
    )*};
}

impl<'a> de::Deserializer<'a> for KeyDeserializer<'a> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_borrowed_str(self.key)
    }

    parsed_keys! {
        deserialize_bool visit_bool "a boolean";
        deserialize_u8 visit_u8 "a number";
        deserialize_u16 visit_u16 "a number";
        deserialize_u32 visit_u32 "a number";
        deserialize_u64 visit_u64 "a number";
        deserialize_i8 visit_i8 "a number";
        deserialize_i16 visit_i16 "a number";
        deserialize_i32 visit_i32 "a number";
        deserialize_i64 visit_i64 "a number";
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        BorrowedStrDeserializer::new(self.key).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// A name, or a map with one key whose value is the variant's content.
pub(super) struct EnumReader<'a, 'p> {
    pub(super) name: NodeDeserializer<'a, 'p>,
    pub(super) content: Option<Entry<'a>>,
}

impl<'a, 'p> de::EnumAccess<'a> for EnumReader<'a, 'p> {
    type Error = DecodeError;
    type Variant = VariantReader<'a, 'p>;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self::Variant), DecodeError> {
        let key = self.content.map_or(self.name.node.as_str(), |entry| Some(entry.key));
        let variant = seed.deserialize(KeyDeserializer { key: key.unwrap_or_default() })?;
        Ok((variant, VariantReader { outer: self.name, content: self.content }))
    }
}

/// The content of a variant.
pub(super) struct VariantReader<'a, 'p> {
    outer: NodeDeserializer<'a, 'p>,
    content: Option<Entry<'a>>,
}

impl<'a> VariantReader<'a, '_> {
    fn content<T>(
        &self,
        read: impl FnOnce(NodeDeserializer<'a, '_>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let Some(entry) = self.content else {
            return Err(DecodeError::wrong_type("a map with one key", self.outer.node));
        };
        let path = self.outer.path.field(entry.key);
        read(NodeDeserializer { node: entry.value, path: &path, context: self.outer.context })
    }
}

impl<'a> de::VariantAccess<'a> for VariantReader<'a, '_> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(DecodeError::wrong_type("a name", self.outer.node)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, DecodeError> {
        self.content(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.content(|content| de::Deserializer::deserialize_seq(content, visitor))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.content(|content| de::Deserializer::deserialize_struct(content, "", fields, visitor))
    }
}
