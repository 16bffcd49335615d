//! References to objects that are there and have errors: they are not missing, they are not in force.

use std::collections::BTreeMap;

use mesh_model::config_set::{ConfigSet, Refusal};
use mesh_model::diagnostic::{Code, Diagnostic, Missing, Report, ResourceRef, Severity};
use mesh_model::document::Node;
use mesh_model::name::host_matches;
use mesh_model::yaml::Unread;

use super::findings::short;
use super::hosts::{fqdn, service_of};

/// Says of what is only missing because it was refused that it is so, once for each place.
///
/// The errors of what was refused are told where it stands: here is only a remark on what follows from them.
pub(crate) fn tell_refused(report: &mut Report, config: &ConfigSet) {
    if report.iter().all(|finding| finding.missing.is_none()) {
        return;
    }
    let refused = Refused::of(config);
    let mut told: Option<Diagnostic> = None;
    report.amend(|finding| {
        let Some(object) = finding.missing.as_deref().and_then(|missing| refused.find(missing)) else {
            return Some(finding);
        };
        let remark = object.remark(&finding);
        // Findings about one reference follow each other.
        if told.as_ref() == Some(&remark) {
            return None;
        }
        told = Some(remark.clone());
        Some(remark)
    });
}

/// Says of what is only missing because its document could not be read that it is so: a remark for each place.
///
/// The errors of the document are told where it stands. Ours: one broken line must not look like many dangling references.
///
/// ```
/// use mesh_compile::analyze::tell_unread;
/// use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report};
/// use mesh_model::yaml::{LoadOptions, load};
///
/// let text = "kind: Gateway\nmetadata:\n  name: front\n  namespace: shop\nspec: [\n";
/// let unread = load("front.yaml", text, &LoadOptions::default()).unread;
/// let missing = Missing::object("Gateway", "shop", "front");
/// let mut report = Report::new();
/// report.push(Diagnostic::new(Code::GatewayUnknown, Place::default(), "there is no Gateway").missing(missing));
/// tell_unread(&mut report, &unread);
/// assert!(report.iter().all(|finding| finding.code == Code::ReferenceRefused));
/// ```
pub fn tell_unread(report: &mut Report, unread: &[Unread]) {
    if unread.is_empty() {
        return;
    }
    let mut told: Option<Diagnostic> = None;
    report.amend(|finding| {
        let is_meant = |missing: &Missing| unread.iter().find(|unread| is_missing(unread, missing));
        let Some(unread) = finding.missing.as_deref().and_then(is_meant) else { return Some(finding) };
        let ResourceRef { kind, namespace, name } = &unread.resource;
        let name = short(&format!("{namespace}/{name}"));
        let message = format!("{} `{name}` cannot be read and is not in force", short(kind));
        let help = format!("correct it first, see {}:{}", unread.at.file, unread.at.line);
        let remark = Diagnostic::new(Code::ReferenceRefused, finding.at.clone(), message).help(help);
        if told.as_ref() == Some(&remark) {
            return None;
        }
        told = Some(remark.clone());
        Some(remark)
    });
}

/// Whether a document that could not be read seems to be what is missing.
fn is_missing(unread: &Unread, missing: &Missing) -> bool {
    let ResourceRef { kind, namespace, name } = &unread.resource;
    let is_named = |wanted: (&str, &str, &str)| {
        (kind.as_str(), name.as_str()) == (wanted.0, wanted.2)
            && (namespace == wanted.1 || wanted.1.is_empty())
    };
    match missing {
        Missing::Object(object) => is_named((&object.kind, &object.namespace, &object.name)),
        Missing::Host(host) => {
            let (of, service) = service_of(host, "");
            is_named(("Service", of, service)) || kind == "ServiceEntry" && unread.mentions(host)
        }
        Missing::Rule(host) => {
            let (of, service) = service_of(host, "");
            let is_short = namespace == of && unread.mentions(service);
            kind == "DestinationRule" && (is_short || unread.mentions(host))
        }
        Missing::Pods { namespace: of, labels } => {
            kind == "Pod"
                && of.as_ref().is_none_or(|of| of == namespace)
                && labels.iter().all(|(_, value)| unread.mentions(value))
        }
    }
}

/// An object that was refused.
#[derive(Clone, Copy)]
struct Entry<'c> {
    kind: &'c str,
    namespace: &'c str,
    name: &'c str,
    refusal: &'c Refusal,
}

impl<'c> Entry<'c> {
    /// Whether it has all of these labels; in doubt not.
    fn has(self, labels: &[(String, String)]) -> bool {
        let own = self.refusal.document.root().get("metadata").and_then(|metadata| metadata.get("labels"));
        labels.iter().all(|(key, value)| {
            own.and_then(|own| own.get(key)).and_then(Node::as_str) == Some(value.as_str())
        })
    }

    fn spec(self, field: &str) -> Option<Node<'c>> {
        self.refusal.document.root().get("spec")?.get(field)
    }

    fn remark(self, finding: &Diagnostic) -> Diagnostic {
        let slash = if self.namespace.is_empty() { "" } else { "/" };
        let name = short(&format!("{}{slash}{}", self.namespace, self.name));
        let message = format!("{} `{name}` has errors and is not in force", self.kind);
        let remark = Diagnostic::new(Code::ReferenceRefused, finding.at.clone(), message);
        match self.refusal.reasons.iter().find(|reason| reason.severity == Severity::Error) {
            Some(error) => {
                remark.help(format!("correct them first, see {}:{}", error.at.file, error.at.line))
            }
            None => remark,
        }
    }
}

/// Objects that were refused, by what names them.
struct Refused<'c> {
    by_name: BTreeMap<(&'c str, &'c str, &'c str), Entry<'c>>,
    /// Hosts of ServiceEntries.
    entries: Vec<(String, Entry<'c>)>,
    /// Hosts of DestinationRules.
    rules: Vec<(String, Entry<'c>)>,
}

/// Hosts of refused objects, or Pods, that are compared with a reference.
const HOSTS_MAX: usize = 1_000;

impl<'c> Refused<'c> {
    fn of(config: &'c ConfigSet) -> Self {
        let all = config.refusals().map(|(key, refusal)| Entry {
            kind: key.kind,
            namespace: &key.namespace,
            name: &key.name,
            refusal,
        });
        let by_name: BTreeMap<_, _> =
            all.map(|entry| ((entry.kind, entry.namespace, entry.name), entry)).collect();
        let of_kind = |kind: &'static str| by_name.values().copied().filter(move |entry| entry.kind == kind);
        let host_of = |node: Node<'c>, entry: Entry<'c>| Some((fqdn(node.as_str()?, entry.namespace), entry));
        let hosts = |entry: Entry<'c>| {
            let listed = entry.spec("hosts").map(Node::items).into_iter().flatten();
            listed.filter_map(move |node| host_of(node, entry))
        };
        let entries = of_kind("ServiceEntry").flat_map(hosts).take(HOSTS_MAX).collect();
        let rules = of_kind("DestinationRule").filter_map(|entry| host_of(entry.spec("host")?, entry));
        let rules = rules.take(HOSTS_MAX).collect();
        Self { by_name, entries, rules }
    }

    fn find<'s>(&'s self, missing: &'s Missing) -> Option<Entry<'s>> {
        let named = |kind: &'s str, namespace: &'s str, name: &'s str| {
            self.by_name.get(&(kind, namespace, name)).copied()
        };
        match missing {
            Missing::Object(ResourceRef { kind, namespace, name }) => named(kind, namespace, name),
            Missing::Host(host) => {
                let (namespace, name) = service_of(host, "");
                named("Service", namespace, name).or_else(|| for_host(&self.entries, host))
            }
            Missing::Rule(host) => for_host(&self.rules, host),
            Missing::Pods { namespace, labels } => {
                let all = self.by_name.range(("Pod", "", "")..);
                let mut pods = all.map(|(_, entry)| *entry).take_while(|entry| entry.kind == "Pod");
                let is_here = |pod: &Entry<'_>| namespace.as_ref().is_none_or(|name| name == pod.namespace);
                // The same bound for each reference, however many Pods were refused.
                pods.by_ref().take(HOSTS_MAX).find(|pod| is_here(pod) && pod.has(labels))
            }
        }
    }
}

fn for_host<'s>(known: &'s [(String, Entry<'s>)], host: &str) -> Option<Entry<'s>> {
    known.iter().find(|(of, _)| host_matches(of, host)).map(|(_, entry)| *entry)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mesh_model::config_set::{Change, ConfigSet, Strictness};
    use mesh_model::diagnostic::{Code, Report, Severity};
    use mesh_model::mesh_config::MeshConfig;
    use mesh_model::yaml::{LoadOptions, load};

    use crate::analyze::{Input, Options, analyze};
    use crate::snapshot::MeshSnapshot;
    use crate::testing::{istio, service};

    /// What is said of references in a text: of resolving it and of the analyzers.
    fn told(text: &str) -> Report {
        let loaded = load("test.yaml", text, &LoadOptions::default());
        assert!(!loaded.report.has_errors(), "{:?}", loaded.report);
        let mut config = ConfigSet::new();
        config.apply_with(loaded.documents.into_iter().map(Change::Upsert), Strictness::Strict);
        let mesh = Arc::new(MeshConfig::with_defaults());
        let (_, mut report) = MeshSnapshot::resolve(&config, Arc::clone(&mesh));
        report.merge(analyze(&Input::new(&config, &mesh), &Options::default()).report);
        report
    }

    /// Fields whose reference leads to a refused object, with the message and the help.
    fn remarks(report: &Report) -> Vec<(&str, &str, &str)> {
        let refused = report.iter().filter(|finding| finding.code == Code::ReferenceRefused);
        refused.map(|it| (&*it.at.field, &*it.message, it.help.as_deref().unwrap_or_default())).collect()
    }

    fn virtual_service(spec: &str) -> String {
        istio("VirtualService", "shop", "root", spec)
    }

    #[test]
    fn a_gateway_with_errors_is_not_called_unknown() {
        let bad = istio(
            "Gateway",
            "shop",
            "front",
            "{servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test], tsl: {}}]}",
        );
        let root = virtual_service(
            "{hosts: [a.test], gateways: [front], http: [{route: [{destination: {host: a}}]}]}",
        );
        let report = told(&(bad + &root + &service("shop", "a")));
        let message = "Gateway `shop/front` has errors and is not in force";
        // One remark, though it is also not known whether it serves the host.
        let errors = report.iter().filter(|it| it.severity == Severity::Error).count();
        assert_eq!(
            (remarks(&report), errors),
            (vec![("spec.gateways[0]", message, "correct them first, see test.yaml:5")], 0)
        );
    }

    #[test]
    fn a_gateway_that_is_not_there_is_unknown_beside_one_with_errors() {
        let bad = istio("Gateway", "shop", "front", "{serverz: []}");
        let root = virtual_service(
            "{hosts: [a.test], gateways: [frontt], http: [{route: [{destination: {host: a}}]}]}",
        );
        let report = told(&(bad + &root + &service("shop", "a")));
        assert!(remarks(&report).is_empty());
        assert!(report.iter().any(|it| it.code == Code::GatewayUnknown));
    }

    #[test]
    fn a_delegate_with_errors_is_not_called_unknown() {
        let bad = istio(
            "VirtualService",
            "shop",
            "d1",
            "{http: [{timeout: five, route: [{destination: {host: a}}]}]}",
        );
        let root =
            virtual_service("{hosts: [a], http: [{match: [{uri: {prefix: /a}}], delegate: {name: d1}}]}");
        let report = told(&(bad + &root + &service("shop", "a")));
        let message = "VirtualService `shop/d1` has errors and is not in force";
        assert_eq!(
            remarks(&report),
            [("spec.http[0].delegate", message, "correct them first, see test.yaml:5")]
        );
        assert!(report.iter().all(|it| it.code != Code::DelegateUnknown));
    }

    #[test]
    fn hosts_and_subsets_of_refused_objects_are_not_called_unknown() {
        let entry = istio(
            "ServiceEntry",
            "shop",
            "out",
            "{hosts: ['*.out.test'], ports: [{number: 80, name: http, protocl: HTTP}]}",
        );
        let rule =
            istio("DestinationRule", "shop", "a", "{host: a, subsets: [{name: v1, label: {version: v1}}]}");
        let bad_service = service("shop", "b").replace("port: 80", "prot: 80");
        let root = virtual_service(
            "{hosts: [x.test], http: [{route: [{destination: {host: www.out.test}, weight: 40}, {destination: {host: b}, weight: 30}, \
             {destination: {host: a, subset: v1}, weight: 30}]}]}",
        );
        let report = told(&(entry + &rule + &bad_service + &service("shop", "a") + &root));
        let mut said: Vec<_> =
            remarks(&report).into_iter().map(|(field, message, _)| (field, message)).collect();
        said.sort_unstable();
        assert_eq!(
            said,
            [
                (
                    "spec.http[0].route[0].destination.host",
                    "ServiceEntry `shop/out` has errors and is not in force"
                ),
                ("spec.http[0].route[1].destination.host", "Service `shop/b` has errors and is not in force"),
                (
                    "spec.http[0].route[2].destination.subset",
                    "DestinationRule `shop/a` has errors and is not in force"
                ),
            ]
        );
        assert!(report.iter().all(|it| it.severity != Severity::Error), "{report:?}");
    }

    /// A Pod that cannot be read (its containers are no list), and one that can.
    fn pods() -> String {
        let pod = |name: &str, spec: &str| {
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}, track: x}}}}\nspec: {spec}\n---\n"
            )
        };
        pod("bad", "{containers: 7}") + &pod("good", "{containers: [{name: a}]}")
    }

    #[test]
    fn selectors_of_refused_pods_are_not_called_unmatched() {
        let policy = |kind: &str, name: &str, spec: &str| {
            istio(kind, "shop", name, spec).replace("networking.istio.io", "security.istio.io")
        };
        let telemetry = istio("Telemetry", "shop", "t", "{selector: {matchLabels: {app: bad}}}")
            .replace("networking.istio.io", "telemetry.istio.io");
        let objects = [
            pods(),
            service("shop", "a"),
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {istio-injection: enabled}}\n---\n".to_owned(),
            istio("Sidecar", "shop", "s", "{workloadSelector: {labels: {app: bad, track: x}}, egress: [{hosts: ['./*']}]}"),
            telemetry,
            istio(
                "Gateway",
                "shop",
                "g",
                "{selector: {app: bad}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.test]}]}",
            ),
            policy("AuthorizationPolicy", "p", "{selector: {matchLabels: {app: bad}}}"),
            istio("DestinationRule", "shop", "d", "{host: a, subsets: [{name: v1, labels: {app: bad}}]}"),
        ];
        let report = told(&objects.concat());
        let mut said: Vec<_> =
            remarks(&report).into_iter().map(|(field, message, _)| (field, message)).collect();
        said.sort_unstable();
        let message = "Pod `shop/bad` has errors and is not in force";
        assert_eq!(
            said,
            [
                ("spec.selector", message),
                ("spec.selector.matchLabels", message),
                ("spec.selector.matchLabels", message),
                ("spec.subsets[0]", message),
                ("spec.workloadSelector.labels", message),
            ],
            "{report:#?}"
        );
    }

    #[test]
    fn a_selector_that_no_pod_has_is_unmatched_beside_refused_pods() {
        for labels in ["{app: bad, track: z}", "{app: other}"] {
            let sidecar = istio(
                "Sidecar",
                "shop",
                "s",
                &format!("{{workloadSelector: {{labels: {labels}}}, egress: [{{hosts: ['./*']}}]}}"),
            );
            let report = told(&(pods() + &sidecar));
            assert!(remarks(&report).is_empty());
            assert!(report.iter().any(|it| it.code == Code::SelectorUnmatched), "{report:#?}");
        }
    }

    #[test]
    fn parents_and_backends_of_routes_may_be_refused() {
        let object = |kind: &str, name: &str, spec: &str| {
            istio(kind, "shop", name, spec).replace("networking.istio.io", "gateway.networking.k8s.io")
        };
        let gateway = object(
            "Gateway",
            "edge",
            "{gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP, host: a}]}",
        );
        let route = "{parentRefs: [{name: edge}, {group: '', kind: Service, name: a}], rules: [{backendRefs: [{name: b, port: 80}]}]}";
        let bad_service = service("shop", "b").replace("port: 80", "prot: 80");
        let report =
            told(&(gateway + &object("HTTPRoute", "r", route) + &bad_service + &service("shop", "a")));
        let mut said: Vec<_> = remarks(&report).into_iter().map(|(field, ..)| field).collect();
        said.sort_unstable();
        assert_eq!(said, ["spec.parentRefs[0]", "spec.rules[0].backendRefs[0]"]);
    }
}
