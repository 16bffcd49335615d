//! Gateways of one workload that disagree on who ends the TLS of a port: its load balancer or they (T-583).
//!
//! Inside of one Gateway validation says so; this is about several.

use std::collections::BTreeMap;

use mesh_model::diagnostic::Code;
use mesh_model::name::StringMap;
use mesh_model::name::{OffloadedPort, Protocol};
use mesh_model::networking::gateway::spec::{Gateway, Port};
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, full_name, short};

/// Labels of a workload, and a port.
type Door<'a> = (&'a StringMap, u32);

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    // For each workload and port: the first Gateway, and whether the load balancer ends TLS for it.
    let mut first: BTreeMap<Door<'_>, (&Object<Gateway>, bool)> = BTreeMap::new();
    let gateways: Vec<_> = context.objects(&context.config.gateways).collect();
    for gateway in gateways {
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let Some(port) = &server.port else { continue };
            let is_offloaded = is_offloaded(port);
            let (other, other_is) =
                *first.entry((&gateway.spec.selector, port.number)).or_insert((gateway, is_offloaded));
            if other_is == is_offloaded || std::ptr::eq(other, gateway) {
                continue;
            }
            let name = short(&full_name(other));
            let message = if other_is {
                format!(
                    "Gateway `{name}` asks the load balancer to end the TLS of port {}, and this one does not",
                    port.number
                )
            } else {
                format!(
                    "this asks the load balancer to end the TLS of port {}, and Gateway `{name}` does not",
                    port.number
                )
            };
            let help = "name the port `clb-https-<number>-<certificate>` in all Gateways of the workload, or in none";
            found.add(gateway, &format!("spec.servers[{index}].port.name"), Code::TencentName, message, help);
        }
    }
}

/// With other protocols the name means nothing (T-582).
fn is_offloaded(port: &Port) -> bool {
    OffloadedPort::parse(&port.name).is_some() && Protocol::parse(&port.protocol) == Protocol::Http
}

#[cfg(test)]
mod tests {
    use mesh_model::config_set::{Change, ConfigSet};
    use mesh_model::mesh_config::MeshConfig;
    use mesh_model::yaml::{LoadOptions, load};

    use crate::analyze::{Input, Options, analyze};

    fn gateway(name: &str, selector: &str, port: &str) -> String {
        format!(
            "---\napiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: a}}\n\
             spec: {{selector: {{istio: {selector}}}, servers: [{{port: {port}, hosts: [{name}.example]}}]}}\n"
        )
    }

    fn findings(gateways: &[String]) -> Vec<String> {
        let loaded = load("f.yaml", gateways.concat(), &LoadOptions::default());
        let mut config = ConfigSet::new();
        config.apply(loaded.documents.into_iter().map(Change::Upsert));
        let options =
            Options { only: Some(["gateway.OffloadAnalyzer".to_owned()].into()), ..Options::default() };
        let analysis = analyze(&Input::new(&config, &MeshConfig::with_defaults()), &options);
        analysis.report.iter().map(|found| format!("{} {}", found.at.resource.name, found.at.field)).collect()
    }

    #[test]
    fn t_583_gateways_of_one_workload_agree_on_who_ends_tls() {
        let offloaded = "{number: 443, name: clb-https-443-Ab9, protocol: HTTP}";
        let own = "{number: 443, name: https, protocol: HTTP}";
        let a = gateway("a", "x", offloaded);
        assert_eq!(findings(&[a.clone(), gateway("b", "x", own)]), ["b spec.servers[0].port.name"]);
        assert_eq!(
            findings(&[gateway("a", "x", own), gateway("b", "x", offloaded)]),
            ["b spec.servers[0].port.name"]
        );
        let none: [&str; 0] = [];
        assert_eq!(findings(&[a.clone(), gateway("b", "y", own)]), none, "another workload");
        assert_eq!(
            findings(&[a.clone(), gateway("b", "x", &own.replace("443", "80"))]),
            none,
            "another port"
        );
        assert_eq!(findings(&[a, gateway("b", "x", &offloaded.replace("Ab9", "Cd8"))]), none, "both");
    }
}
