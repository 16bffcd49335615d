//! Webhooks of a control plane outside the cluster: an address that can be used, by name.

use std::net::IpAddr;

use mesh_model::diagnostic::Code;
use mesh_model::kubernetes::webhook_configuration::Webhook;
use mesh_model::object::Object;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for object in context.objects(&context.config.validating_webhooks) {
        let name = &*object.meta.name;
        if name == "istiod-default-validator" || name.starts_with("istio-validator") {
            check(object, &object.spec.webhooks, found);
        }
    }
    for object in context.objects(&context.config.mutating_webhooks) {
        if object.meta.name.starts_with("istio-sidecar-injector") {
            check(object, &object.spec.webhooks, found);
        }
    }
}

fn check<S>(object: &Object<S>, webhooks: &[Webhook], found: &mut Findings) {
    for (index, webhook) in webhooks.iter().enumerate() {
        let path = format!("webhooks[{index}].clientConfig");
        let name = short(&webhook.name);
        let Some(url) = &webhook.client_config.url else {
            if webhook.client_config.service.is_none() {
                let message = format!("webhook `{name}` has no address");
                let help = "set `url`, or `service` for a control plane in the cluster";
                found.add(object, &path, Code::ControlPlaneUrlInvalid, message, help);
            }
            continue;
        };
        let path = format!("{path}.url");
        match host_of(url) {
            Err(problem) => {
                let message = format!("`{}` of webhook `{name}` is not an address: {problem}", short(url));
                let help = "write `https://HOST:PORT/PATH`";
                found.add(object, &path, Code::ControlPlaneUrlInvalid, message, help);
            }
            Ok(host) if host.parse::<IpAddr>().is_ok() => {
                let message = format!("webhook `{name}` names the control plane by the address `{host}`");
                let help = "use a host name: certificates are issued for names, and addresses change";
                found.add(object, &path, Code::ControlPlaneUrlAddress, message, help);
            }
            Ok(_) => {}
        }
    }
}

/// The host of a URL, as Go's `net/url` reads it.
fn host_of(url: &str) -> Result<&str, &'static str> {
    if url.chars().any(|character| character.is_ascii_control() || character == ' ') {
        return Err("it holds spaces or control characters");
    }
    let Some((scheme, rest)) = url.split_once(':') else { return Ok("") };
    let mut letters = scheme.chars();
    let starts = letters.next().is_some_and(|first| first.is_ascii_alphabetic());
    if !starts || letters.any(|one| !one.is_ascii_alphanumeric() && !"+-.".contains(one)) {
        return Err("it does not start with a scheme such as `https:`");
    }
    let Some(rest) = rest.strip_prefix("//") else { return Ok("") };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.strip_prefix('[') {
        Some(address) => address.split_once(']').ok_or("the bracket is not closed")?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("its port is not a number");
    }
    Ok(host)
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn hosts_are_read_from_urls() {
        assert_eq!(host_of("https://istiod.example.com:15017/inject"), Ok("istiod.example.com"));
        assert_eq!(host_of("https://user@10.0.0.1/x"), Ok("10.0.0.1"));
        assert_eq!(host_of("https://[::1]:15017"), Ok("::1"));
        assert_eq!(host_of("istiod"), Ok(""));
        for bad in ["1.2.3.4:8080", "https://a b", "https://a:x", "https://[::1"] {
            assert!(host_of(bad).is_err(), "{bad}");
        }
    }
}
