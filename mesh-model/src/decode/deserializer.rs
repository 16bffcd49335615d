//! serde's view of a [`Node`]: which spellings each kind of field accepts.

use serde::de::{self, Visitor};
use serde::forward_to_deserialize_any;

use super::access::{EnumReader, ListReader, MapReader};
use super::error::{DecodeError, shorten, words};
use super::help;
use super::path::Path;
use super::{Context, Finding};
use crate::diagnostic::Code;
use crate::document::{Node, Value};
use crate::part::proto_enum::BY_NAME_OR_NUMBER;

/// One value on its way to a type.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'a, 'p> {
    pub(super) node: Node<'a>,
    pub(super) path: &'p Path<'p>,
    pub(super) context: &'p Context,
}

impl<'a> NodeDeserializer<'a, '_> {
    fn located<T>(&self, result: Result<T, DecodeError>) -> Result<T, DecodeError> {
        result.map_err(|error| error.at(self.path, self.node))
    }

    fn refuse<T>(&self, expected: &str) -> Result<T, DecodeError> {
        self.located(Err(DecodeError::wrong_type(expected, self.node)))
    }

    /// Notes what protobuf's JSON form reads and the schema of the API refuses; reading goes on.
    fn note_schema(&self, expected: &str) {
        let Some(severity) = self.context.beyond_schema() else { return };
        self.context.find(self.path, Code::WrongType, severity, || {
            let finding = DecodeError::wrong_type(expected, self.node).at(self.path, self.node).finding();
            Finding { severity, ..finding }
        });
    }

    /// [`note_schema`](Self::note_schema), of an element of a list or map that is null.
    fn note_null(&self, expected: &str) {
        if self.node.is_null() {
            self.note_schema(expected);
        }
    }

    /// [`note_schema`](Self::note_schema), of a number as text.
    fn note_number(&self) {
        if !matches!(self.node.value(), Value::Integer(_) | Value::Float(_)) {
            self.note_schema("a number");
        }
    }

    fn too_large<T>(&self) -> Result<T, DecodeError> {
        let found = match self.node.value() {
            Value::Float(number) => format!("{number:e}"),
            _ => shorten(self.node.as_str().unwrap_or_default()),
        };
        let message = format!("`{found}` is beyond what any number field holds");
        let help = "write the number that is meant; a field without one has its default";
        self.located(Err(DecodeError::new(Code::BadValue, message).help(Some(help.to_owned()))))
    }

    /// A whole number, as the dialect accepts it.
    fn whole(&self) -> Result<i128, DecodeError> {
        self.note_null("a number");
        match self.node.value() {
            Value::Integer(number) => Ok(number),
            Value::Null => Ok(0),
            Value::Float(number) => whole_float(number).map_or_else(
                || if number.fract() == 0.0 { self.too_large() } else { self.refuse("a whole number") },
                Ok,
            ),
            Value::String(text) if is_too_large(text) => self.too_large(),
            Value::String(text) if self.context.options.protobuf => {
                let whole = is_json_number(text)
                    .then(|| text.parse().ok().or_else(|| text.parse::<f64>().ok().and_then(whole_float)));
                whole.flatten().map_or_else(|| self.refuse("a number"), Ok)
            }
            _ => self.refuse("a number"),
        }
    }

    fn ranged<T: TryFrom<i128>>(&self, least: i128, most: i128) -> Result<T, DecodeError> {
        let number = self.whole()?;
        T::try_from(number).or_else(|_| {
            // A number with more digits than are kept is shown with those that are.
            let found = match self.node.value() {
                Value::Float(float) => format!("{float:e}"),
                _ => number.to_string(),
            };
            let message = format!("expected a number from {least} to {most}, found `{found}`");
            let help = format!("write a whole number from {least} to {most}");
            self.located(Err(DecodeError::new(Code::BadValue, message).help(Some(help))))
        })
    }

    fn float(&self) -> Result<f64, DecodeError> {
        self.note_number();
        match self.node.value() {
            Value::Integer(number) => number.to_string().parse().or_else(|_| self.refuse("a number")),
            Value::Float(number) => Ok(number),
            Value::Null => Ok(0.0),
            Value::String(text) if is_too_large(text) => self.too_large(),
            Value::String(text) if self.context.options.protobuf => match text {
                "NaN" => Ok(f64::NAN),
                "Infinity" => Ok(f64::INFINITY),
                "-Infinity" => Ok(f64::NEG_INFINITY),
                number if is_json_number(number) => number.parse().or_else(|_| self.refuse("a number")),
                _ => self.refuse("a number"),
            },
            _ => self.refuse("a number"),
        }
    }

    fn map_reader(&self, fields: Option<&'static [&'static str]>) -> MapReader<'a, '_> {
        MapReader::new(self.node, fields, self.path, self.context)
    }
}

/// The number, when it is whole and in the range of every integer field.
fn whole_float(number: f64) -> Option<i128> {
    (number.fract() == 0.0 && number.abs() < 1e30).then(|| number.to_string().parse().ok()).flatten()
}

/// Whether a text is a number that no float is large enough for: YAML and JSON hand it on as a text.
fn is_too_large(text: &str) -> bool {
    is_json_number(text) && text.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// JSON's grammar of numbers, as far as Rust's own parsers are laxer (`+1`, `inf`, `1.`, ` 1`).
fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.ends_with(|last: char| last.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'))
        && (!leading_zero || digits.starts_with("0.") || digits.starts_with("0e"))
}

macro_rules! integers {
    ($($method:ident $visit:ident $kind:ty;)*) => {$(
        fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            let (least, most) = (i128::from(<$kind>::MIN), i128::from(<$kind>::MAX));
            // Numbers of 64 bits are text in what Istio itself writes.
            if size_of::<$kind>() < size_of::<u64>() {
                self.note_number();
            }
            let number: $kind = self.ranged(least, most)?;
            self.located(visitor.$visit(number))
        }
    )*};
}

impl<'a> de::Deserializer<'a> for NodeDeserializer<'a, '_> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match self.node.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Integer(number) => match (u64::try_from(number), i64::try_from(number)) {
                (Ok(number), _) => visitor.visit_u64(number),
                (_, Ok(number)) => visitor.visit_i64(number),
                _ => visitor.visit_f64(self.float()?),
            },
            Value::Float(number) => visitor.visit_f64(number),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(ListReader::new(items, self.path, self.context)),
            Value::Map(_) => visitor.visit_map(self.map_reader(None)),
        };
        self.located(result)
    }

    integers! {
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let number = self.float()?;
        self.located(visitor.visit_f64(number))
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.note_null("a boolean");
        match self.node.value() {
            Value::Bool(flag) => self.located(visitor.visit_bool(flag)),
            Value::Null => self.located(visitor.visit_bool(false)),
            _ => self.refuse("a boolean"),
        }
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.note_null("a text");
        match self.node.as_str() {
            Some(text) => self.located(visitor.visit_borrowed_str(text)),
            None if self.node.is_null() => self.located(visitor.visit_borrowed_str("")),
            None => self.refuse(&words(&visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) };
        self.located(result)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == BY_NAME_OR_NUMBER && self.node.as_str().is_none() {
            self.note_schema(&words(&visitor));
        }
        let result = visitor.visit_newtype_struct(self);
        self.located(result)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.note_null("a list");
        match self.node.value() {
            Value::List(items) => {
                self.located(visitor.visit_seq(ListReader::new(items, self.path, self.context)))
            }
            // It has no elements.
            Value::Null => {
                self.located(visitor.visit_seq(ListReader::new(self.node.items(), self.path, self.context)))
            }
            _ => self.refuse("a list"),
        }
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.note_null("a map");
        match self.node.value() {
            Value::Map(_) | Value::Null => self.located(visitor.visit_map(self.map_reader(None))),
            _ => self.refuse("a map"),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.note_null("a map");
        match self.node {
            node if node.is_map() || node.is_null() => {
                self.located(visitor.visit_map(self.map_reader(Some(fields))))
            }
            _ => {
                let error = DecodeError::wrong_type("a map", self.node);
                self.located(Err(error.help(help::not_a_struct(fields, self.node))))
            }
        }
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let reader = match self.node.value() {
            Value::String(_) => EnumReader { name: self, content: None },
            Value::Map(mut entries) => match (entries.next(), entries.next()) {
                (Some(entry), None) => EnumReader { name: self, content: Some(entry) },
                _ => return self.refuse("a map with one key"),
            },
            _ => {
                let help = format!("write one of `{}`", variants.join("`, `"));
                return self.located(Err(DecodeError::wrong_type("a name", self.node).help(Some(help))));
            }
        };
        self.located(visitor.visit_enum(reader))
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier
    }
}
