//! BackendTLSPolicies as rules for the clusters of their targets (T-226, point 5).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, Report};
use mesh_model::gateway_api::{BackendTlsPolicy, BackendTlsValidation, PolicyTarget};
use mesh_model::networking::destination_rule::spec::DestinationRule;
use mesh_model::object::{Object, ObjectMeta};
use mesh_model::origin::Origin;
use mesh_model::part::{ClientTlsMode, ClientTlsSettings, PortSelector, PortTrafficPolicy};

use super::{MADE, Scope, general_help, listener_tls, report_at};
use crate::merge::destination_rule::{MergedDestinationRule, RuleSource};
use crate::registry::DOMAIN;

const IGNORED: &str = "istio.io/ignore-policy-attachment";

/// Host, ports by name and name of what is made, of a target that exists.
struct Found {
    hosts: Vec<String>,
    ports: Vec<(String, u32)>,
}

/// One rule per host of a target; the oldest policy counts where several want the same.
pub(super) fn convert(scope: &Scope<'_>, report: &mut Report) -> Vec<MergedDestinationRule> {
    let mut policies: Vec<_> = scope.discovered(&scope.config.backend_tls_policies).collect();
    policies.retain(|policy| !is_ignored(&policy.meta));
    policies.sort_by(|a, b| order(&a.meta).cmp(&order(&b.meta)));
    let mut made: BTreeMap<(Arc<str>, String, String), MergedDestinationRule> = BTreeMap::new();
    let mut taken: BTreeSet<(Arc<str>, String, String, Option<String>)> = BTreeSet::new();
    for policy in &policies {
        let settings = settings(scope, policy, report);
        for (index, target) in policy.spec.spec.target_refs.iter().enumerate() {
            let field = format!("spec.targetRefs[{index}]");
            let key = target_key(policy, target);
            let found = match find(scope, policy, target) {
                Ok(_) if !taken.insert(key) => Err("an older policy has the same target".to_owned()),
                other => other,
            };
            match found {
                Ok(found) => add(policy, target, &field, &found, &settings, &mut made),
                Err(message) => {
                    report_at(&policy.provenance, &field, Code::PolicyIgnored, message, report);
                }
            }
        }
    }
    made.into_values().collect()
}

fn is_ignored(meta: &ObjectMeta) -> bool {
    meta.annotations.get(IGNORED).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn order(meta: &ObjectMeta) -> (i64, &str, &str) {
    (meta.created.unwrap_or(i64::MIN), &meta.namespace, &meta.name)
}

fn target_key(
    policy: &Object<BackendTlsPolicy>,
    target: &PolicyTarget,
) -> (Arc<str>, String, String, Option<String>) {
    let PolicyTarget { group: _, kind, name, section_name } = target;
    (Arc::clone(&policy.meta.namespace), kind.clone(), name.clone(), section_name.clone())
}

fn find(
    scope: &Scope<'_>,
    policy: &Object<BackendTlsPolicy>,
    target: &PolicyTarget,
) -> Result<Found, String> {
    let namespace = &policy.meta.namespace;
    let is_it = |meta: &ObjectMeta| meta.namespace == *namespace && *meta.name == *target.name;
    let missing = || format!("no {} `{namespace}/{}` is known", target.kind, target.name);
    let found = match (target.group.as_str(), target.kind.as_str()) {
        ("", "Service") => {
            let service =
                scope.config.services.iter().find(|found| is_it(&found.meta)).ok_or_else(missing)?;
            let ports = service.spec.spec.ports.iter();
            Found {
                hosts: vec![format!("{}.{namespace}.svc.{DOMAIN}", target.name)],
                ports: ports.map(|port| (port.name.clone(), u32::try_from(port.port).unwrap_or(0))).collect(),
            }
        }
        ("networking.istio.io", "ServiceEntry") => {
            let entry =
                scope.config.service_entries.iter().find(|found| is_it(&found.meta)).ok_or_else(missing)?;
            Found {
                hosts: entry.spec.hosts.clone(),
                ports: entry.spec.ports.iter().map(|port| (port.name.clone(), port.number)).collect(),
            }
        }
        (_, kind) => return Err(format!("policies cannot target `{kind}`")),
    };
    match section(target) {
        Some(section) if !found.ports.iter().any(|(name, _)| name == section) => {
            Err(format!("`{}` has no port `{section}`", target.name))
        }
        _ => Ok(found),
    }
}

fn section(target: &PolicyTarget) -> Option<&str> {
    target.section_name.as_deref().filter(|name| !name.is_empty())
}

fn add(
    policy: &Object<BackendTlsPolicy>,
    target: &PolicyTarget,
    field: &str,
    found: &Found,
    settings: &ClientTlsSettings,
    made: &mut BTreeMap<(Arc<str>, String, String), MergedDestinationRule>,
) {
    let namespace = &policy.meta.namespace;
    for host in &found.hosts {
        let key = (Arc::clone(namespace), format!("{}/{}", target.kind, target.name), host.clone());
        let rule = made.entry(key).or_insert_with(|| empty_rule(policy, target, host, field));
        let policies = rule.spec.traffic_policy.get_or_insert_default();
        match section(target).and_then(|name| found.ports.iter().find(|(port, _)| port == name)) {
            Some((_, number)) => {
                let is_taken = policies
                    .port_level_settings
                    .iter()
                    .any(|port| port.port.as_ref().is_some_and(|port| port.number == *number));
                if !is_taken {
                    policies.port_level_settings.push(PortTrafficPolicy {
                        port: Some(PortSelector { number: *number }),
                        tls: Some(Box::new(settings.clone())),
                        ..PortTrafficPolicy::default()
                    });
                    policies
                        .port_level_settings
                        .sort_by_key(|port| port.port.as_ref().map(|port| port.number));
                }
            }
            None => policies.tls = policies.tls.take().or_else(|| Some(Box::new(settings.clone()))),
        }
        if !rule.from.contains(&policy.provenance) {
            rule.from.push(Arc::clone(&policy.provenance));
        }
    }
}

fn empty_rule(
    policy: &Object<BackendTlsPolicy>,
    target: &PolicyTarget,
    host: &str,
    field: &str,
) -> MergedDestinationRule {
    let name = match target.kind.as_str() {
        "ServiceEntry" => format!("{}~{}~{MADE}", target.name, host.replace('.', "-")),
        _ => format!("{}~{MADE}", target.name),
    };
    MergedDestinationRule {
        namespace: Arc::clone(&policy.meta.namespace),
        name: name.into(),
        spec: DestinationRule {
            host: host.to_owned(),
            traffic_policy: Some(Box::default()),
            ..DestinationRule::default()
        },
        export_to: BTreeSet::new(),
        subset_origins: Vec::new(),
        policy_origin: Some(Origin::written(&policy.provenance, field)),
        from: Vec::new(),
        lost: Vec::new(),
        source: RuleSource::BackendPolicy,
    }
}

/// TLS as the policy wants it. Authorities that cannot be found block the traffic.
fn settings(scope: &Scope<'_>, policy: &Object<BackendTlsPolicy>, report: &mut Report) -> ClientTlsSettings {
    let validation = &policy.spec.spec.validation;
    let names = validation.subject_alt_names.iter().filter_map(|name| match name.r#type.as_str() {
        "Hostname" => Some(name.hostname.clone()),
        "URI" => Some(name.uri.clone()),
        _ => None,
    });
    ClientTlsSettings {
        mode: ClientTlsMode::Simple,
        sni: validation.hostname.clone(),
        subject_alt_names: names.collect(),
        credential_name: credential(scope, policy, validation, report),
        ..ClientTlsSettings::default()
    }
}

fn credential(
    scope: &Scope<'_>,
    policy: &Object<BackendTlsPolicy>,
    validation: &BackendTlsValidation,
    report: &mut Report,
) -> String {
    if validation.well_known_ca_certificates.is_some() {
        return String::new();
    }
    let Some(reference) = validation.ca_certificate_refs.first() else { return String::new() };
    let namespace = &policy.meta.namespace;
    let is_config_map = reference.group.as_deref().unwrap_or_default().is_empty()
        && reference.kind.as_deref() == Some("ConfigMap");
    if is_config_map && listener_tls::has_root(scope.config, namespace, &reference.name) {
        return format!("configmap://{namespace}/{}", reference.name);
    }
    let message = format!("`{}` is no ConfigMap with authorities: connections will fail", reference.name);
    let field = "spec.validation.caCertificateRefs[0]";
    let finding = Diagnostic::new(Code::PolicyIgnored, Place::of(&policy.provenance, field), message);
    let missing = Missing::object("ConfigMap", namespace, &reference.name);
    report.push(finding.help(general_help(Code::PolicyIgnored)).missing(missing));
    "invalid://".to_owned()
}
