//! Hosts that destinations may name, and who sees them (istio/istio `analyzers/util/service_lookup.go`).

use std::cell::Cell;
use std::collections::BTreeMap;

use hashbrown::HashMap;
use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::nearest;
use mesh_model::name::StringMap;

/// What a short name is completed with, after its namespace.
const CLUSTER_DOMAIN: &str = "svc.cluster.local";

/// Who may see a host: everybody, or a namespace.
const EVERYBODY: &str = "*";

/// "Did you mean" is answered for this many names, out of this many candidates: each costs a comparison.
const SUGGESTIONS_MAX: u32 = 64;
const CANDIDATES_MAX: usize = 2_000;

/// One host.
#[derive(Debug, Default, Clone)]
pub(super) struct Host<'a> {
    /// Its ports.
    pub(super) ports: Vec<u32>,
    /// Labels of the workloads behind it, for a ServiceEntry that selects them.
    pub(super) labels: Option<&'a StringMap>,
}

/// All hosts.
pub(super) struct Hosts<'a> {
    /// Scope, then host.
    by_scope: HashMap<&'a str, HashMap<String, Host<'a>>>,
    /// Names of services by namespace, and hosts of ServiceEntries under "".
    names: BTreeMap<&'a str, Vec<&'a str>>,
    suggestions: Cell<u32>,
}

impl<'a> Hosts<'a> {
    /// Indexes ServiceEntries, then services, which win.
    pub(super) fn new(config: &'a ConfigSet) -> Self {
        let mut hosts = Self {
            by_scope: HashMap::new(),
            names: BTreeMap::new(),
            suggestions: Cell::new(SUGGESTIONS_MAX),
        };
        for entry in config.service_entries.iter() {
            let namespace = &*entry.meta.namespace;
            let labels = entry.spec.workload_selector.as_ref().map(|selector| &selector.labels);
            let scopes = scopes(entry.spec.export_to.iter().map(String::as_str), namespace);
            for host in &entry.spec.hosts {
                hosts.names.entry("").or_default().push(host);
                for scope in &scopes {
                    let known =
                        hosts.by_scope.entry(scope).or_default().entry(fqdn(host, namespace)).or_default();
                    known.labels = labels;
                    // Entries of one host add up, as they do in the registry.
                    for port in entry.spec.ports.iter().map(|port| port.number) {
                        if !known.ports.contains(&port) && known.ports.len() < CANDIDATES_MAX {
                            known.ports.push(port);
                        }
                    }
                }
            }
        }
        for service in config.services.iter() {
            let (namespace, name) = (&*service.meta.namespace, &*service.meta.name);
            hosts.names.entry(namespace).or_default().push(name);
            let written = service.meta.annotations.get("networking.istio.io/exportTo");
            let scopes = match written {
                None | Some("") => vec![EVERYBODY],
                Some(written) => written.split(',').map(str::trim).map(|one| scope(one, namespace)).collect(),
            };
            let ports = service.spec.spec.ports.iter().filter_map(|port| u32::try_from(port.port).ok());
            let known = Host { ports: ports.collect(), labels: None };
            for scope in scopes {
                let host = format!("{name}.{namespace}.{CLUSTER_DOMAIN}");
                hosts.by_scope.entry(scope).or_default().insert(host, known.clone());
            }
        }
        hosts
    }

    /// The host that an object of `namespace` with this `export_to` means by `host`.
    pub(super) fn find(&self, host: &str, namespace: &str, export_to: &[String]) -> Option<&Host<'a>> {
        let name = fqdn(host, namespace);
        let exact = |scope: &str| self.by_scope.get(scope).and_then(|hosts| hosts.get(&name));
        if let Some(found) = exact(EVERYBODY) {
            return Some(found);
        }
        let found = if export_to.is_empty() {
            exact(namespace)
        } else {
            export_to.iter().find_map(|one| exact(scope(one, namespace)))
        };
        found.or_else(|| self.wildcard(host, namespace))
    }

    /// The entry with the longest wildcard that covers `host` as it is written.
    fn wildcard(&self, host: &str, namespace: &str) -> Option<&Host<'a>> {
        let rest = host.strip_prefix('*').unwrap_or(host);
        let starts = rest.char_indices().map(|(start, _)| start).chain([rest.len()]).take(512);
        let scopes = [EVERYBODY, namespace].map(|scope| self.by_scope.get(scope));
        for suffix in starts.filter_map(|start| rest.get(start..)) {
            let pattern = format!("*{suffix}");
            if let Some(found) = scopes.iter().flatten().find_map(|hosts| hosts.get(&pattern)) {
                return Some(found);
            }
        }
        None
    }

    /// The name that was probably meant, in the form that was used.
    pub(super) fn suggestion(&self, host: &str, namespace: &str) -> Option<String> {
        self.suggestions.set(self.suggestions.get().checked_sub(1)?);
        let candidates =
            |namespace: &str| self.names.get(namespace).into_iter().flatten().take(CANDIDATES_MAX).copied();
        if !host.contains('.') {
            return nearest(host, candidates(namespace)).map(str::to_owned).or_else(|| {
                let elsewhere = self
                    .names
                    .iter()
                    .find(|(_, names)| names.iter().take(CANDIDATES_MAX).any(|name| *name == host));
                elsewhere
                    .filter(|(namespace, _)| !namespace.is_empty())
                    .map(|(namespace, _)| format!("{host}.{namespace}.{CLUSTER_DOMAIN}"))
            });
        }
        if let Some((name, rest)) = host.split_once('.')
            && let Some((other, domain)) = rest.split_once(".svc")
            && self.names.contains_key(other)
        {
            return nearest(name, candidates(other)).map(|name| format!("{name}.{other}.svc{domain}"));
        }
        if let Some((name, rest)) = host.split_once('.')
            && let Some((other, domain)) = rest.split_once(".svc")
        {
            let other = nearest(other, self.names.keys().copied().take(CANDIDATES_MAX))?;
            return candidates(other)
                .any(|known| known == name)
                .then(|| format!("{name}.{other}.svc{domain}"));
        }
        nearest(host, candidates("")).map(str::to_owned).or_else(|| {
            // `reviews.default` is a host of its own to Istio: only the whole name is completed.
            let (name, other) = host.split_once('.')?;
            candidates(other).any(|known| known == name).then(|| format!("{name}.{other}.{CLUSTER_DOMAIN}"))
        })
    }
}

/// Who sees an object: everybody where `exportTo` is empty or says so.
pub(super) fn scopes<'a>(export_to: impl Iterator<Item = &'a str>, namespace: &'a str) -> Vec<&'a str> {
    let mut scopes: Vec<_> = export_to.map(|one| scope(one, namespace)).collect();
    if scopes.is_empty() || scopes.contains(&EVERYBODY) {
        return vec![EVERYBODY];
    }
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

fn scope<'a>(written: &'a str, namespace: &'a str) -> &'a str {
    if written == "." { namespace } else { written }
}

/// A host as a full name; wildcards and names with dots are.
pub(super) fn fqdn(host: &str, namespace: &str) -> String {
    if host.starts_with('*') || host.contains('.') {
        host.to_owned()
    } else {
        format!("{host}.{namespace}.{CLUSTER_DOMAIN}")
    }
}

/// Namespace and name of the service that a host means; a host of another form stands for itself in `namespace`.
pub(super) fn service_of<'h>(host: &'h str, namespace: &'h str) -> (&'h str, &'h str) {
    host.strip_suffix(CLUSTER_DOMAIN)
        .and_then(|rest| rest.strip_suffix('.'))
        .and_then(|rest| rest.rsplit_once('.'))
        .filter(|(name, of)| !name.is_empty() && !of.is_empty())
        .map_or((namespace, host), |(name, of)| (of, name))
}
