//! Values of the annotations that the sidecar injector reads (istio/istio `pkg/kube/inject/validate.go`).

use std::net::IpAddr;
use std::str::FromStr;

use mesh_model::decode::Unknown;
use mesh_model::diagnostic::Report;
use mesh_model::mesh_config::{ProxyConfig, read_bare};
use mesh_model::yaml::{LoadOptions, load};

/// What was expected, where a value is not accepted.
pub(super) fn problem(key: &str, value: &str) -> Option<&'static str> {
    let (is_good, expected) = match key {
        "sidecar.istio.io/interceptionMode" => {
            (matches!(value, "REDIRECT" | "TPROXY" | "NONE"), "`REDIRECT`, `TPROXY` or `NONE`")
        }
        "status.sidecar.istio.io/port" => (is_port(value), "a port"),
        "readiness.status.sidecar.istio.io/initialDelaySeconds"
        | "readiness.status.sidecar.istio.io/periodSeconds"
        | "readiness.status.sidecar.istio.io/failureThreshold" => {
            (value.parse::<u32>().is_ok(), "a whole number")
        }
        "traffic.sidecar.istio.io/includeOutboundIPRanges" => {
            (value == "*" || is_list(value, is_block), "`*`, or address blocks separated by commas")
        }
        "traffic.sidecar.istio.io/excludeOutboundIPRanges" => {
            (is_list(value, is_block), "address blocks separated by commas")
        }
        "traffic.sidecar.istio.io/includeInboundPorts" => {
            (value == "*" || is_list(value.trim(), is_port), "`*`, or ports separated by commas")
        }
        "traffic.sidecar.istio.io/excludeInboundPorts" | "traffic.sidecar.istio.io/excludeOutboundPorts" => {
            (is_list(value.trim(), is_port), "ports separated by commas")
        }
        "traffic.sidecar.istio.io/excludeInterfaces"
        | "traffic.sidecar.istio.io/kubevirtInterfaces"
        | "istio.io/reroute-virtual-interfaces" => {
            (is_list(value, is_interface), "names of network interfaces separated by commas")
        }
        "prometheus.istio.io/merge-metrics" => (is_bool(value), "`true` or `false`"),
        "proxy.istio.io/config" => (is_proxy_config(value), "a ProxyConfig as YAML or JSON"),
        "sidecar.istio.io/proxyCPU"
        | "sidecar.istio.io/proxyMemory"
        | "sidecar.istio.io/proxyCPULimit"
        | "sidecar.istio.io/proxyMemoryLimit" => (is_quantity(value), "a quantity such as `100m` or `128Mi`"),
        _ => return None,
    };
    (!is_good).then_some(expected)
}

fn is_list(value: &str, is_good: fn(&str) -> bool) -> bool {
    value.is_empty() || value.split(',').all(is_good)
}

fn is_port(text: &str) -> bool {
    text.trim().parse::<u16>().is_ok()
}

/// An address with a prefix length.
fn is_block(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Ok(address) = IpAddr::from_str(address) else { return false };
    let max = if address.is_ipv4() { 32 } else { 128 };
    length.parse::<u8>().is_ok_and(|length| length <= max) && !length.starts_with('+')
}

/// Up to 15 bytes that begin with a letter (istio/istio `pkg/util/net`, `ValidateInterfaceNames`).
fn is_interface(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 15
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

/// What Go's `ParseBool` takes.
fn is_bool(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false" | "False")
}

fn is_proxy_config(text: &str) -> bool {
    let loaded = load("proxy.istio.io/config", text, &LoadOptions::default());
    let mut report = Report::new();
    let read = loaded
        .documents
        .first()
        .is_some_and(|document| read_bare::<ProxyConfig>(document, Unknown::Error, &mut report).is_some());
    text.trim().is_empty() || read && !loaded.report.has_errors() && !report.has_errors()
}

/// A Kubernetes quantity: a number, then a unit or an exponent.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits =
        unsigned.trim_start_matches(|character: char| character.is_ascii_digit() || character == '.');
    let number = unsigned.strip_suffix(digits).unwrap_or_default();
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit()) && number.matches('.').count() <= 1;
    let units = ["", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = digits.strip_prefix(['e', 'E']).is_some_and(|power| power.parse::<i32>().is_ok());
    is_number && (units.contains(&digits) || exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_numbers_with_units() {
        for good in ["1", "100m", "128Mi", "0.5", ".5", "1e3", "2E-3", "-1", "1E"] {
            assert!(is_quantity(good), "{good}");
        }
        for bad in ["", "m", "1 Mi", "1mi", "1.2.3", "1ex", "\n1"] {
            assert!(!is_quantity(bad), "{bad}");
        }
    }

    #[test]
    fn each_annotation_has_its_own_grammar() {
        for (key, good, bad) in [
            ("sidecar.istio.io/interceptionMode", "TPROXY", "tproxy"),
            ("traffic.sidecar.istio.io/includeOutboundIPRanges", "*", "10.0.0.0"),
            ("traffic.sidecar.istio.io/excludeOutboundIPRanges", "10.0.0.0/8,::/0", "10.0.0.0/33"),
            ("traffic.sidecar.istio.io/includeInboundPorts", "80, 443", "80;443"),
            ("traffic.sidecar.istio.io/excludeInterfaces", "eth0,net1", "a very long interface name"),
            ("traffic.sidecar.istio.io/kubevirtInterfaces", "net1, a_b.c-d", "0eth"),
            ("istio.io/reroute-virtual-interfaces", "", "eth+"),
            ("proxy.istio.io/config", "{concurrency: 2}", "{concurrency: many}"),
            ("status.sidecar.istio.io/port", "0", "-1"),
        ] {
            assert_eq!(problem(key, good), None, "{key} {good}");
            assert!(problem(key, bad).is_some(), "{key} {bad}");
        }
        assert_eq!(problem("sidecar.istio.io/logLevel", "anything"), None);
    }
}
