//! The table of what is asked of each field, read once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::pattern::{self, Pattern};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Holds {
    /// A string.
    #[default]
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// A message, or labels.
    Map,
    /// A list.
    List,
}

/// The least and the most, both allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Bounds {
    pub(crate) least: Option<i128>,
    pub(crate) most: Option<i128>,
}

/// What is asked of one field.
#[derive(Debug, Default)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) holds: Holds,
    pub(crate) is_required: bool,
    /// What the API server puts where nothing is written.
    pub(crate) default: Option<&'static str>,
    /// The words it may be; empty: any.
    pub(crate) words: Vec<&'static str>,
    pub(crate) pattern: Option<&'static Pattern>,
    /// Characters of a text.
    pub(crate) length: Bounds,
    /// Of a number.
    pub(crate) range: Bounds,
    /// Elements of a list, entries of a map.
    pub(crate) count: Bounds,
    /// Whether elements of a list must differ.
    pub(crate) is_set: bool,
    /// The fields that tell the elements of a list apart.
    pub(crate) keys: Vec<&'static str>,
    /// The type of a map, or of each element of a list; empty: none of the table.
    pub(crate) of: &'static str,
    /// What is asked of each plain element of a list, or value of a map.
    pub(crate) each: Option<Box<Field>>,
}

static TYPES: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut types: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    for row in include_str!("facts.tsv").lines().filter(|row| !row.starts_with('#')) {
        let mut cells = row.split('\t');
        let (Some(of), Some(name), Some(facts)) = (cells.next(), cells.next(), cells.next()) else {
            continue;
        };
        let fields = types.entry(of).or_default();
        let element = name.strip_suffix("[]").or_else(|| name.strip_suffix("{}"));
        let field = read(element.unwrap_or(name), facts);
        // The row of the elements stands after that of their list.
        match (element, fields.last_mut()) {
            (Some(_), Some(list)) => list.each = Some(Box::new(field)),
            _ => fields.push(field),
        }
    }
    types
});

fn read(name: &'static str, facts: &'static str) -> Field {
    let mut field = Field { name, ..Field::default() };
    for fact in facts.split(' ') {
        let (word, value) = fact.split_once('=').unwrap_or((fact, ""));
        match word {
            "integer" => field.holds = Holds::Integer,
            "boolean" => field.holds = Holds::Boolean,
            "map" => field.holds = Holds::Map,
            "list" => field.holds = Holds::List,
            "required" => field.is_required = true,
            "default" => field.default = Some(value),
            "words" => field.words = value.split('|').collect(),
            "pattern" => field.pattern = pattern::named(value),
            "length" => field.length = bounds(value),
            "range" => field.range = bounds(value),
            "items" | "entries" => field.count = bounds(value),
            "set" => field.is_set = true,
            "keys" => field.keys = value.split(',').collect(),
            "of" => field.of = value,
            _ => {}
        }
    }
    field
}

fn bounds(text: &str) -> Bounds {
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    Bounds { least: least.parse().ok(), most: most.parse().ok() }
}

/// The fields of a type; none of a type that is not in the table.
pub(crate) fn fields_of(name: &str) -> &'static [Field] {
    TYPES.get(name).map_or(&[], Vec::as_slice)
}

/// What the version `v1alpha2` of a route asks of a field, where it is something else.
pub(super) fn alpha(of: &str, name: &str) -> Option<&'static Field> {
    fields_of(&format!("{of}@alpha")).iter().find(|field| field.name == name)
}

/// Every type of the table, with its fields.
pub(crate) fn types() -> impl Iterator<Item = (&'static str, &'static [Field])> {
    TYPES.iter().map(|(name, fields)| (*name, fields.as_slice()))
}
