//! Fields of other messages: what people write who know another API, or an older version of this one.

/// What is written, a field that the message has, and what to do.
const MISPLACED: &[(&str, &str, &str)] = &[
    ("servers", "gatewayClassName", ISTIO_GATEWAY),
    ("selector", "gatewayClassName", ISTIO_GATEWAY),
    ("gatewayClassName", "servers", GATEWAY_API),
    ("listeners", "servers", GATEWAY_API),
    ("hosts", "parentRefs", "did you mean `hostnames`?"),
    ("gateways", "parentRefs", "name Gateways in `parentRefs`: `[{name: ..}]`"),
    ("http", "parentRefs", "write `rules`, each with `matches` and `backendRefs`"),
    ("route", "backendRefs", "write `backendRefs`: `[{name: .., port: ..}]`"),
    ("destination", "backendRefs", "write `backendRefs`: `[{name: .., port: ..}]`"),
    ("parentRefs", "gateways", "name Gateways in `gateways`: `[NAMESPACE/NAME]`"),
    ("hostnames", "gateways", "did you mean `hosts`?"),
    ("backendRefs", "rewrite", "write `route`: `[{destination: {host: ..}}]`"),
    ("host", "destination", UNDER_DESTINATION),
    ("subset", "destination", UNDER_DESTINATION),
    ("port", "destination", UNDER_DESTINATION),
    ("prefix", "uri", "write it under what it is of: `uri: {prefix: /..}`"),
    ("exact", "uri", "write it under what it is of: `uri: {exact: /..}`"),
    ("regex", "uri", "write it under what it is of: `uri: {regex: ..}`"),
    ("path", "uri", "did you mean `uri`?"),
    ("serviceName", "resource", BACKEND),
    ("servicePort", "resource", BACKEND),
    ("paths", "http", "write it under `http`"),
];

const ISTIO_GATEWAY: &str =
    "this is a field of Istio's Gateway: is `apiVersion: networking.istio.io/v1` meant?";
const GATEWAY_API: &str =
    "this is a field of the Gateway API's Gateway: is `apiVersion: gateway.networking.k8s.io/v1` meant?";
const UNDER_DESTINATION: &str = "write it under `destination`: `destination: {host: ..}`";
const BACKEND: &str =
    "write `service: {name: .., port: {number: ..}}`: the name and the port are of older versions";

/// Help for a field that is known from elsewhere.
pub(super) fn help(written: &str, fields: &[&str]) -> Option<&'static str> {
    let row = MISPLACED.iter().find(|(name, beside, _)| *name == written && fields.contains(beside))?;
    (!fields.contains(&written)).then_some(row.2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::unknown_field;

    #[test]
    fn fields_of_other_apis_are_told_where_they_belong() {
        let (help, replacement) = unknown_field("servers", &["gatewayClassName", "listeners", "tls"]);
        assert_eq!((help.as_str(), replacement), (ISTIO_GATEWAY, None));
        assert_eq!(unknown_field("host", &["destination", "headers", "weight"]).0, UNDER_DESTINATION);
        assert_eq!(super::help("hosts", &["hosts", "parentRefs"]), None);
        assert_eq!(super::help("servers", &["hosts"]), None);
    }

    #[test]
    fn a_word_more_or_less_is_a_slip() {
        assert_eq!(unknown_field("labels", &["matchLabels"]).1, Some("matchLabels"));
        assert_eq!(unknown_field("matchLabels", &["labels"]).1, Some("labels"));
        assert_eq!(unknown_field("app", &["matchLabels"]).1, None);
        assert_eq!(unknown_field("settings", &["tcpSettings", "httpSettings"]).1, None);
    }
}
