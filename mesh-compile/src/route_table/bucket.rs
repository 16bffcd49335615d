//! Routes with the same path predicate. Where they are many and most ask for one text of the same header or query
//! parameter, that text leads to the few that can match.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::Route;
use super::matcher::{RouteMatch, TextMatch, ValueMatch};
use super::predicate::Subject;

/// Buckets with at most this many routes are not split.
const WHOLE_MAX: usize = 8;

/// Most texts lead to one route or two.
type Positions = SmallVec<[u32; 4]>;

/// Positions of routes, ascending. Small: there is one for every path that is written, and most hold one route.
#[derive(Debug, Clone, Default)]
pub(super) enum Bucket {
    /// None.
    #[default]
    Empty,
    /// One.
    One(u32),
    /// Several.
    Many(Box<Many>),
}

/// Several positions.
#[derive(Debug, Clone, Default)]
pub(super) struct Many {
    /// Those that no text leads to.
    general: Vec<u32>,
    split: Option<Split>,
}

/// The routes that one key tells apart.
#[derive(Debug, Clone)]
struct Split {
    key: Key,
    by_text: HashMap<Box<[u8]>, Positions, RandomState>,
}

/// What of a request is looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Header(Box<str>),
    Query(Box<str>),
}

impl Bucket {
    /// Of positions in order.
    pub(super) fn of(positions: Vec<u32>) -> Self {
        match positions.as_slice() {
            [] => Self::Empty,
            [only] => Self::One(*only),
            _ => Self::Many(Box::new(Many { general: positions, split: None })),
        }
    }

    /// All of them in order; `None`: some are led to by a text.
    pub(super) fn plain(&self) -> Option<&[u32]> {
        match self {
            Self::Empty => Some(&[]),
            Self::One(position) => Some(std::slice::from_ref(position)),
            Self::Many(many) => many.split.is_none().then_some(&*many.general),
        }
    }

    /// Adds a position greater than those before.
    pub(super) fn push(&mut self, position: u32) {
        match self {
            Self::Empty => *self = Self::One(position),
            Self::One(first) => {
                let general = vec![*first, position];
                *self = Self::Many(Box::new(Many { general, split: None }));
            }
            Self::Many(many) => many.general.push(position),
        }
    }

    /// Splits a large bucket. To be called once, after the last `push`.
    pub(super) fn seal(&mut self, routes: &[Route]) {
        if let Self::Many(many) = self {
            many.seal(routes);
        }
    }

    /// Visits sorted lists that together hold every route that can match.
    pub(super) fn lists<'i>(&'i self, subject: &Subject<'_>, mut visit: impl FnMut(&'i [u32])) {
        match self {
            Self::Empty => {}
            Self::One(position) => visit(std::slice::from_ref(position)),
            Self::Many(many) => many.lists(subject, visit),
        }
    }
}

impl Many {
    fn seal(&mut self, routes: &[Route]) {
        self.general.shrink_to_fit();
        if self.general.len() <= WHOLE_MAX {
            return;
        }
        let Some(key) = self.best_key(routes) else { return };
        let mut split = Split { key, by_text: HashMap::default() };
        self.general.retain(|position| {
            let matcher = routes.get(*position as usize).map(|route| &route.matcher);
            match matcher.and_then(|matcher| split.key.required_text(matcher)) {
                Some(text) => {
                    split.by_text.entry(text.as_bytes().into()).or_default().push(*position);
                    false
                }
                None => true,
            }
        });
        self.general.shrink_to_fit();
        self.split = Some(split);
    }

    fn lists<'i>(&'i self, subject: &Subject<'_>, mut visit: impl FnMut(&'i [u32])) {
        visit(&self.general);
        let Some(split) = &self.split else { return };
        let mut look_up = |text: &[u8]| {
            if let Some(positions) = split.by_text.get(text) {
                visit(positions);
            }
        };
        match &split.key {
            Key::Header(name) => subject.each_header_value(name, look_up),
            Key::Query(name) => {
                if let Some(value) = subject.query_value(name) {
                    look_up(value.as_bytes());
                }
            }
        }
    }

    /// The key with the most texts; `None` where it would leave as much to look at as before.
    fn best_key(&self, routes: &[Route]) -> Option<Key> {
        let mut texts: HashMap<Key, HashMap<&str, usize, RandomState>, RandomState> = HashMap::default();
        for route in self.general.iter().filter_map(|position| routes.get(*position as usize)) {
            for (key, text) in required_texts(&route.matcher) {
                *texts.entry(key).or_default().entry(text).or_default() += 1;
            }
        }
        let (key, texts) =
            texts.into_iter().max_by(|(key, a), (other, b)| a.len().cmp(&b.len()).then(other.cmp(key)))?;
        (texts.len() > 1).then_some(key)
    }
}

impl Key {
    /// The text that a route asks this key for.
    fn required_text<'t>(&self, matcher: &'t RouteMatch) -> Option<&'t str> {
        required_texts(matcher).find(|(key, _)| key == self).map(|(_, text)| text)
    }
}

/// Predicates that hold for one text only, which the request has to carry.
fn required_texts(matcher: &RouteMatch) -> impl Iterator<Item = (Key, &str)> {
    let headers = matcher.headers.iter().filter(|header| !header.invert).filter_map(|header| {
        let text = exact_text(&header.value)?;
        let is_carried = !(header.missing_is_empty && text.is_empty());
        is_carried.then(|| (Key::Header((*header.name).into()), text))
    });
    let query = matcher
        .query
        .iter()
        .filter_map(|query| Some((Key::Query((*query.name).into()), exact_text(&query.value)?)));
    headers.chain(query)
}

fn exact_text(value: &ValueMatch) -> Option<&str> {
    match value {
        ValueMatch::Text(TextMatch::Exact(text)) => Some(text),
        _ => None,
    }
}
