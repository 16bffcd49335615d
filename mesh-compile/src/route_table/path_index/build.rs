//! The index is made in one sweep over all keys in order of their texts: what a key begins with comes before it.

use std::borrow::Cow;

use super::{
    ALIKE_SCANNED_MAX, BEGINNING, KIND_SHIFT, LIST, Lengths, PathIndex, SCANNED_MAX,
    SCANNED_WITH_REGEXES_MAX, SETTLED_MAX, UNSETTLED, Unsettled, VALUE_MASK, WHOLE, WINNER,
};
use crate::route_table::Route;
use crate::route_table::bucket::Bucket;
use crate::route_table::folded_tree::FoldedTree;
use crate::route_table::key_table::{KeyTable, Sort, mark};
use crate::route_table::matcher::{Case, PathMatch};
use crate::route_table::pattern::Pattern;
use crate::route_table::regex_group::RegexGroup;
use crate::route_table::text_hash::Seed;

/// At most this many regexes with the same literal start are tested one by one.
const TESTED_MAX: usize = 8;

/// One route under one key.
struct Entry<'r> {
    text: Cow<'r, [u8]>,
    kind: Kind,
    position: u32,
    route: &'r Route,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Fits whatever follows.
    Prefix,
    /// A regex whose matches start so.
    Maybe,
    /// Fits when the path ends here.
    Whole,
}

/// A route that can win, and whether its path predicate is known to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Contender {
    position: u32,
    fits: bool,
}

/// Routes that can win for paths that start with a text and with no longer key.
#[derive(Debug, Clone, Default)]
struct Contenders {
    /// In order, up to the first that asks for nothing else.
    listed: Vec<Contender>,
    /// The least position of those that are not listed.
    unlisted: Option<u32>,
    /// Whether the last one listed asks for nothing else.
    is_decided: bool,
}

/// A prefix above the key that the sweep has come to.
struct Above<'s> {
    text: &'s [u8],
    contenders: Contenders,
}

/// What the sweep has made.
#[derive(Default)]
struct Made<'s> {
    keys: Vec<(&'s [u8], Sort, u32)>,
    lists: Vec<u32>,
    open: Vec<Unsettled>,
    lengths: Lengths,
}

impl PathIndex {
    /// Indexes routes; `None`: there are too few to gain anything, or more than 2^30 routes or bytes of paths.
    pub(in crate::route_table) fn new(routes: &[Route]) -> Option<Self> {
        let bytes: usize = routes.iter().map(|route| route.matcher.path.literal_length()).sum();
        if is_scanned(routes) || routes.len().max(bytes) > VALUE_MASK as usize {
            return None;
        }
        let (mut entries, mut folded) = sort_out(routes)?;
        // Positions ascend already.
        entries.sort_by(|a, b| (&*a.text, a.kind == Kind::Whole).cmp(&(&*b.text, b.kind == Kind::Whole)));
        let mut made = Made::default();
        let mut above: Vec<Above<'_>> = Vec::new();
        let same = |a: &Entry<'_>, b: &Entry<'_>| {
            (a.kind == Kind::Whole) == (b.kind == Kind::Whole) && a.text == b.text
        };
        for group in entries.chunk_by(same) {
            let Some(Entry { text, kind, .. }) = group.first() else { continue };
            while above.last().is_some_and(|above| !text.starts_with(above.text)) {
                above.pop();
            }
            let inherited = above.last().map(|above| &above.contenders);
            if *kind == Kind::Whole {
                let value = made.whole(group, inherited, &folded, routes)?;
                made.keys.push((text, WHOLE, value));
            } else {
                let (contenders, value) = made.prefix(group, inherited, routes)?;
                made.keys.push((text, BEGINNING, value));
                made.lengths.add(text);
                above.push(Above { text, contenders });
            }
        }
        let Made { keys, lists, mut open, mut lengths } = made;
        lengths.seal();
        open.iter_mut().for_each(|open| open.seal(routes));
        folded.seal(routes);
        let seed = Seed::random();
        let keys = KeyTable::new(seed, keys);
        Some(Self {
            seed,
            is_simple: folded.is_empty() && !lengths.has_long() && keys.is_whole(),
            empty: keys.get(seed.hash(b"", mark(0, BEGINNING)), b"", BEGINNING),
            keys,
            lengths,
            lists: lists.into(),
            open: open.into(),
            has_folded: !folded.is_empty(),
            folded,
        })
    }
}

/// Whether a scan costs no more than an index would.
fn is_scanned(routes: &[Route]) -> bool {
    if routes.len() <= SCANNED_WITH_REGEXES_MAX {
        return true;
    }
    let starts = || {
        routes.iter().filter_map(|route| match &route.matcher.path {
            PathMatch::Regex(pattern) => Some(pattern.literal_start()),
            _ => None,
        })
    };
    let are_many = |start: &[u8]| starts().filter(|other| *other == start).count() > ALIKE_SCANNED_MAX;
    routes.len() <= SCANNED_MAX && !starts().any(are_many)
}

/// The keys of all routes, apart from those whose case does not count.
fn sort_out(routes: &[Route]) -> Option<(Vec<Entry<'_>>, FoldedTree)> {
    let mut entries = Vec::with_capacity(routes.len());
    let mut folded = FoldedTree::default();
    for (position, route) in (0..).zip(routes) {
        let mut add = |text, kind| entries.push(Entry { text, kind, position, route });
        match &route.matcher.path {
            PathMatch::Exact(text, Case::Sensitive) => add(text.as_bytes().into(), Kind::Whole),
            PathMatch::Prefix(text, Case::Sensitive) => add(text.as_bytes().into(), Kind::Prefix),
            PathMatch::SegmentPrefix(text) => {
                add(text.as_bytes().into(), Kind::Whole);
                add([text.as_bytes(), b"/"].concat().into(), Kind::Prefix);
            }
            PathMatch::Regex(pattern) => add(pattern.literal_start().into(), Kind::Maybe),
            PathMatch::Exact(text, Case::Insensitive) => folded.entries_at(text)?.whole.push(position),
            PathMatch::Prefix(text, Case::Insensitive) => folded.entries_at(text)?.open.push(position),
        }
    }
    Some((entries, folded))
}

impl Made<'_> {
    /// The value of a whole path.
    fn whole(
        &mut self,
        group: &[Entry<'_>],
        inherited: Option<&Contenders>,
        folded: &FoldedTree,
        routes: &[Route],
    ) -> Option<u32> {
        let mut contenders = inherited.cloned().unwrap_or_default();
        contenders.extend(group.iter().map(|entry| Contender { position: entry.position, fits: true }));
        let Entry { text, .. } = group.first()?;
        let mut add = |bucket: &Bucket| {
            // More than these are not settled anyway.
            let positions = bucket.plain().unwrap_or_default().iter().take(SETTLED_MAX + 1);
            contenders.extend(positions.map(|position| Contender { position: *position, fits: true }));
        };
        folded.walk(text, |entries, rest| {
            add(&entries.open);
            if rest.is_empty() {
                add(&entries.whole);
            }
        });
        contenders.settle(routes);
        self.value(&contenders, || {
            let fitting = Bucket::of(group.iter().map(|entry| entry.position).collect());
            Unsettled { fitting, ..Unsettled::default() }
        })
    }

    /// The contenders under a prefix, and its value.
    fn prefix(
        &mut self,
        group: &[Entry<'_>],
        inherited: Option<&Contenders>,
        routes: &[Route],
    ) -> Option<(Contenders, u32)> {
        let mut contenders = inherited.cloned().unwrap_or_default();
        let maybe: Vec<(u32, &Route, &Pattern)> = group
            .iter()
            .filter_map(|entry| match &entry.route.matcher.path {
                PathMatch::Regex(pattern) => Some((entry.position, entry.route, pattern)),
                _ => None,
            })
            .collect();
        let is_tested = maybe.len() <= TESTED_MAX;
        if let Some((least, ..)) = maybe.first()
            && !is_tested
        {
            contenders.unlisted = Some(contenders.unlisted.map_or(*least, |other| other.min(*least)));
        }
        let listed = group.iter().filter(|entry| is_tested || entry.kind == Kind::Prefix);
        contenders.extend(
            listed.map(|entry| Contender { position: entry.position, fits: entry.kind == Kind::Prefix }),
        );
        contenders.settle(routes);
        let value = self.value(&contenders, || {
            let fitting = group.iter().filter(|entry| entry.kind == Kind::Prefix);
            let mut open = Unsettled {
                fitting: Bucket::of(fitting.map(|entry| entry.position).collect()),
                ..Unsettled::default()
            };
            if is_tested {
                open.maybe = Bucket::of(maybe.iter().map(|(position, ..)| *position).collect());
            } else {
                open.regexes = Some(RegexGroup::new(&maybe));
            }
            open
        })?;
        Some((contenders, value))
    }

    fn value(&mut self, contenders: &Contenders, open: impl FnOnce() -> Unsettled) -> Option<u32> {
        let (kind, number) = match contenders.listed.as_slice() {
            _ if contenders.unlisted.is_some() => {
                self.open.push(open());
                (UNSETTLED, self.open.len() - 1)
            }
            [Contender { position, fits: true }] if contenders.is_decided => (WINNER, *position as usize),
            listed => {
                let fits = listed.iter().all(|contender| contender.fits);
                let start = self.lists.len();
                self.lists.push(u32::try_from(listed.len()).ok()? * 2 + u32::from(fits));
                self.lists.extend(listed.iter().map(|contender| contender.position));
                (LIST, start)
            }
        };
        let number = u32::try_from(number).ok().filter(|number| *number <= VALUE_MASK)?;
        Some(kind << KIND_SHIFT | number)
    }
}

impl Contenders {
    fn extend(&mut self, more: impl Iterator<Item = Contender>) {
        self.listed.extend(more);
    }

    /// Puts them in order and leaves out those that cannot win.
    fn settle(&mut self, routes: &[Route]) {
        self.listed.sort_unstable();
        // The first that asks for nothing else wins wherever nothing before it does.
        let is_last = |contender: &Contender| {
            let route = routes.get(contender.position as usize);
            contender.fits && route.is_some_and(|route| !route.matcher.looks_beyond_path())
        };
        let last = self.listed.iter().position(is_last);
        self.is_decided = last.is_some();
        if let Some(last) = last {
            self.listed.truncate(last + 1);
            let last = self.listed.last().map(|last| last.position);
            self.unlisted = self.unlisted.filter(|unlisted| Some(*unlisted) < last);
        }
        if let Some(first) = self.listed.get(SETTLED_MAX).map(|first| first.position) {
            self.listed.truncate(SETTLED_MAX);
            self.is_decided = false;
            self.unlisted = Some(self.unlisted.map_or(first, |other| other.min(first)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route_table::action::{DirectResponse, HeaderOps, RouteAction};
    use crate::route_table::matcher::RouteMatch;
    use crate::route_table::pattern::Pattern;
    use mesh_model::origin::Origin;

    fn regexes(count: usize, pattern: impl Fn(usize) -> String) -> Vec<Route> {
        let route = |number| Route {
            name: "".into(),
            matcher: RouteMatch::path(PathMatch::Regex(Pattern::full_match(&pattern(number)).unwrap())),
            action: RouteAction::Respond(DirectResponse { status: 200, body: None }),
            request_headers: HeaderOps::default(),
            response_headers: HeaderOps::default(),
            origin: Origin::built_in("test"),
        };
        (0..count).map(route).collect()
    }

    #[test]
    fn ten_regexes_that_start_alike_are_not_scanned() {
        let headless = |number: usize| format!("/[^/]+/{number}");
        let own_start = |number: usize| format!("/{number}/[^/]+");
        assert_eq!([8, 9, 10].map(|count| is_scanned(&regexes(count, headless))), [true, false, false]);
        assert_eq!([9, 10, 11].map(|count| is_scanned(&regexes(count, own_start))), [true, true, false]);
        let mixed = [regexes(4, headless), regexes(6, own_start)].concat();
        assert!(is_scanned(&mixed));
    }
}
