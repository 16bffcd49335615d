//! Which rule is tried first (E-100): exact paths, prefixes, patterns; longer before shorter; then method, headers and
//! query parameters. Rules of equal rank keep their order.

use std::cmp::Reverse;

use mesh_model::networking::virtual_service::spec::HttpRoute;
use mesh_model::part::StringMatch;

use crate::merge::virtual_service::HttpOrigin;

/// An entry and where it was written.
pub(super) type Entry = (HttpRoute, HttpOrigin);

/// Sorts entries of at most one match each; those without a match come last.
pub(super) fn sort(entries: &mut [Entry]) {
    entries.sort_by_key(|(route, _)| rank(route));
}

/// Smaller is tried earlier.
type Rank = (bool, Reverse<(i8, usize, bool, usize, usize)>);

fn rank(route: &HttpRoute) -> Rank {
    let Some(condition) = route.r#match.first() else {
        return (true, Reverse((0, 0, false, 0, 0)));
    };
    let (kind, length) = match &condition.uri {
        Some(StringMatch::Exact(path)) => (3, path.len()),
        Some(StringMatch::Prefix(path)) => (2, path.len()),
        Some(StringMatch::Regex(pattern)) => (1, pattern.len()),
        Some(StringMatch::Unset) | None => (-1, 0),
    };
    let has_method = condition.method.is_some();
    (false, Reverse((kind, length, has_method, condition.headers.len(), condition.query_params.len())))
}
