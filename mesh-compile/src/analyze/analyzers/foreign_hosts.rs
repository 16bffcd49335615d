//! VirtualServices that take a host of a Service of another namespace from everybody (K05). Istio allows it: whoever may
//! write in one namespace steers the clients of another.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::Service;
use mesh_model::name::{MESH_GATEWAY, resolve_short_name};
use mesh_model::networking::virtual_service::spec::VirtualService;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, listed, short};
use crate::analyze::hosts::scopes;

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut services: BTreeMap<(&str, &str), &Object<Service>> = BTreeMap::new();
    for service in context.config.services.iter() {
        services.entry((&service.meta.namespace, &service.meta.name)).or_insert(service);
    }
    for rule in context.objects(&context.config.virtual_services) {
        let own = &*rule.meta.namespace;
        // What the mesh's operators write is meant for all.
        if own == context.mesh.root_namespace() || !is_for_sidecars(&rule.spec.gateways) {
            continue;
        }
        let readers = readers(context, rule);
        if readers.iter().all(|reader| *reader == own) {
            continue;
        }
        for (index, host) in rule.spec.hosts.iter().enumerate() {
            let host = resolve_short_name(host, own, context.mesh.trust_domain());
            let Some((name, namespace)) = name_and_namespace(&host) else { continue };
            let Some(service) = services.get(&(namespace, name)).filter(|_| namespace != own) else {
                continue;
            };
            let everybody = readers.contains("*");
            let whose = if everybody { "all namespaces".to_owned() } else { listed(&readers) };
            let message = format!(
                "this takes the traffic of clients in {whose} to `{}`, which the Service `{}` of another namespace has",
                short(&host),
                full_name(service)
            );
            let help = format!(
                "write it in the namespace `{namespace}`, or for clients of `{own}` alone with `exportTo: [\".\"]`"
            );
            found.add(rule, &format!("spec.hosts[{index}]"), Code::ForeignHost, message, help);
        }
    }
}

fn is_for_sidecars(gateways: &[String]) -> bool {
    gateways.is_empty() || gateways.iter().any(|gateway| gateway == MESH_GATEWAY)
}

/// The namespaces whose clients see a rule; `*`: all.
fn readers<'a>(context: &Context<'a>, rule: &'a Object<VirtualService>) -> BTreeSet<&'a str> {
    let written = &rule.spec.export_to;
    let export_to = if written.is_empty() {
        context.mesh.default_virtual_service_export_to()
    } else {
        written.as_slice()
    };
    let found = scopes(export_to.iter().map(String::as_str), &rule.meta.namespace);
    found.into_iter().filter(|scope| *scope != "~").collect()
}

/// `reviews` and `shop` of `reviews.shop.svc.DOMAIN`.
fn name_and_namespace(host: &str) -> Option<(&str, &str)> {
    let (name, rest) = host.split_once('.')?;
    let (namespace, rest) = rest.split_once('.')?;
    rest.starts_with("svc.").then_some((name, namespace))
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::found;

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: reviews, namespace: shop}\nspec: {ports: [{name: http, port: 80}]}\n";

    fn hosts(namespace: &str, spec: &str) -> Vec<String> {
        let rule = format!(
            "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: a, namespace: {namespace}}}\n\
             spec: {{{spec}, http: [{{route: [{{destination: {{host: b}}}}]}}]}}\n"
        );
        found("virtualservice.ForeignHostAnalyzer", &format!("{SERVICE}---\n{rule}"))
    }

    #[test]
    fn a_host_of_another_namespace_that_is_taken_from_others_is_told() {
        let told = ["foreign-host ns2/a spec.hosts[0]"];
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local]"), told);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], exportTo: ['*']"), told);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], exportTo: ['.', shop]"), told);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], gateways: [front, mesh]"), told);
    }

    #[test]
    fn what_is_usual_is_not_told() {
        let none: [&str; 0] = [];
        assert_eq!(hosts("shop", "hosts: [reviews]"), none);
        assert_eq!(hosts("shop", "hosts: [reviews.shop.svc.cluster.local]"), none);
        assert_eq!(hosts("istio-system", "hosts: [reviews.shop.svc.cluster.local]"), none);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], exportTo: ['.']"), none);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], exportTo: [ns2]"), none);
        assert_eq!(hosts("ns2", "hosts: [reviews.shop.svc.cluster.local], gateways: [front]"), none);
        // A short name is of the rule's own namespace; the others have no Service here.
        assert_eq!(hosts("ns2", "hosts: [reviews, other.shop.svc.cluster.local, db.example.com]"), none);
    }
}
