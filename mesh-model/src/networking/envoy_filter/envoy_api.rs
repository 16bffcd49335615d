//! Names and types of Envoy's API, read from a generated table at first use.
//!
//! The table is text, so that a new version of it can be read as a change; about 1500 messages are indexed once, the
//! fields of a message are read each time it is asked for.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::diagnostic::nearest;

/// The generated table; its format is told in its head.
const TABLE: &str = include_str!("envoy_api.txt");

static INDEX: LazyLock<Index> = LazyLock::new(|| Index::read(TABLE));

/// A message of Envoy's API.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    package: &'static str,
    fields: &'static str,
}

/// A field of a message.
#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Its name in the `.proto` file.
    pub(super) name: &'static str,
    /// How its JSON is shaped.
    pub(super) shape: Shape,
}

/// How the JSON of a field is shaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// One value.
    One(Type),
    /// A list of values.
    List(Type),
    /// A map, with the types of its keys and values.
    Map(Type, Type),
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// A Boolean.
    Bool,
    /// Text.
    Text,
    /// Bytes in base64.
    Bytes,
    /// A whole number in this range.
    Whole(i128, i128),
    /// A number.
    Number,
    /// An enumeration, by its full name.
    Enum(String),
    /// A message, by its full name.
    Message(String),
}

struct Index {
    messages: HashMap<String, Message>,
    enums: HashMap<String, &'static str>,
}

impl Index {
    fn read(table: &'static str) -> Self {
        let mut index = Self { messages: HashMap::new(), enums: HashMap::new() };
        let mut package = "";
        for line in table.lines() {
            let Some((sort, rest)) = line.split_once(' ') else { continue };
            let (name, content) = rest.split_once(' ').unwrap_or((rest, ""));
            match sort {
                "p" => package = rest,
                "m" => {
                    index.messages.insert(absolute(package, name), Message { package, fields: content });
                }
                "e" => {
                    index.enums.insert(absolute(package, name), content);
                }
                _ => {}
            }
        }
        index
    }
}

/// A name of the table as a full one.
fn absolute(package: &str, name: &str) -> String {
    name.strip_prefix('.').map_or_else(|| format!("{package}.{name}"), str::to_owned)
}

/// The message with this full name, `envoy.config.cluster.v3.Cluster`.
pub(super) fn message(name: &str) -> Option<Message> {
    INDEX.messages.get(name).copied()
}

/// Full names of the messages that end in this last name, sorted.
pub(super) fn messages_called(last_name: &str) -> Vec<&'static str> {
    let is_called = |name: &&String| name.rsplit('.').next() == Some(last_name);
    let mut names: Vec<_> = INDEX.messages.keys().filter(is_called).map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The message of the same package whose name is most like this one.
pub(super) fn message_like(name: &str) -> Option<&'static str> {
    let package = name.rsplit_once('.').map(|(package, _)| package)?;
    let is_beside = |other: &&str| other.rsplit_once('.').is_some_and(|(of, _)| of == package);
    let mut names: Vec<_> = INDEX.messages.keys().map(String::as_str).filter(is_beside).collect();
    names.sort_unstable();
    nearest(name, names)
}

/// Names of the values of the enumeration with this full name.
pub(super) fn enum_names(name: &str) -> impl Iterator<Item = &'static str> {
    INDEX.enums.get(name).copied().unwrap_or_default().split(' ').filter(|name| !name.is_empty())
}

impl Message {
    /// Names of its fields, by number.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        self.pairs().map(|(name, _)| name)
    }

    /// The field with this name, in either spelling.
    pub(super) fn field(self, key: &str) -> Option<Field> {
        let (name, shape) = self.pairs().find(|(name, _)| *name == key || is_json_name(name, key))?;
        Some(Field { name, shape: self.shape(shape)? })
    }

    fn pairs(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.fields.split(' ').filter_map(|text| text.split_once(':'))
    }

    fn shape(self, text: &str) -> Option<Shape> {
        if let Some(of) = text.strip_prefix('*') {
            return Some(Shape::List(self.value_type(of)?));
        }
        let Some(map) = text.strip_prefix('%') else { return Some(Shape::One(self.value_type(text)?)) };
        let (key, value) = map.split_at_checked(1)?;
        Some(Shape::Map(self.value_type(key)?, self.value_type(value)?))
    }

    fn value_type(self, text: &str) -> Option<Type> {
        let (sort, name) = text.split_at_checked(1)?;
        Some(match sort {
            "b" => Type::Bool,
            "s" => Type::Text,
            "y" => Type::Bytes,
            "i" => Type::Whole(i32::MIN.into(), i32::MAX.into()),
            "I" => Type::Whole(0, u32::MAX.into()),
            "l" => Type::Whole(i64::MIN.into(), i64::MAX.into()),
            "L" => Type::Whole(0, u64::MAX.into()),
            "d" => Type::Number,
            "=" => Type::Enum(absolute(self.package, name)),
            "@" => Type::Message(absolute(self.package, name)),
            _ => return None,
        })
    }
}

/// Whether `key` is the `lowerCamelCase` form of a field's name, which protobuf's JSON form also takes.
fn is_json_name(name: &str, key: &str) -> bool {
    let mut letters = name.chars();
    let mut expected = std::iter::from_fn(|| match letters.next()? {
        '_' => letters.next().map(|letter| letter.to_ascii_uppercase()),
        letter => Some(letter),
    });
    key.chars().all(|letter| expected.next() == Some(letter)) && expected.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read_and_every_reference_resolves() {
        let outside = ["google.api.expr.", "io.prometheus."];
        let mut fields = 0;
        for (name, message) in &INDEX.messages {
            let written = message.fields.split(' ').filter(|text| !text.is_empty()).count();
            assert_eq!(message.names().count(), written, "{name}");
            for field in message.names() {
                let field = message.field(field).unwrap_or_else(|| panic!("{name}.{field}"));
                let (Shape::One(value) | Shape::List(value) | Shape::Map(_, value)) = field.shape;
                match value {
                    Type::Message(of) if outside.iter().any(|start| of.starts_with(start)) => {}
                    Type::Message(of) => assert!(message_is_known(&of), "{name}.{}: {of}", field.name),
                    Type::Enum(of) => assert!(enum_names(&of).count() > 0, "{name}.{}: {of}", field.name),
                    _ => {}
                }
                fields += 1;
            }
        }
        assert!(INDEX.messages.len() > 1400 && fields > 4500, "{} {fields}", INDEX.messages.len());
    }

    fn message_is_known(name: &str) -> bool {
        message(name).is_some()
    }

    #[test]
    fn fields_have_the_types_of_the_api() {
        let shape = |of: &str, field: &str| {
            message(of).and_then(|message| message.field(field)).map(|field| field.shape)
        };
        let cluster = "envoy.config.cluster.v3.Cluster";
        let text = |name: &str| Some(Shape::One(Type::Message(name.to_owned())));
        assert_eq!(shape(cluster, "name"), Some(Shape::One(Type::Text)));
        assert_eq!(shape(cluster, "connect_timeout"), text("google.protobuf.Duration"));
        assert_eq!(shape(cluster, "lb_policy"), Some(Shape::One(Type::Enum(format!("{cluster}.LbPolicy")))));
        let any = Type::Message("google.protobuf.Any".to_owned());
        assert_eq!(shape(cluster, "typed_extension_protocol_options"), Some(Shape::Map(Type::Text, any)));
        assert!(shape(cluster, "no_such").is_none() && message("no.Such").is_none());
    }

    #[test]
    fn json_names_are_camel_case() {
        assert!(is_json_name("typed_config", "typedConfig") && is_json_name("name", "name"));
        assert!(is_json_name("http2_protocol_options", "http2ProtocolOptions"));
        for other in ["typed_config", "typedconfig", "typedConfi", "typedConfigs", "TypedConfig", ""] {
            assert!(!is_json_name("typed_config", other), "{other}");
        }
    }
}
