//! TLS towards servers whose certificate nobody checks.

use std::collections::BTreeSet;

use mesh_model::diagnostic::Code;
use mesh_model::part::{ClientTlsMode, ClientTlsSettings};

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

const HELP: &str = "set `caCertificates` to the file of the authority that signed the server's certificate";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for rule in context.objects(&context.config.destination_rules) {
        let Some(policy) = &rule.spec.traffic_policy else { continue };
        let has_selector = rule.spec.workload_selector.is_some();
        let host = short(&rule.spec.host);
        if let Some(mode) = unverified(policy.tls.as_deref(), has_selector) {
            let message = format!("the certificate of `{host}` is not checked in mode {mode}");
            found.add(rule, "spec.trafficPolicy.tls", Code::ServerNotVerified, message, HELP);
        }
        // One finding for each port and mode, as in Istio.
        let mut told = BTreeSet::new();
        for (index, level) in policy.port_level_settings.iter().enumerate() {
            if let Some(mode) = unverified(level.tls.as_deref(), has_selector) {
                let port = level.port.as_ref().map_or(0, |port| port.number);
                if !told.insert((port, mode)) {
                    continue;
                }
                let path = format!("spec.trafficPolicy.portLevelSettings[{index}].tls");
                let message =
                    format!("the certificate of `{host}` port {port} is not checked in mode {mode}");
                found.add(rule, &path, Code::PortServerNotVerified, message, HELP);
            }
        }
    }
}

/// The mode, where it is one that should check and has nothing to check with. A credential brings its authority along
/// where the rule is for selected workloads.
fn unverified(tls: Option<&ClientTlsSettings>, has_selector: bool) -> Option<&'static str> {
    let tls = tls?;
    let mode = match tls.mode {
        ClientTlsMode::Simple => "SIMPLE",
        ClientTlsMode::Mutual => "MUTUAL",
        _ => return None,
    };
    let is_checked = !tls.ca_certificates.is_empty() || has_selector && !tls.credential_name.is_empty();
    (!is_checked).then_some(mode)
}
