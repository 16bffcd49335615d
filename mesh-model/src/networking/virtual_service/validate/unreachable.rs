//! Routes and matches that no request reaches, because earlier ones take them all (T-119).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Checker, Path, Problem};
use crate::diagnostic::Code;
use crate::networking::virtual_service::spec::{HttpMatchRequest, HttpRoute, TcpRoute, TlsRoute};
use crate::part::StringMatch;

/// Overlaps are looked for among this many prefix matches at most: the search compares each with each.
const PREFIXES_MAX: usize = 512;

fn unreachable(message: String) -> Problem {
    Problem::new(Code::Unreachable, message)
        .help("remove it, or move it above the rule that takes its requests")
}

/// HTTP routes; `at` is the path of the list.
pub(super) fn http(found: &mut Checker<'_>, at: &Path<'_>, routes: &[HttpRoute]) {
    shadowed(found, at, routes.iter().map(|route| route.r#match.iter().map(Nameless)));
    covered_prefixes(found, at, routes);
}

/// TCP routes.
pub(super) fn tcp(found: &mut Checker<'_>, at: &Path<'_>, routes: &[TcpRoute]) {
    shadowed(found, at, routes.iter().map(|route| route.r#match.iter().map(json)));
}

/// TLS routes.
pub(super) fn tls(found: &mut Checker<'_>, at: &Path<'_>, routes: &[TlsRoute]) {
    shadowed(found, at, routes.iter().map(|route| route.r#match.iter().map(json)));
}

/// A match without its name, which plays no part.
struct Nameless<'m>(&'m HttpMatchRequest);

impl<'m> Nameless<'m> {
    /// All of it, that which differs most often first.
    fn parts(&self) -> impl Ord + use<'m> {
        let HttpMatchRequest {
            name: _,
            uri,
            scheme,
            method,
            authority,
            headers,
            port,
            source_labels,
            gateways,
            query_params,
            ignore_uri_case,
            without_headers,
            source_namespace,
            stat_prefix,
        } = self.0;
        let conditions = (uri, headers, query_params, without_headers, method, authority, scheme);
        (conditions, port, ignore_uri_case, source_labels, gateways, source_namespace, stat_prefix)
    }
}

impl Ord for Nameless<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Nameless<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Nameless<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Nameless<'_> {}

/// Equal texts are equal matches.
fn json(one: &impl serde::Serialize) -> String {
    serde_json::to_string(one).unwrap_or_default()
}

/// Routes after one without matches, and matches that an earlier route has too.
fn shadowed<K: Ord, M: ExactSizeIterator<Item = K>>(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    routes: impl Iterator<Item = M>,
) {
    let mut first_route_of: BTreeMap<K, usize> = BTreeMap::new();
    let mut catch_all = None;
    for (index, matches) in routes.enumerate() {
        let at = at.index(index);
        if let Some(earlier) = catch_all {
            let message = format!("route {earlier} before it has no `match` and takes everything");
            found.find(&at, unreachable(message).help("move the route without `match` to the end"));
            continue;
        }
        let count = matches.len();
        if count == 0 {
            catch_all = Some(index);
            continue;
        }
        let mut duplicates = 0;
        for (number, one) in matches.enumerate() {
            if let Some(earlier) = first_route_of.get(&one) {
                duplicates += 1;
                let message = format!("the same match stands in route {earlier}");
                found.find(
                    &at.field("match").index(number),
                    Problem::new(Code::IneffectiveMatch, message)
                        .help("remove it: the earlier route takes what it matches"),
                );
            } else {
                first_route_of.insert(one, index);
            }
        }
        if duplicates == count {
            found.find(&at, unreachable("earlier routes take everything that it matches".to_owned()));
        }
    }
}

/// A prefix match in the form that is compared.
struct PrefixMatch<'m> {
    route: usize,
    number: usize,
    prefix: &'m str,
    one: &'m HttpMatchRequest,
}

fn covered_prefixes(found: &mut Checker<'_>, at: &Path<'_>, routes: &[HttpRoute]) {
    let mut prefixes = Vec::new();
    for (route, matches) in routes.iter().map(|route| &route.r#match).enumerate() {
        if matches.is_empty() {
            break;
        }
        for (number, one) in matches.iter().enumerate() {
            if let Some(StringMatch::Prefix(prefix)) = &one.uri
                && !prefix.is_empty()
            {
                prefixes.push(PrefixMatch { route, number, prefix, one });
            }
        }
    }
    prefixes.truncate(PREFIXES_MAX);
    for (index, later) in prefixes.iter().enumerate() {
        let covering = prefixes.iter().take(index).find(|earlier| covers(earlier, later));
        if let Some(earlier) = covering {
            let route = at.index(later.route);
            let message =
                format!("prefix `{}` of route {} comes first", super::short(earlier.prefix), earlier.route);
            let problem = unreachable(message).help("put the longer prefix first");
            found.find(&route.field("match").index(later.number), problem);
        }
    }
}

/// Whether `earlier` takes every request of `later`, as far as Istio compares them: prefixes that differ, the same
/// port and the same names of headers and parameters, and of each text the earlier one at least as long as the later.
fn covers(earlier: &PrefixMatch<'_>, later: &PrefixMatch<'_>) -> bool {
    let (first, second) = (earlier.one, later.one);
    later.prefix != earlier.prefix
        && later.prefix.starts_with(earlier.prefix)
        && first.port == second.port
        && start_of(&method(first), &method(second))
        && start_of(&optional(first.authority.as_ref()), &optional(second.authority.as_ref()))
        && same_keys(&first.headers, &second.headers)
        && same_keys(&first.query_params, &second.query_params)
        && same_keys(&first.without_headers, &second.without_headers)
}

fn start_of(earlier: &str, later: &str) -> bool {
    earlier.starts_with(later)
}

fn same_keys(earlier: &BTreeMap<String, StringMatch>, later: &BTreeMap<String, StringMatch>) -> bool {
    earlier.len() == later.len()
        && earlier
            .iter()
            .all(|(key, text)| later.get(key).is_some_and(|other| start_of(&written(text), &written(other))))
}

/// No method means GET here.
fn method(one: &HttpMatchRequest) -> String {
    let text = optional(one.method.as_ref());
    if text.is_empty() { "exact:GET".to_owned() } else { text }
}

fn optional(text: Option<&StringMatch>) -> String {
    text.map(written).unwrap_or_default()
}

fn written(text: &StringMatch) -> String {
    match text {
        StringMatch::Exact(text) if !text.is_empty() => format!("exact:{text}"),
        StringMatch::Prefix(text) if !text.is_empty() => format!("prefix:{text}"),
        _ => String::new(),
    }
}
