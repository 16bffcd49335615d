//! What the API server refuses in an Ingress. Spec: kubernetes/kubernetes, pkg/apis/networking/validation.

use std::net::IpAddr;

use super::{HttpIngressPath, Ingress, IngressBackend};
use crate::check::value::one_of;
use crate::check::{Checked, Checker, Path, Problem, host, short};
use crate::diagnostic::Report;
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<Ingress>, report: &mut Report) {
    let mut check = Checker::new(object, report);
    let spec = &object.spec.spec;
    if let Some(default) = &spec.default_backend {
        backend(&mut check, &SPEC.field("defaultBackend"), default);
    }
    let rules = SPEC.field("rules");
    for (index, rule) in spec.rules.iter().enumerate() {
        let rule_at = rules.index(index);
        if !rule.host.is_empty() {
            check.check(&rule_at.field("host"), host_of(&rule.host));
        }
        let http_at = rule_at.field("http");
        let paths_at = http_at.field("paths");
        for (index, one) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
            path(&mut check, &paths_at.index(index), one);
        }
    }
    let tls_at = SPEC.field("tls");
    for (index, tls) in spec.tls.iter().enumerate() {
        let entry_at = tls_at.index(index);
        let hosts_at = entry_at.field("hosts");
        for (index, host) in tls.hosts.iter().enumerate() {
            check.check(&hosts_at.index(index), host_of(host));
        }
    }
}

/// A DNS name in small letters, `*.` at most in front.
fn host_of(text: &str) -> Checked {
    if text.parse::<IpAddr>().is_ok() {
        let problem = Problem::invalid(format!("`{}` is an address, not a host", short(text)));
        return Err(problem.help("write a DNS name, or leave the host out"));
    }
    host::wildcard_domain(text)?;
    host::no_partial_wildcard(text)?;
    if text == "*" {
        return Err(
            Problem::invalid("`*` is no host here").help("leave the host out: then all hosts are meant")
        );
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let problem = Problem::invalid(format!("`{}` has capitals", short(text)));
        return Err(problem.help(format!("write `{}`", short(&text.to_ascii_lowercase()))));
    }
    Ok(())
}

fn path(check: &mut Checker<'_>, at: &Path<'_>, one: &HttpIngressPath) {
    let words = ["Exact", "Prefix", "ImplementationSpecific"];
    match &one.path_type {
        Some(word) => check.check(&at.field("pathType"), one_of(word, &words)),
        None => {
            let problem = Problem::missing("`pathType` is needed");
            check.find(
                &at.field("pathType"),
                problem.help("write `Prefix`, `Exact` or `ImplementationSpecific`"),
            );
        }
    }
    let is_any = one.path_type.as_deref() == Some("ImplementationSpecific");
    let path_at = at.field("path");
    let may_be_empty = is_any && one.path.is_empty();
    if one.path.is_empty() && !may_be_empty {
        check.find(&path_at, Problem::missing("`path` is needed").help("write a path, as `/`"));
    } else if !may_be_empty && !one.path.starts_with('/') {
        let problem = Problem::invalid(format!("`{}` is no path: paths begin with `/`", short(&one.path)));
        check.find(&path_at, problem.help(format!("write `/{}`", short(&one.path))));
    } else if !is_any && let Some(part) = never_met(&one.path) {
        let problem = Problem::invalid(format!("no path that is matched has `{part}` in it"));
        check.find(&path_at, problem.help("write the path as it reads once it is resolved"));
    }
    backend(check, &at.field("backend"), &one.backend);
}

/// What is resolved before paths are compared.
fn never_met(path: &str) -> Option<&'static str> {
    let inside = ["//", "/./", "/../", "%2f", "%2F"];
    let at_end = ["/..", "/."];
    inside
        .into_iter()
        .find(|part| path.contains(part))
        .or_else(|| at_end.into_iter().find(|part| path.ends_with(part)))
}

fn backend(check: &mut Checker<'_>, at: &Path<'_>, backend: &IngressBackend) {
    check
        .at_most_one(at, &[("service", backend.service.is_some()), ("resource", backend.resource.is_some())]);
    let Some(service) = &backend.service else { return };
    let service_at = at.field("service");
    if service.name.is_empty() {
        let problem = Problem::missing("`name` is needed");
        check.find(&service_at.field("name"), problem.help("write the name of a Service"));
    }
    let port_at = service_at.field("port");
    check.at_most_one(
        &port_at,
        &[("name", !service.port.name.is_empty()), ("number", service.port.number != 0)],
    );
    if service.port.name.is_empty() && service.port.number == 0 {
        let problem = Problem::missing("`name` or `number` is needed");
        check.find(&port_at, problem.help("write the port of the Service: `port: {number: ..}`"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::check::testing::problems;

    fn of(rule: &serde_json::Value) -> Vec<String> {
        problems("networking.k8s.io/v1", "Ingress", &json!({"rules": [rule]}))
    }

    fn with_path(path: &str, path_type: Option<&str>) -> Vec<String> {
        let backend = json!({"service": {"name": "a", "port": {"number": 80}}});
        of(&json!({"http": {"paths": [{"path": path, "pathType": path_type, "backend": backend}]}}))
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        assert!(with_path("/", Some("Prefix")).is_empty());
        assert!(with_path("", Some("ImplementationSpecific")).is_empty());
        assert!(with_path("/a//b", Some("ImplementationSpecific")).is_empty());
        for host in ["a.test", "*.a.test", "", "a"] {
            assert!(of(&json!({"host": host})).is_empty(), "{host}");
        }
    }

    #[test]
    fn what_the_api_server_refuses_is_refused() {
        for (path, path_type) in [
            ("a", Some("Prefix")),
            ("", Some("Exact")),
            ("/a/../b", Some("Exact")),
            ("/a/.", Some("Prefix")),
            ("/", None),
        ] {
            assert_eq!(with_path(path, path_type).len(), 1, "{path} {path_type:?}");
        }
        for host in ["http://a.test", "a.test:80", "*.*.test", "1.2.3.4", "*", "A.test", "a*.test"] {
            assert_eq!(of(&json!({"host": host})).len(), 1, "{host}");
        }
        for backend in [
            json!({"service": {"name": "a", "port": {"number": 80, "name": "http"}}}),
            json!({"service": {"name": "a"}}),
            json!({"service": {"port": {"number": 80}}}),
            json!({"service": {"name": "a", "port": {"number": 80}}, "resource": {"kind": "A", "name": "b"}}),
        ] {
            let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
            assert_eq!(of(&json!({"http": {"paths": [path]}})).len(), 1, "{path}");
        }
    }
}
