//! Ports of Services where a port of the workload counts: `ports` and `destination.port` of policies (S-143),
//! `portLevelMtls` (S-012; ISTIO-SECURITY-2021-002).

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::{IntOrString, Protocol, Service};
use mesh_model::name::StringMap;
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed};
use crate::analyze::workloads::{Workload, Workloads};

/// Services that are looked at for one port.
const SERVICES_MAX: usize = 100;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let policies = context.objects(&context.config.authorization_policies);
    let policies: Vec<_> =
        policies.map(|policy| (policy, ports_of(policy))).filter(|(_, ports)| !ports.is_empty()).collect();
    let by_port = context.objects(&context.config.peer_authentications);
    let by_port: Vec<_> = by_port.filter(|it| !it.spec.port_level_mtls.is_empty()).collect();
    if policies.is_empty() && by_port.is_empty() {
        return;
    }
    let ports = Ports::of(context);
    let root = context.mesh.root_namespace();
    let nothing = StringMap::default();
    for (policy, written) in policies {
        if policy.spec.target_ref.is_some() || !policy.spec.target_refs.is_empty() {
            continue;
        }
        let namespace = Some(&*policy.meta.namespace).filter(|name| *name != root);
        let selector = policy.spec.selector.as_ref().map_or(&nothing, |it| &it.match_labels);
        for (path, port) in written {
            if let Some((message, help)) = ports.complaint(namespace, selector, port) {
                found.add(policy, &path, Code::ServicePort, message, help);
            }
        }
    }
    for policy in by_port {
        // Of the namespace and of the mesh only the mode counts (S-011).
        let selector = policy.spec.selector.as_ref().map(|it| &it.match_labels);
        let Some(selector) = selector.filter(|labels| !labels.is_empty()) else { continue };
        for port in policy.spec.port_level_mtls.keys() {
            if let Some((message, help)) = ports.complaint(Some(&policy.meta.namespace), selector, *port) {
                found.add(policy, &format!("spec.portLevelMtls[{port}]"), Code::ServicePort, message, help);
            }
        }
    }
}

/// The ports that the rules of a policy write, with their paths.
fn ports_of(policy: &Object<AuthorizationPolicy>) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    let mut add = |path: &dyn Fn(usize) -> String, list: &[String]| {
        let ports = list.iter().enumerate().filter_map(|(at, port)| Some((path(at), port.parse().ok()?)));
        all.extend(ports);
    };
    for (rule, written) in policy.spec.rules.iter().enumerate() {
        for (to, operation) in written.to.iter().enumerate() {
            let Some(operation) = &operation.operation else { continue };
            let path = |name: &str, at: usize| format!("spec.rules[{rule}].to[{to}].operation.{name}[{at}]");
            add(&|at| path("ports", at), &operation.ports);
            add(&|at| path("notPorts", at), &operation.not_ports);
        }
        for (when, condition) in
            written.when.iter().enumerate().filter(|(_, it)| it.key == "destination.port")
        {
            let path = |name: &str, at: usize| format!("spec.rules[{rule}].when[{when}].{name}[{at}]");
            add(&|at| path("values", at), &condition.values);
            add(&|at| path("notValues", at), &condition.not_values);
        }
    }
    all
}

/// A service, and where it sends one of its ports.
type Sent<'a> = (&'a Object<Service>, &'a Option<IntOrString>);

/// Services by the ports that clients know, and what else listens.
struct Ports<'c, 'a> {
    workloads: Workloads<'c, 'a>,
    /// Of all services, in order of namespace and name, with a selector and the port that it is sent to.
    by_port: BTreeMap<u32, Vec<Sent<'a>>>,
    /// Those with a target of this number.
    by_target: BTreeMap<u32, Vec<&'a Object<Service>>>,
    /// Those with a target of a name.
    by_name: Vec<(&'a Object<Service>, &'a str)>,
    /// By namespace: ports that ServiceEntries, WorkloadEntries and Sidecars have workloads listen on.
    otherwise: BTreeMap<&'a str, BTreeSet<u32>>,
}

impl<'c, 'a> Ports<'c, 'a> {
    fn of(context: &'c Context<'a>) -> Self {
        let mut ports = Self {
            workloads: Workloads::of(context),
            by_port: BTreeMap::new(),
            by_target: BTreeMap::new(),
            by_name: Vec::new(),
            otherwise: BTreeMap::new(),
        };
        let services = context.objects(&context.config.services);
        for service in services.filter(|service| !service.spec.spec.selector.is_empty()) {
            for port in service.spec.spec.ports.iter().filter(|port| port.protocol == Protocol::Tcp) {
                let Ok(number) = u32::try_from(port.port) else { continue };
                ports.by_port.entry(number).or_default().push((service, &port.target_port));
                match &port.target_port {
                    Some(IntOrString::String(name)) if name.parse::<u32>().is_err() => {
                        ports.by_name.push((service, name));
                    }
                    target => {
                        let target = number_of(target.as_ref()).unwrap_or(number);
                        ports.by_target.entry(target).or_default().push(service);
                    }
                }
            }
        }
        let mut add = |namespace: &'a str, number: u32| {
            ports.otherwise.entry(namespace).or_default().insert(number);
        };
        for entry in context.objects(&context.config.service_entries) {
            let written = entry.spec.ports.iter().flat_map(|port| [port.number, port.target_port]);
            written.for_each(|number| add(&entry.meta.namespace, number));
        }
        for entry in context.objects(&context.config.workload_entries) {
            entry.spec.ports.values().for_each(|number| add(&entry.meta.namespace, *number));
        }
        for sidecar in context.objects(&context.config.sidecars) {
            let written = sidecar.spec.ingress.iter().filter_map(|listener| listener.port.as_ref());
            written.for_each(|port| add(&sidecar.meta.namespace, port.number));
        }
        ports
    }

    /// What is wrong with a port of the workloads that a selector takes, and what to do.
    fn complaint(
        &self,
        namespace: Option<&str>,
        selector: &StringMap,
        port: u32,
    ) -> Option<(String, String)> {
        let is_near =
            |service: &&Object<Service>| namespace.is_none_or(|name| name == &*service.meta.namespace);
        let known =
            self.by_port.get(&port)?.iter().filter(|(service, _)| is_near(service)).take(SERVICES_MAX);
        let mut sent_to = BTreeSet::new();
        let mut of = None;
        for (service, target) in known {
            let Some(workload) = self.behind(service, selector) else { continue };
            // Where it is not known which port that is, nothing is said.
            let target = match target {
                Some(IntOrString::String(name)) if name.parse::<u32>().is_err() => named(&workload, name)?,
                target => number_of(target.as_ref()).unwrap_or(port),
            };
            sent_to.insert(target);
            of = of.or(Some((*service, workload)));
        }
        let (service, workload) = of?;
        if sent_to.contains(&port) || self.listens(namespace, selector, port) {
            return None;
        }
        let targets: Vec<_> = sent_to.iter().map(ToString::to_string).collect();
        let message = format!(
            "{port} is a port of Service `{}`, which sends it to port {} of {} `{}`: the workload never sees it",
            full_name(service),
            listed(&targets),
            workload.kind,
            workload.name
        );
        let help = format!("write the port of the workload: {}", listed(&targets));
        Some((message, help))
    }

    /// A workload that both a Service and a selector take.
    fn behind(&self, service: &'a Object<Service>, selector: &StringMap) -> Option<Workload<'a>> {
        let of_service = &service.spec.spec.selector;
        let agree =
            selector.iter().all(|(key, value)| of_service.get(key).is_none_or(|other| other == value));
        let both: StringMap = of_service
            .iter()
            .chain(selector)
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        agree.then(|| self.workloads.matching(Some(&service.meta.namespace), &both).next())?
    }

    /// Whether any workload of a selector listens on the port, as far as can be told.
    fn listens(&self, namespace: Option<&str>, selector: &StringMap, port: u32) -> bool {
        let is_near =
            |service: &&&Object<Service>| namespace.is_none_or(|name| name == &*service.meta.namespace);
        let otherwise = match namespace {
            Some(name) => self.otherwise.get(name).is_some_and(|ports| ports.contains(&port)),
            None => self.otherwise.values().any(|ports| ports.contains(&port)),
        };
        let targets = self.by_target.get(&port).into_iter().flatten();
        otherwise
            || targets.filter(is_near).any(|service| self.behind(service, selector).is_some())
            || self.by_name.iter().filter(|(service, _)| is_near(&service)).any(|(service, name)| {
                self.behind(service, selector).is_some_and(|workload| named(&workload, name) == Some(port))
            })
            || self.workloads.matching(namespace, selector).any(|workload| {
                let mut ports = workload.containers().flat_map(|container| &container.ports);
                ports.any(|it| u32::try_from(it.container_port) == Ok(port))
            })
    }
}

fn number_of(port: Option<&IntOrString>) -> Option<u32> {
    match port? {
        IntOrString::Int(number) => u32::try_from(*number).ok().filter(|number| *number > 0),
        IntOrString::String(name) => name.parse().ok(),
    }
}

/// The port of a container by its name.
fn named(workload: &Workload<'_>, name: &str) -> Option<u32> {
    let mut ports = workload.containers().flat_map(|container| &container.ports);
    u32::try_from(ports.find(|port| port.name == name)?.container_port).ok()
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::found;

    fn told(text: &str) -> Vec<String> {
        found("auth.ServicePortAnalyzer", text)
    }

    const GATEWAY: &str = "---
apiVersion: v1
kind: Service
metadata: {name: door, namespace: edge}
spec: {selector: {app: door}, ports: [{name: http, port: 80, targetPort: 8080}, {name: https, port: 443, targetPort: tls}, {name: same, port: 15021}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: door, namespace: edge}
spec: {template: {metadata: {labels: {app: door, istio: door}}, spec: {containers: [{name: istio-proxy, ports: [{name: tls, containerPort: 8443}]}]}}}
";

    fn policy(selector: &str, rule: &str) -> String {
        format!(
            "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: p, namespace: edge}}\n\
             spec: {{{selector} action: DENY, rules: [{rule}]}}\n"
        )
    }

    const DOOR: &str = "selector: {matchLabels: {istio: door}},";

    fn ports(list: &str) -> String {
        policy(DOOR, &format!("{{to: [{{operation: {{ports: {list}}}}}]}}"))
    }

    #[test]
    fn g_21_ports_of_a_service_are_told_where_the_workload_has_others() {
        let place = "service-port edge/p spec.rules[0].to[0].operation.ports";
        assert_eq!(told(&(GATEWAY.to_owned() + &ports("['80']"))), [format!("{place}[0]")]);
        assert_eq!(
            told(&(GATEWAY.to_owned() + &ports("['8080', '443']"))),
            [format!("{place}[1]")],
            "a target with a name"
        );
        let when = policy("", "{when: [{key: destination.port, values: ['80'], notValues: ['443']}]}");
        let field = "service-port edge/p spec.rules[0].when[0]";
        assert_eq!(
            told(&(GATEWAY.to_owned() + &when)),
            [format!("{field}.values[0]"), format!("{field}.notValues[0]")]
        );
        let whole_mesh = ports("['80']").replace("namespace: edge", "namespace: istio-system");
        assert_eq!(told(&(GATEWAY.to_owned() + &whole_mesh)).len(), 1);
    }

    #[test]
    fn ports_that_the_workload_may_have_are_left_alone() {
        for written in ["['8080']", "['8443']", "['15021']", "['9999']", "[]"] {
            assert!(told(&(GATEWAY.to_owned() + &ports(written))).is_empty(), "{written}");
        }
        let eighty = GATEWAY.to_owned() + &ports("['80']");
        for more in [
            // Another workload of the selector listens there, or may.
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: d, namespace: edge, labels: {istio: door}}\nspec: {containers: [{name: c, ports: [{containerPort: 80}]}]}\n",
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: e, namespace: edge}\nspec: {selector: {istio: door}, ports: [{port: 80}]}\n",
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: e, namespace: edge}\nspec: {selector: {istio: door}, ports: [{port: 81, targetPort: 80}]}\n",
            "---\napiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: {name: e, namespace: edge}\nspec: {ingress: [{port: {number: 80, name: http, protocol: HTTP}, defaultEndpoint: '127.0.0.1:1'}]}\n",
            "---\napiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: e, namespace: edge}\nspec: {address: 10.0.0.1, ports: {http: 80}}\n",
        ] {
            assert!(told(&(eighty.clone() + more)).is_empty(), "{more}");
        }
        // The selector takes other workloads, or one without a workload; nothing is known of Pods; a reference.
        let elsewhere = eighty.replace("matchLabels: {istio: door}", "matchLabels: {istio: other}");
        assert!(told(&elsewhere).is_empty());
        let contrary = eighty.replace("matchLabels: {istio: door}", "matchLabels: {app: other}");
        assert!(told(&contrary).is_empty());
        assert!(told(&eighty.replace("kind: Deployment", "kind: StatefulSet")).is_empty());
        let attached = "targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: door}],";
        assert!(told(&eighty.replace(DOOR, attached)).is_empty());
        // Whether the name is that port is not known.
        let unknown = GATEWAY.replace("targetPort: 8080", "targetPort: http");
        assert!(told(&(unknown + &ports("['80']"))).is_empty());
    }

    #[test]
    fn g_56_modes_of_a_services_port_are_told() {
        let peer = |selector: &str| {
            format!(
                "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: p, namespace: edge}}\n\
                 spec: {{{selector} portLevelMtls: {{80: {{mode: STRICT}}, 8080: {{mode: DISABLE}}}}}}\n"
            )
        };
        assert_eq!(told(&(GATEWAY.to_owned() + &peer(DOOR))), ["service-port edge/p spec.portLevelMtls[80]"]);
        assert!(
            told(&(GATEWAY.to_owned() + &peer("mtls: {mode: STRICT},"))).is_empty(),
            "without a selector"
        );
    }
}
