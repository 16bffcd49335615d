//! Credentials of gateways: Secrets that exist and hold a certificate.
//!
//! Whether the certificate is in force is not looked at. What is wrong with it is said at the Secret.

use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, nearest};
use mesh_model::kubernetes::Secret;

use super::gateway_port::selector_help;
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, selector_text, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let secrets: std::collections::BTreeMap<(&str, &str), &Secret> = context
        .objects(&context.config.secrets)
        .map(|secret| ((&*secret.meta.namespace, &*secret.meta.name), &secret.spec))
        .collect();
    for gateway in context.objects(&context.config.gateways) {
        let selector = &gateway.spec.selector;
        let Some(pod) = context.pods.matching(selector).next() else {
            if context.is_elsewhere(selector) {
                continue;
            }
            let message = format!("no Pod has the labels `{}`", selector_text(selector));
            found.add(
                gateway,
                "spec.selector",
                Code::SelectorUnmatched,
                message,
                selector_help(context, selector),
            );
            continue;
        };
        for (index, server) in gateway.spec.servers.iter().enumerate() {
            let name = server.tls.as_ref().map(|tls| tls.credential_name.as_str()).unwrap_or_default();
            if name.is_empty() {
                continue;
            }
            let path = format!("spec.servers[{index}].tls.credentialName");
            let (namespace, name) = name.split_once('/').unwrap_or((&pod.meta.namespace, name));
            let Some(secret) = secrets.get(&(namespace, name)) else {
                let message = format!("there is no Secret `{}` in namespace `{namespace}`", short(name));
                let near =
                    secrets.keys().filter(|(of, _)| *of == namespace).map(|(_, name)| *name).take(1_000);
                let help = match nearest(name, near) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if secrets.keys().any(|(_, other)| *other == name) => {
                        format!("it must be in the namespace of the gateway's Pods, `{namespace}`")
                    }
                    None => "create it, or correct `credentialName`".to_owned(),
                };
                let at = Place::of(&gateway.provenance, &path);
                let missing = Missing::object("Secret", namespace, name);
                found.push(Diagnostic::new(Code::CredentialUnknown, at, message).help(help).missing(missing));
                continue;
            };
            if !is_usable(secret) {
                let message =
                    format!("Secret `{}` holds no certificate with its key that can be used", short(name));
                let help = "it must have `tls.crt` and `tls.key`, or `cert` and `key`, in PEM form";
                found.add(gateway, &path, Code::CredentialInvalid, message, help);
            }
        }
    }
}

fn is_usable(secret: &Secret) -> bool {
    let has = |certificate: &str, key: &str| secret.has(certificate) && secret.has(key);
    if has("cert", "key") {
        secret.has_certificates("cert")
    } else {
        has("tls.crt", "tls.key") && secret.has_certificates("tls.crt")
    }
}
