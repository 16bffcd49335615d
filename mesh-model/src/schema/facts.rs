//! What the API says of its fields beyond their types, as a table: `facts.tsv`.
//!
//! The table has a row for each field of each Istio kind and message. It was made from the schemas and the protobuf files
//! that Istio publishes, and a test keeps it that way where those lists lie beside the workspace.

use serde_json::{Map, Value, json};

/// A row: a field of a kind. Spec: Istio's resource definitions and the protobuf files of its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<'t> {
    /// `VirtualService`, `mesh.ProxyConfig`, `(every kind)`.
    pub kind: &'t str,
    /// Where it stands, as in [`Field::path`](super::Field::path).
    pub path: &'t str,
    /// The API's word for its type; `wrapper:` in front of a scalar that can be unset.
    pub holds: &'t str,
    /// The words of an enum, separated by commas.
    pub words: &'t str,
    /// `required`, `nullable`, `deprecated`, `hidden`, `new`, `unlisted`, separated by commas; `hidden`: not in the
    /// public documentation; `new`: in the schema of Istio's newest version only; `unlisted`: used by Istio's code, but in
    /// none of the lists that this table was made from.
    pub flags: &'t str,
    /// The fields of which at most one may be set, separated by `|`.
    pub oneof: &'t str,
    /// Bounds and patterns, as `name=value`.
    pub constraints: &'t str,
    /// The spelling that this one is another spelling of.
    pub alias_of: &'t str,
}

pub(super) const TABLE: &str = include_str!("facts.tsv");

/// Every row, in order. Ours: one table, so that a schema and a check cannot say two things.
pub fn facts() -> impl Iterator<Item = Fact<'static>> {
    // The first line names the columns.
    TABLE.lines().skip(1).filter_map(|line| {
        let mut cells = line.split('\t');
        let mut next = || cells.next();
        let (kind, path, holds) = (next()?, next()?, next()?);
        let (words, flags, oneof, constraints, alias_of) = (next()?, next()?, next()?, next()?, next()?);
        Some(Fact { kind, path, holds, words, flags, oneof, constraints, alias_of })
    })
}

impl<'t> Fact<'t> {
    /// Whether a flag is set.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.split(',').any(|one| one == flag)
    }

    /// The field it belongs to, and its name there; `None` for elements and for the whole.
    fn parent(&self) -> Option<(&'t str, &'t str)> {
        let (parent, name) = self.path.rsplit_once('.').unwrap_or(("", self.path));
        (!name.ends_with(['}', ']'])).then_some((parent, name))
    }
}

/// Adds the facts to the schema of a kind that stands at `root`.
pub(super) fn lay_over<'t>(schema: &mut Value, root: &str, facts: impl Iterator<Item = Fact<'t>>) {
    for fact in facts {
        if !fact.alias_of.is_empty() {
            second_spelling(schema, root, &fact);
        }
        if let Some(field) = at(schema, root, fact.path) {
            of_field(field, &fact);
        }
        let Some((parent, name)) = fact.parent().filter(|_| fact.path != root) else { continue };
        let Some(parent) = at(schema, root, parent).and_then(Value::as_object_mut) else { continue };
        if fact.has("required") {
            push(parent, "required", json!(name));
        }
        // Every member of a oneof has the row of the whole oneof: the first one adds it.
        if fact.oneof.split('|').next() == Some(name) {
            push(parent, "allOf", at_most_one(fact.oneof));
        }
    }
}

fn push(object: &mut Map<String, Value>, key: &str, value: Value) {
    if let Value::Array(list) = object.entry(key).or_insert_with(|| json!([])) {
        list.push(value);
    }
}

/// The node of a field.
fn at<'s>(schema: &'s mut Value, root: &str, path: &str) -> Option<&'s mut Value> {
    let rest = path.strip_prefix(root)?;
    rest.split('.').filter(|step| !step.is_empty()).try_fold(schema, |node, step| {
        let mut name = step;
        let mut turns = Vec::new();
        while let Some((before, turn)) = name
            .strip_suffix("[]")
            .map(|before| (before, '['))
            .or_else(|| Some((name.strip_suffix("{}")?, '{')))
        {
            name = before;
            turns.push(turn);
        }
        // Elements of the root itself have no name of their own.
        let node = if name.is_empty() { node } else { node.get_mut("properties")?.get_mut(name)? };
        turns.into_iter().rev().try_fold(node, |node, turn| match turn {
            '[' => node.get_mut("items"),
            _ if node.get("patternProperties").is_some() => {
                node.get_mut("patternProperties")?.as_object_mut()?.values_mut().next()
            }
            _ => node.get_mut("additionalProperties"),
        })
    })
}

fn of_field(field: &mut Value, fact: &Fact<'_>) {
    if fact.has("nullable") {
        allow_null(field);
    }
    let Some(field) = field.as_object_mut() else { return };
    if fact.has("deprecated") {
        field.insert("deprecated".to_owned(), json!(true));
    }
    for (name, value) in constraints(fact.constraints) {
        match name {
            "pattern" => drop(field.insert(name.to_owned(), json!(value))),
            "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties"
            | "maxProperties" => {
                let number = value.parse::<i64>().map(Value::from).ok();
                if let Some(number) = number.or_else(|| value.parse::<f64>().map(Value::from).ok()) {
                    field.insert(name.to_owned(), number);
                }
            }
            // Formats say no more than the types, and list keys have no word in JSON Schema.
            _ => {}
        }
    }
}

/// `name=value` by name; a pattern comes last and may hold spaces.
fn constraints(text: &str) -> Vec<(&str, String)> {
    let (rest, pattern) = match text.find("pattern=") {
        Some(start) => text.split_at(start),
        None => (text, ""),
    };
    let plain =
        rest.split(' ').filter_map(|one| one.split_once('=')).map(|(name, value)| (name, value.to_owned()));
    let pattern = pattern.split_once('=').map(|(name, value)| (name, value.replace("\\\\", "\\")));
    plain.chain(pattern).collect()
}

fn allow_null(field: &mut Value) {
    if let Some(types) = field.get_mut("type")
        && let Value::String(one) = types
    {
        *types = json!([one, "null"]);
    }
}

/// The second spelling of a field, as the API's schema has it.
fn second_spelling(schema: &mut Value, root: &str, fact: &Fact<'_>) {
    let Some((parent, name)) = fact.parent() else { return };
    let fields = at(schema, root, parent).and_then(|parent| parent.get_mut("properties"));
    let Some(fields) = fields.and_then(Value::as_object_mut) else { return };
    if let Some(mut copy) = fields.get(fact.alias_of).cloned() {
        if let Some(copy) = copy.as_object_mut() {
            copy.insert("description".to_owned(), json!(format!("Second spelling of `{}`.", fact.alias_of)));
        }
        fields.insert(name.to_owned(), copy);
    }
}

/// None of the fields, or exactly one.
fn at_most_one(oneof: &str) -> Value {
    let each: Vec<Value> = oneof.split('|').map(|name| json!({"required": [name]})).collect();
    let mut choices = vec![json!({"not": {"anyOf": each}})];
    choices.extend(each);
    json!({"oneOf": choices})
}
