//! The value of a patch against Envoy's API, read as Istio reads it: protobuf's JSON form in its older dialect.
//!
//! What that reader refuses is an error. Fields that Envoy's API does not have are warnings, because a newer Envoy may
//! have them. So are filters without `typed_config`, which only their name would tell what to do.

use serde_json::{Map, Value};

use super::super::envoy_api::{self, Message, Shape, Type};
use super::super::spec::ApplyTo;
use crate::check::{Checker, Path, Problem, short};
use crate::diagnostic::{Code, Severity, nearest};
use crate::value::Duration;

/// Findings of one value; the rest waits for the next run.
const FINDINGS_MAX: usize = 32;

/// Checks the value of a patch.
pub(super) fn check(found: &mut Checker<'_>, at: &Path<'_>, apply_to: ApplyTo, object: &Map<String, Value>) {
    let Some(name) = message_of(apply_to) else { return };
    let mut reader = Reader { found, left: FINDINGS_MAX };
    reader.fields(at, name, object, None);
    reader.typed_config(at, name, object);
}

/// The message that an object of this kind is.
fn message_of(apply_to: ApplyTo) -> Option<&'static str> {
    Some(match apply_to {
        ApplyTo::Invalid => return None,
        ApplyTo::Listener => "envoy.config.listener.v3.Listener",
        ApplyTo::FilterChain => "envoy.config.listener.v3.FilterChain",
        ApplyTo::NetworkFilter => "envoy.config.listener.v3.Filter",
        ApplyTo::ListenerFilter => "envoy.config.listener.v3.ListenerFilter",
        ApplyTo::HttpFilter => "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter",
        ApplyTo::RouteConfiguration => "envoy.config.route.v3.RouteConfiguration",
        ApplyTo::VirtualHost => "envoy.config.route.v3.VirtualHost",
        ApplyTo::HttpRoute => "envoy.config.route.v3.Route",
        ApplyTo::Cluster => "envoy.config.cluster.v3.Cluster",
        ApplyTo::ExtensionConfig => "envoy.config.core.v3.TypedExtensionConfig",
        ApplyTo::Bootstrap => "envoy.config.bootstrap.v3.Bootstrap",
    })
}

/// Walks a value beside its type. The depth budget of the document bounds the recursion.
struct Reader<'f, 'c> {
    found: &'f mut Checker<'c>,
    /// Findings that may still be added.
    left: usize,
}

impl Reader<'_, '_> {
    fn find(&mut self, at: &Path<'_>, problem: Problem) {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            self.found.find(at, problem);
        }
    }

    fn refuse(&mut self, at: &Path<'_>, expected: &str, value: &Value) {
        self.find(
            at,
            Problem::invalid(format!("expected {expected}, found {}", in_words(value)))
                .help(format!("write {expected}")),
        );
    }

    /// The fields of a message; `skipped` is not one of them.
    fn fields(&mut self, at: &Path<'_>, name: &str, object: &Map<String, Value>, skipped: Option<&str>) {
        // Messages outside Envoy's own packages are not in the table.
        let Some(message) = envoy_api::message(name) else { return };
        for (key, value) in object.iter().filter(|(key, _)| Some(key.as_str()) != skipped) {
            if self.left == 0 {
                return;
            }
            match message.field(key) {
                // Where both spellings are written, the camel-case one counts.
                Some(field) if field.name == key && is_written_again(message, object, key) => {}
                Some(field) => self.shaped(&at.field(key), &field.shape, value),
                None => self.unknown(at, name, message, key),
            }
        }
    }

    fn unknown(&mut self, at: &Path<'_>, name: &str, message: Message, key: &str) {
        if !self.found.keeps(Severity::Warning) {
            return;
        }
        let mut problem = Problem::suspicious(format!(
            "Envoy's `{name}` has no field `{}`, as far as is known",
            short(key)
        ));
        problem = problem.help(match nearest(key, message.names()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                "look it up in Envoy's API reference; a field at the wrong level is unknown too".to_owned()
            }
        });
        self.find(&at.field(key), problem);
    }

    fn shaped(&mut self, at: &Path<'_>, shape: &Shape, value: &Value) {
        match (shape, value) {
            (_, Value::Null) => {}
            (Shape::One(of), _) => self.one(at, of, value),
            (Shape::List(of), Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.one(&at.index(index), of, item);
                }
            }
            (Shape::List(_), _) => self.refuse(at, "a list", value),
            (Shape::Map(key_type, of), Value::Object(entries)) => {
                for (key, item) in entries {
                    if !is_key(key, key_type) {
                        self.refuse(at, "another key", &Value::from(key.as_str()));
                    }
                    self.one(&at.field(key), of, item);
                }
            }
            (Shape::Map(..), _) => self.refuse(at, "a map", value),
        }
    }

    fn one(&mut self, at: &Path<'_>, of: &Type, value: &Value) {
        let (expected, holds) = match of {
            _ if value.is_null() => return,
            Type::Bool => ("a boolean", value.is_boolean()),
            Type::Text => ("a string", value.is_string()),
            Type::Bytes => ("bytes in base64", is_bytes(value)),
            Type::Number => ("a number", is_number(value)),
            Type::Whole(least, most) => ("a whole number in range", is_whole(value, *least, *most)),
            Type::Enum(name) => return self.enumeration(at, name, value),
            Type::Message(name) => return self.message(at, name, value),
        };
        if !holds {
            self.refuse(at, expected, value);
        }
    }

    fn enumeration(&mut self, at: &Path<'_>, name: &str, value: &Value) {
        let Value::String(text) = value else {
            if !is_whole(value, i32::MIN.into(), i32::MAX.into()) {
                self.refuse(at, "a name", value);
            }
            return;
        };
        if envoy_api::enum_names(name).any(|known| known == text) {
            return;
        }
        if !self.found.keeps(Severity::Error) {
            return;
        }
        let problem = Problem::invalid(format!("Envoy's `{name}` has no value `{}`", short(text)));
        let help = match nearest(text, envoy_api::enum_names(name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let names: Vec<_> = envoy_api::enum_names(name).take(12).collect();
                format!("one of `{}`", names.join("`, `"))
            }
        };
        self.find(at, problem.help(help));
    }

    fn message(&mut self, at: &Path<'_>, name: &str, value: &Value) {
        let scalar = |of: Type| (Shape::One(of), value);
        let (shape, value) = match name.strip_prefix("google.protobuf.") {
            Some("BoolValue") => scalar(Type::Bool),
            Some("StringValue") => scalar(Type::Text),
            Some("BytesValue") => scalar(Type::Bytes),
            Some("FloatValue" | "DoubleValue") => scalar(Type::Number),
            Some("Int32Value") => scalar(Type::Whole(i32::MIN.into(), i32::MAX.into())),
            Some("UInt32Value") => scalar(Type::Whole(0, u32::MAX.into())),
            Some("Int64Value") => scalar(Type::Whole(i64::MIN.into(), i64::MAX.into())),
            Some("UInt64Value") => scalar(Type::Whole(0, u64::MAX.into())),
            Some("Value") => return,
            Some("ListValue") if value.is_array() => return,
            Some("ListValue") => return self.refuse(at, "a list", value),
            Some("Struct") if value.is_object() => return,
            Some("Duration") if value.as_str().is_some_and(|text| text.parse::<Duration>().is_ok()) => return,
            Some("Duration") => return self.refuse(at, "a duration such as `1.5s`", value),
            Some("Timestamp") if value.as_str().is_some_and(is_timestamp) => return,
            Some("Timestamp") => return self.refuse(at, "a time such as `2006-01-02T15:04:05Z`", value),
            well_known => {
                let Value::Object(object) = value else { return self.refuse(at, "a map", value) };
                return match well_known {
                    Some("Any") => self.any(at, object),
                    _ => self.fields(at, name, object, None),
                };
            }
        };
        self.shaped(at, &shape, value);
    }

    /// A message that says its own type.
    fn any(&mut self, at: &Path<'_>, object: &Map<String, Value>) {
        let at_type = at.field("@type");
        let Some(written) = object.get("@type") else {
            let problem = Problem::missing("`@type` is required");
            return self.find(at, problem.help("name the type of this object: `type.googleapis.com/...`"));
        };
        let Some(url) = written.as_str() else { return self.refuse(&at_type, "a string", written) };
        let name = url.rsplit('/').next().unwrap_or_default();
        if envoy_api::message(name).is_none() {
            return self.find(&at_type, unknown_type(url, name));
        }
        if !is_well_known(name) {
            return self.fields(at, name, object, Some("@type"));
        }
        match object.get("value") {
            Some(value) => self.message(&at.field("value"), name, value),
            None => self.find(
                at,
                Problem::missing(format!("`value` is required with type `{name}`")).help("add `value`"),
            ),
        }
    }

    /// Looks for filters without `typed_config`, as Istio does: not in lists, maps, or what is in `typed_config`.
    fn typed_config(&mut self, at: &Path<'_>, name: &str, object: &Map<String, Value>) {
        let Some(message) = envoy_api::message(name) else { return };
        let mut is_typed = false;
        for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let Some(field) = message.field(key) else { continue };
            is_typed |= matches!(field.name, "typed_config" | "config_discovery");
            if let (Shape::One(Type::Message(inner)), Value::Object(object)) = (&field.shape, value) {
                self.typed_config(&at.field(key), inner, object);
            }
        }
        if !is_typed && message.names().any(|name| name == "typed_config") {
            let known = object.get("name").and_then(Value::as_str).unwrap_or_default();
            let message = format!("filter `{}` has no `typed_config`", short(known));
            let help = "Envoy is about to stop telling filters by their name";
            self.find(at, Problem::new(Code::Deprecated, message).help(help));
        }
    }
}

/// Whether a field that is written as `key` is also written in its camel-case spelling.
fn is_written_again(message: Message, object: &Map<String, Value>, key: &str) -> bool {
    let is_other =
        |other: &&String| *other != key && message.field(other).is_some_and(|field| field.name == key);
    key.contains('_') && object.keys().filter(|other| !other.contains('_')).any(|other| is_other(&other))
}

fn unknown_type(url: &str, name: &str) -> Problem {
    let problem = Problem::invalid(format!("type `{}` is not known", short(url)));
    if name.contains(".v2.") {
        return problem.help("version 2 of Envoy's API is gone: use version 3");
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    match envoy_api::messages_called(last).first() {
        Some(known) => problem.help(format!("did you mean `type.googleapis.com/{known}`?")),
        None => match envoy_api::message_like(name) {
            Some(known) => problem.help(format!("did you mean `type.googleapis.com/{known}`?")),
            None => problem.help("write a message of Envoy's API, version 3, with its package"),
        },
    }
}

/// Messages whose JSON is not a map of their fields; in an `Any` it stands under `value`.
fn is_well_known(name: &str) -> bool {
    let last = name.strip_prefix("google.protobuf.").unwrap_or_default();
    matches!(last, "Empty" | "Any" | "Duration" | "Timestamp" | "Struct" | "Value" | "ListValue")
        || (!last.is_empty() && last.ends_with("Value"))
}

/// Text of a JSON number stands for the number.
fn number(value: &Value) -> Option<serde_json::Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn is_number(value: &Value) -> bool {
    let is_special = matches!(value.as_str(), Some("NaN" | "Infinity" | "-Infinity" | "null"));
    is_special || number(value).is_some()
}

/// A number without a fraction is whole, but `"1.0"` as text is not.
fn is_whole(value: &Value, least: i128, most: i128) -> bool {
    let Some(number) = number(value) else { return value.as_str() == Some("null") };
    let whole = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(number), ..) => Some(i128::from(number)),
        (_, Some(number), _) => Some(i128::from(number)),
        (.., Some(number)) if value.is_number() && number.fract() == 0.0 => number.to_string().parse().ok(),
        _ => None,
    };
    whole.is_some_and(|whole| (least..=most).contains(&whole))
}

/// Base64 with padding, line breaks left out; or a list of numbers.
fn is_bytes(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
            let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
            let content = digits.iter().take_while(|byte| is_digit(byte)).count();
            let padding = digits.len() - content;
            digits.len().is_multiple_of(4)
                && padding <= 2
                && digits.iter().skip(content).all(|byte| *byte == b'=')
        }
        Value::Array(items) => items.iter().all(|item| is_whole(item, 0, 255) && item.is_number()),
        _ => false,
    }
}

fn is_timestamp(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a map's key, which JSON writes as text, is of the key's type.
fn is_key(key: &str, of: &Type) -> bool {
    match of {
        Type::Bool => matches!(key, "true" | "false"),
        Type::Whole(least, most) => is_whole(&Value::from(key), *least, *most),
        _ => true,
    }
}

/// What a person would call the value.
fn in_words(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => format!("the boolean `{flag}`"),
        Value::Number(number) => format!("the number `{number}`"),
        Value::String(text) => format!("`{}`", short(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
