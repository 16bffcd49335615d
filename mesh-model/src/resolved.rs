//! One rule for settings that can be written at several levels: the nearest one holds, and what it shadows is remembered.
//!
//! "Port before workload before namespace before mesh" is [`Level`]'s order; [`Resolved`] keeps the value that holds with
//! its origin, and below it every other statement with its own.
//!
//! ```
//! use mesh_model::origin::Origin;
//! use mesh_model::resolved::{Layer, Level, Resolved};
//!
//! let at = |level, value, name| Layer { value, level, origin: Origin::built_in(name) };
//! let mut mode = Resolved::new(at(Level::Default, "PERMISSIVE", "the default"));
//! mode.offer(at(Level::Namespace, "STRICT", "namespace policy"));
//! mode.offer(at(Level::RootNamespace, "DISABLE", "mesh-wide policy"));
//! assert_eq!((*mode.value(), mode.level()), ("STRICT", Level::Namespace));
//! let shadowed: Vec<_> = mode.shadowed().iter().map(|layer| layer.level).collect();
//! assert_eq!(shadowed, [Level::RootNamespace, Level::Default]);
//! ```

use std::fmt;

use serde::{Serialize, Serializer};

use crate::origin::Origin;

/// How near a statement is to what it is about; the nearer one holds. In the order of T-470, S-001 and T-233.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// What holds where nobody says anything.
    Default,
    /// `MeshConfig`.
    Mesh,
    /// An object of the root namespace, for every namespace.
    RootNamespace,
    /// An object of the namespace of the service that is called, for its clients.
    ServiceNamespace,
    /// An object for its whole namespace.
    Namespace,
    /// The workload's own Pod.
    Pod,
    /// An object that selects workloads, or names them.
    Workload,
    /// A rule for a host.
    Host,
    /// A port in such a rule, for all subsets.
    HostPort,
    /// A subset of a host.
    Subset,
    /// A port of a workload or of a subset.
    Port,
}

impl Level {
    /// How it is spoken of.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Mesh => "mesh",
            Self::RootNamespace => "root namespace",
            Self::ServiceNamespace => "namespace of the service",
            Self::Namespace => "namespace",
            Self::Workload => "workload",
            Self::Pod => "pod",
            Self::Host => "host",
            Self::HostPort => "port of the host",
            Self::Subset => "subset",
            Self::Port => "port",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One statement: a value, how near it is, where it was written.
/// Ours: a statement is told from others by where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Layer<T> {
    /// What is said.
    pub value: T,
    /// How near.
    pub level: Level,
    /// Where.
    pub origin: Origin,
}

impl<T> Layer<T> {
    /// A statement.
    pub fn new(value: T, level: Level, origin: Origin) -> Self {
        Self { value, level, origin }
    }
}

/// A setting that holds, with every statement that it was preferred to.
/// Ours: a statement that was overruled is as much of an explanation as the one that holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resolved<T> {
    holds: Layer<T>,
    /// INVARIANT: nearest first, none nearer than `holds`.
    shadowed: Vec<Layer<T>>,
}

impl<T> Resolved<T> {
    /// A setting of which there is one statement.
    pub fn new(layer: Layer<T>) -> Self {
        Self { holds: layer, shadowed: Vec::new() }
    }

    /// What holds where nobody says anything; `name` says which default, with its rule.
    pub fn built_in(value: T, name: &'static str) -> Self {
        Self::new(Layer::new(value, Level::Default, Origin::built_in(name)))
    }

    /// The nearest of some statements, of one level the first; `None`: there are none.
    pub fn of(layers: impl IntoIterator<Item = Layer<T>>) -> Option<Self> {
        let mut layers = layers.into_iter();
        let mut resolved = Self::new(layers.next()?);
        layers.for_each(|layer| resolved.offer(layer));
        Some(resolved)
    }

    /// Takes in a statement; it holds where it is nearer than all before. Of one level, the earlier statement holds.
    pub fn offer(&mut self, layer: Layer<T>) {
        self.insert(layer, |level, new| level < new);
    }

    /// Takes in a statement; it holds where none before is nearer. Of one level, the later statement holds.
    pub fn lay(&mut self, layer: Layer<T>) {
        self.insert(layer, |level, new| level <= new);
    }

    fn insert(&mut self, layer: Layer<T>, gives_way: fn(Level, Level) -> bool) {
        let new = layer.level;
        if gives_way(self.holds.level, new) {
            self.shadowed.insert(0, std::mem::replace(&mut self.holds, layer));
            return;
        }
        let place = self.shadowed.iter().position(|it| gives_way(it.level, new));
        self.shadowed.insert(place.unwrap_or(self.shadowed.len()), layer);
    }

    /// The value that holds.
    pub fn value(&self) -> &T {
        &self.holds.value
    }

    /// The level of the statement that holds.
    pub fn level(&self) -> Level {
        self.holds.level
    }

    /// Where the statement that holds was written.
    pub fn origin(&self) -> &Origin {
        &self.holds.origin
    }

    /// The statements that do not hold, the nearest first.
    pub fn shadowed(&self) -> &[Layer<T>] {
        &self.shadowed
    }

    /// Every statement, the one that holds first.
    pub fn layers(&self) -> impl Iterator<Item = &Layer<T>> {
        std::iter::once(&self.holds).chain(&self.shadowed)
    }

    /// The value that holds, without what is known of it.
    pub fn into_value(self) -> T {
        self.holds.value
    }

    /// The same statements, of which the one that holds says `value`: what came out where statements are merged.
    #[must_use]
    pub fn with_value(mut self, value: T) -> Self {
        self.holds.value = value;
        self
    }

    /// The same statements with other values.
    pub fn map<U>(self, mut change: impl FnMut(T) -> U) -> Resolved<U> {
        let mut of = |layer: Layer<T>| Layer::new(change(layer.value), layer.level, layer.origin);
        Resolved { holds: of(self.holds), shadowed: self.shadowed.into_iter().map(of).collect() }
    }

    /// Whether both say the same at the same places: unlike equality, the version of the documents counts.
    pub fn is_same_as(&self, other: &Self) -> bool
    where
        T: PartialEq,
    {
        self == other && self.layers().zip(other.layers()).all(|(a, b)| a.origin.is_same_place(&b.origin))
    }
}

impl<T> Resolved<Option<T>> {
    /// The statements that say something; `None`: none does.
    pub fn flatten(self) -> Option<Resolved<T>> {
        let layers = std::iter::once(self.holds).chain(self.shadowed);
        Resolved::of(layers.filter_map(|it| Some(Layer::new(it.value?, it.level, it.origin))))
    }
}

/// `{"value", "level", "origin", "shadowed": [{"value", "level", "origin"}]}`; `shadowed` is left out where it is empty.
impl<T: Serialize> Serialize for Resolved<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'r, T> {
            #[serde(flatten)]
            holds: &'r Layer<T>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            shadowed: &'r [Layer<T>],
        }
        Form { holds: &self.holds, shadowed: &self.shadowed }.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEVELS: [Level; 11] = [
        Level::Default,
        Level::Mesh,
        Level::RootNamespace,
        Level::ServiceNamespace,
        Level::Namespace,
        Level::Pod,
        Level::Workload,
        Level::Host,
        Level::HostPort,
        Level::Subset,
        Level::Port,
    ];

    /// The rule read aloud: again and again the statement is taken that no other one beats.
    fn slowly(statements: &[(usize, u8)], later_wins: bool) -> Vec<(usize, u8)> {
        let mut left: Vec<(usize, usize, u8)> =
            statements.iter().enumerate().map(|(turn, (level, value))| (turn, *level, *value)).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            let beats = |a: &(usize, usize, u8), b: &(usize, usize, u8)| {
                a.1 > b.1 || (a.1 == b.1 && (a.0 > b.0) == later_wins && a.0 != b.0)
            };
            let best = left.iter().position(|one| !left.iter().any(|other| beats(other, one))).unwrap();
            let (_, level, value) = left.remove(best);
            order.push((level, value));
        }
        order
    }

    fn quickly(statements: &[(usize, u8)], later_wins: bool) -> Vec<(usize, u8)> {
        let layer =
            |(level, value): &(usize, u8)| Layer::new(*value, LEVELS[*level], Origin::built_in("said"));
        let mut layers = statements.iter().map(layer);
        let Some(first) = layers.next() else { return Vec::new() };
        let mut resolved = Resolved::new(first);
        for layer in layers {
            if later_wins { resolved.lay(layer) } else { resolved.offer(layer) }
        }
        let place = |level: Level| LEVELS.iter().position(|it| *it == level).unwrap();
        assert_eq!(resolved.layers().next().map(|it| it.value), Some(*resolved.value()));
        resolved.layers().map(|it| (place(it.level), it.value)).collect()
    }

    proptest! {
        #[test]
        fn statements_stand_in_the_order_in_which_they_beat_each_other(
            statements in proptest::collection::vec((0..LEVELS.len(), any::<u8>()), 0..12), later_wins: bool,
        ) {
            prop_assert_eq!(quickly(&statements, later_wins), slowly(&statements, later_wins));
        }
    }

    #[test]
    fn what_says_nothing_shadows_nothing() {
        let at = |value, level| Layer::new(value, level, Origin::built_in("said"));
        let all = [at(Some(1), Level::Mesh), at(None, Level::Namespace), at(Some(3), Level::Default)];
        let resolved = Resolved::of(all).unwrap().flatten().unwrap();
        assert_eq!((*resolved.value(), resolved.shadowed().len()), (1, 1));
        assert_eq!(Resolved::of([at(None::<u8>, Level::Mesh)]).unwrap().flatten(), None);
    }

    #[test]
    fn it_is_written_with_what_it_shadows() {
        let mut resolved = Resolved::built_in(true, "the default");
        resolved.offer(Layer::new(false, Level::RootNamespace, Origin::built_in("elsewhere")));
        let json = serde_json::to_value(&resolved).unwrap();
        let origin = |field: &str| serde_json::json!({"kind": "built-in", "field": field});
        let wanted = serde_json::json!({
            "value": false, "level": "root namespace", "origin": origin("elsewhere"),
            "shadowed": [{"value": true, "level": "default", "origin": origin("the default")}],
        });
        assert_eq!(json, wanted);
    }
}
