//! Trees from JSON values and back.

use serde_json::Value as Json;

use super::build::Plain;
use super::{Node, Span, Tree, TreeBuilder, Value};

impl Tree {
    /// A tree without places inside: everything stands at `span`.
    pub fn from_json(json: &Json, span: Span) -> Self {
        let mut builder = TreeBuilder::default();
        add(&mut builder, json);
        builder.finish_at(span)
    }

    /// `{}` at a place.
    pub(crate) fn empty_map(span: Span) -> Self {
        let mut builder = TreeBuilder::default();
        builder.map(0);
        builder.finish_at(span)
    }

    /// The value at the top.
    pub fn root(&self) -> Node<'_> {
        Node::at(self, 0)
    }
}

impl Node<'_> {
    /// The tree as JSON. Whole numbers beyond 64 bits become floats, as JSON readers would have them.
    pub fn to_json(self) -> Json {
        match self.value() {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(flag),
            Value::Integer(number) => integer_to_json(number),
            Value::Float(number) => Json::from(number),
            Value::String(text) => Json::String(text.to_owned()),
            Value::List(items) => items.map(Self::to_json).collect(),
            Value::Map(entries) => {
                Json::Object(entries.map(|entry| (entry.key.to_owned(), entry.value.to_json())).collect())
            }
        }
    }
}

fn add(builder: &mut TreeBuilder, json: &Json) {
    let at = builder.len();
    match json {
        Json::Null => builder.scalar(Plain::Null, 0..0),
        Json::Bool(flag) => builder.scalar(Plain::Bool(*flag), 0..0),
        Json::Number(number) => builder.scalar(number_from_json(number), 0..0),
        Json::String(text) => builder.text(text, 0..0),
        Json::Array(items) => {
            builder.list(0);
            items.iter().for_each(|item| add(builder, item));
            builder.close(at, 0);
        }
        Json::Object(fields) => {
            builder.map(0);
            for (key, value) in fields {
                builder.text(key, 0..0);
                add(builder, value);
            }
            builder.close(at, 0);
        }
    }
}

fn integer_to_json(number: i128) -> Json {
    let whole = u64::try_from(number).map(Json::from);
    whole.or_else(|_| i64::try_from(number).map(Json::from)).unwrap_or_else(|_| {
        // Printing and reading back rounds to the nearest float, without a lossy cast.
        number.to_string().parse::<f64>().map_or(Json::Null, Json::from)
    })
}

fn number_from_json(number: &serde_json::Number) -> Plain {
    let whole = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
    if let Some(whole) = whole {
        return Plain::Integer(whole);
    }
    let float = number.as_f64().unwrap_or_default();
    // `1.0` and `1e3` reach integer fields, as they do through Kubernetes' conversion.
    if float.fract() == 0.0 && float.abs() < 1e21 {
        return float.to_string().parse().map_or(Plain::Float(float), Plain::Integer);
    }
    Plain::Float(float)
}
