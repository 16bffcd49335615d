//! Entries of delegates in place of the entries that name them (T-125 to T-131).

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report, nearest_reference};
use mesh_model::name::StringMap;
use mesh_model::networking::virtual_service::spec::{Delegate, HttpMatchRequest, HttpRoute};
use mesh_model::part::StringMatch;

use super::{Delegates, HttpOrigin, Inherited, MergedVirtualService};
use crate::export_to::PUBLIC;

/// Entries and matches that one VirtualService may come to: delegation multiplies, so it needs a bound.
const BUDGET: usize = 100_000;

/// Replaces every delegating entry of `root` by the merged entries of its delegate, in place.
pub(super) fn merge(
    mut root: MergedVirtualService,
    delegates: &Delegates,
    report: &mut Report,
) -> MergedVirtualService {
    if root.spec.http.iter().all(|route| route.delegate.is_none()) {
        return root;
    }
    let mut merged = Merged::default();
    let entries = std::mem::take(&mut root.spec.http).into_iter().zip(std::mem::take(&mut root.http_origins));
    for (route, origin) in entries {
        let Some(reference) = &route.delegate else {
            merged.push(route, origin);
            continue;
        };
        match find(reference, &root, delegates) {
            Ok(delegate) => merged.push_delegate(&route, &origin, delegate, report),
            Err(problem) => {
                let finding = at(&origin, ".delegate", Code::DelegateUnknown, problem);
                let finding = finding.help(unknown_help(reference, &root, delegates));
                let namespace = namespace_of(reference, &root);
                report.push(finding.missing(Missing::object("VirtualService", &namespace, &reference.name)));
            }
        }
        if merged.size > BUDGET {
            let problem = format!("delegates add up to more than {BUDGET} entries and matches");
            let help = "the entries after that are left out: delegate to fewer, or match less";
            report.push(at(&origin, "", Code::BudgetExceeded, problem).help(help));
            break;
        }
    }
    root.spec.http = merged.routes;
    root.http_origins = merged.origins;
    root
}

/// The delegate that an entry names, if it is exported to the root's namespace (T-126).
fn find<'d>(
    reference: &Delegate,
    root: &MergedVirtualService,
    delegates: &'d Delegates,
) -> Result<&'d MergedVirtualService, String> {
    let key = (namespace_of(reference, root), Arc::from(reference.name.as_str()));
    let Some(found) = delegates.get(&key) else {
        return Err(format!("no virtual service `{}/{}` without hosts: the entry is left out", key.0, key.1));
    };
    if found.export_to.contains(PUBLIC) || found.export_to.contains(&*root.namespace) {
        return Ok(found);
    }
    Err(format!(
        "`{}/{}` is not exported to namespace `{}`: the entry is left out",
        key.0, key.1, root.namespace
    ))
}

fn namespace_of(reference: &Delegate, root: &MergedVirtualService) -> Arc<str> {
    match reference.namespace.as_str() {
        "" => Arc::clone(&root.namespace),
        written => Arc::from(written),
    }
}

/// The delegate that is likely meant, or what a delegate is.
fn unknown_help(reference: &Delegate, root: &MergedVirtualService, delegates: &Delegates) -> String {
    let namespace = namespace_of(reference, root);
    if delegates.contains_key(&(Arc::clone(&namespace), Arc::from(reference.name.as_str()))) {
        return format!("add `{}` to its `exportTo`", root.namespace);
    }
    let names: Vec<String> =
        delegates.keys().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
    let wanted = format!("{namespace}/{}", reference.name);
    match nearest_reference(&wanted, names.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "a delegate is a VirtualService without `hosts`, in this namespace unless another is named"
            .to_owned(),
    }
}

fn at(origin: &HttpOrigin, field: &str, code: Code, message: String) -> Diagnostic {
    Diagnostic::new(code, Place::of(&origin.object, &format!("{}{field}", origin.path)), message)
}

/// The entries so far.
#[derive(Default)]
struct Merged {
    routes: Vec<HttpRoute>,
    origins: Vec<HttpOrigin>,
    size: usize,
}

impl Merged {
    fn push(&mut self, route: HttpRoute, origin: HttpOrigin) {
        self.size += 1 + route.r#match.len();
        self.routes.push(route);
        self.origins.push(origin);
    }

    fn push_delegate(
        &mut self,
        root: &HttpRoute,
        root_origin: &HttpOrigin,
        delegate: &MergedVirtualService,
        report: &mut Report,
    ) {
        for (route, origin) in delegate.spec.http.iter().zip(&delegate.http_origins) {
            if self.size > BUDGET {
                return;
            }
            if root.r#match.len().saturating_mul(route.r#match.len()) > BUDGET {
                self.size = BUDGET + 1;
                return;
            }
            let Some((matches, match_origins)) = merge_matches(root, root_origin, route, origin) else {
                let problem =
                    "a match conflicts with every match of the delegating entry: the entry is left out";
                let finding = at(origin, ".match", Code::DelegateConflict, problem.to_owned());
                report.push(finding.help("match a part of what the delegating entry matches"));
                continue;
            };
            let merged = HttpRoute { r#match: matches, ..inherit(root, route) };
            let inherited = Inherited {
                object: Arc::clone(&root_origin.object),
                path: Arc::clone(&root_origin.path),
                fields: inherited_fields(root, route),
            };
            let origin = HttpOrigin { matches: match_origins, inherited: Some(inherited), ..origin.clone() };
            self.push(merged, origin);
        }
    }
}

/// The delegate's entry with what it leaves unset taken from the root's; never `route` and `redirect` (T-129).
fn inherit(root: &HttpRoute, delegate: &HttpRoute) -> HttpRoute {
    fn or<T: Clone>(own: &Option<T>, inherited: &Option<T>) -> Option<T> {
        own.as_ref().or(inherited.as_ref()).cloned()
    }
    let mirrors = if delegate.mirrors.is_empty() { &root.mirrors } else { &delegate.mirrors };
    HttpRoute {
        name: join_names(&root.name, &delegate.name),
        r#match: Vec::new(),
        route: delegate.route.clone(),
        redirect: delegate.redirect.clone(),
        direct_response: or(&delegate.direct_response, &root.direct_response),
        delegate: delegate.delegate.clone(),
        rewrite: or(&delegate.rewrite, &root.rewrite),
        timeout: or(&delegate.timeout, &root.timeout),
        retries: or(&delegate.retries, &root.retries),
        fault: or(&delegate.fault, &root.fault),
        mirror: or(&delegate.mirror, &root.mirror),
        mirrors: mirrors.clone(),
        mirror_percent: or(&delegate.mirror_percent, &root.mirror_percent),
        mirror_percentage: or(&delegate.mirror_percentage, &root.mirror_percentage),
        cors_policy: or(&delegate.cors_policy, &root.cors_policy),
        headers: or(&delegate.headers, &root.headers),
    }
}

/// The fields that [`inherit`] takes from the root.
fn inherited_fields(root: &HttpRoute, delegate: &HttpRoute) -> Vec<&'static str> {
    let fields = [
        ("directResponse", delegate.direct_response.is_none() && root.direct_response.is_some()),
        ("rewrite", delegate.rewrite.is_none() && root.rewrite.is_some()),
        ("timeout", delegate.timeout.is_none() && root.timeout.is_some()),
        ("retries", delegate.retries.is_none() && root.retries.is_some()),
        ("fault", delegate.fault.is_none() && root.fault.is_some()),
        ("mirror", delegate.mirror.is_none() && root.mirror.is_some()),
        ("mirrors", delegate.mirrors.is_empty() && !root.mirrors.is_empty()),
        ("corsPolicy", delegate.cors_policy.is_none() && root.cors_policy.is_some()),
        ("headers", delegate.headers.is_none() && root.headers.is_some()),
    ];
    fields.into_iter().filter(|(_, is_inherited)| *is_inherited).map(|(name, _)| name).collect()
}

/// `root-delegate`, or the only one that is set.
fn join_names(root: &str, delegate: &str) -> String {
    match (root, delegate) {
        (only, "") | ("", only) => only.to_owned(),
        (root, delegate) => format!("{root}-{delegate}"),
    }
}

type Matches = (Vec<HttpMatchRequest>, Vec<(Arc<mesh_model::origin::Provenance>, Arc<str>)>);

/// Both match lists in one; `None` where a delegate match fits no root match (T-129).
///
/// A merged match is found at the delegate's, which is the narrower of the two.
fn merge_matches(
    root: &HttpRoute,
    root_origin: &HttpOrigin,
    delegate: &HttpRoute,
    origin: &HttpOrigin,
) -> Option<Matches> {
    if root.r#match.is_empty() {
        return Some((delegate.r#match.clone(), origin.matches.clone()));
    }
    if delegate.r#match.is_empty() {
        return Some((root.r#match.clone(), root_origin.matches.clone()));
    }
    let mut matches = Vec::new();
    let mut origins = Vec::new();
    for (narrow, place) in delegate.r#match.iter().zip(&origin.matches) {
        let before = matches.len();
        matches.extend(
            root.r#match
                .iter()
                .filter(|wide| !in_conflict(wide, narrow))
                .map(|wide| merge_match(wide, narrow)),
        );
        if matches.len() == before {
            return None;
        }
        origins.resize(matches.len(), place.clone());
    }
    Some((matches, origins))
}

/// One condition out of two that do not conflict: the delegate's fields, else the root's; maps united (T-131).
fn merge_match(root: &HttpMatchRequest, delegate: &HttpMatchRequest) -> HttpMatchRequest {
    fn or(own: &Option<StringMatch>, inherited: &Option<StringMatch>) -> Option<StringMatch> {
        own.as_ref().or(inherited.as_ref()).cloned()
    }
    fn or_text(own: &str, inherited: &str) -> String {
        if own.is_empty() { inherited.to_owned() } else { own.to_owned() }
    }
    fn union<V: Clone>(root: &BTreeMap<String, V>, delegate: &BTreeMap<String, V>) -> BTreeMap<String, V> {
        root.iter().chain(delegate).map(|(key, value)| (key.clone(), value.clone())).collect()
    }
    let gateways = if delegate.gateways.is_empty() { &root.gateways } else { &delegate.gateways };
    HttpMatchRequest {
        name: join_names(&root.name, &delegate.name),
        uri: or(&delegate.uri, &root.uri),
        scheme: or(&delegate.scheme, &root.scheme),
        method: or(&delegate.method, &root.method),
        authority: or(&delegate.authority, &root.authority),
        headers: union(&root.headers, &delegate.headers),
        port: if delegate.port == 0 { root.port } else { delegate.port },
        source_labels: root.source_labels.iter().chain(&delegate.source_labels).collect(),
        gateways: gateways.clone(),
        query_params: union(&root.query_params, &delegate.query_params),
        ignore_uri_case: delegate.ignore_uri_case,
        without_headers: union(&root.without_headers, &delegate.without_headers),
        source_namespace: or_text(&delegate.source_namespace, &root.source_namespace),
        stat_prefix: or_text(&delegate.stat_prefix, &root.stat_prefix),
    }
}

/// Whether a delegate's match is not a narrowing of a root's (T-130).
fn in_conflict(root: &HttpMatchRequest, delegate: &HttpMatchRequest) -> bool {
    let fields = [
        (&root.uri, &delegate.uri),
        (&root.scheme, &delegate.scheme),
        (&root.method, &delegate.method),
        (&root.authority, &delegate.authority),
    ];
    fields.into_iter().any(|(root, delegate)| strings_conflict(root.as_ref(), delegate.as_ref()))
        || maps_conflict(&root.headers, &delegate.headers)
        || maps_conflict(&root.without_headers, &delegate.without_headers)
        || maps_conflict(&root.query_params, &delegate.query_params)
        || root.ignore_uri_case != delegate.ignore_uri_case
        || (root.port > 0 && delegate.port > 0 && root.port != delegate.port)
        || (!root.source_namespace.is_empty() && root.source_namespace != delegate.source_namespace)
        || labels_conflict(&root.source_labels, &delegate.source_labels)
        || gateways_conflict(&root.gateways, &delegate.gateways)
}

fn maps_conflict(root: &BTreeMap<String, StringMatch>, delegate: &BTreeMap<String, StringMatch>) -> bool {
    delegate.iter().any(|(key, narrow)| strings_conflict(root.get(key), Some(narrow)))
}

fn labels_conflict(root: &StringMap, delegate: &StringMap) -> bool {
    delegate.iter().any(|(key, value)| root.get(key).is_some_and(|other| other != value))
}

fn gateways_conflict(root: &[String], delegate: &[String]) -> bool {
    if root.is_empty() || delegate.is_empty() {
        return false;
    }
    root.len() < delegate.len() || delegate.iter().any(|gateway| !root.contains(gateway))
}

/// Two string matches agree only as equal exact texts, or as a prefix and what starts with it; an empty text counts as
/// unset on either side (T-130).
fn strings_conflict(root: Option<&StringMatch>, delegate: Option<&StringMatch>) -> bool {
    let (Some(root), Some(delegate)) = (root, delegate) else { return false };
    match (root, delegate) {
        (StringMatch::Exact(wide), StringMatch::Exact(narrow)) => wide.is_empty() || wide != narrow,
        (StringMatch::Prefix(wide), StringMatch::Prefix(narrow) | StringMatch::Exact(narrow)) => {
            wide.is_empty() || narrow.is_empty() || !narrow.starts_with(wide.as_str())
        }
        _ => true,
    }
}
