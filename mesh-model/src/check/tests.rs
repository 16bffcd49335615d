//! Checks of single values against tables of known answers, where they lie beside the workspace, and by example.

use serde_json::Value;

use super::{Checked, export_to, header, host, locality, port, value};
use crate::conformance_test::shared;
use crate::value::Duration;

fn text<'v>(input: &'v Value, key: &str) -> &'v str {
    input.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn texts<'v>(input: &'v Value, key: &str) -> Vec<&'v str> {
    input.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn duration(input: &Value) -> Duration {
    let written = input.get("duration").or_else(|| input.get("Drain")).unwrap();
    let number = |key: &str| written.get(key).and_then(Value::as_i64).unwrap_or_default();
    Duration::from_nanos(number("seconds") * 1_000_000_000 + number("nanos"))
}

/// The answer to a row of the table; `None`: the function has no counterpart here.
fn answer(target: &str, input: &Value) -> Option<Checked> {
    Some(match target {
        "ValidateFQDN" => host::fqdn(text(input, "fqdn")),
        "ValidatePort" => port::number(input.get("key")?.as_i64()?),
        "ValidateProxyAddress" => host::host_and_port(text(input, "key")),
        "ValidateDuration" => value::duration(duration(input)),
        "ValidateDrainDuration" => {
            value::duration(duration(input)).and_then(|()| value::whole_seconds(duration(input)))
        }
        "ValidateProtocolDetectionTimeout" => value::whole_millis(duration(input)),
        "ValidateWildcardDomain" => host::wildcard_domain(text(input, "in")),
        "ValidateWildcardDomainForVirtualServiceBoundToGateway" => {
            host::gateway_domain(text(input, "in"), input.get("sni")?.as_bool()?)
        }
        "ValidateTrustDomain" => host::trust_domain(text(input, "in")),
        "validateLocalities" => locality::localities(texts(input, "localities").into_iter()),
        "ValidateIPAddress" => host::address(text(input, "addr")),
        "ValidateIPSubnet" => host::subnet(text(input, "subnet")),
        "validateExtensionProviderService" => host::provider_service(text(input, "service")),
        "ValidateStrictHTTPHeaderName" => header::strict_name(text(input, "name")),
        "ValidateHTTPHeaderNameOrJwtClaimRoute" => header::match_name(text(input, "name")),
        "validateHTTPStatus" => value::http_status(input.get("in")?.as_i64()?),
        "ValidatePortName" => port::name(text(input, "name")),
        "ValidateHTTPHeaderValue" => header::value(text(input, "input")),
        _ => return None,
    })
}

#[test]
fn single_values_are_judged_as_by_istio() {
    let Some(table) = shared("conformance/validation/tables.json") else { return };
    let rows: Vec<Value> = serde_json::from_str(&table).unwrap();
    let mut checked = 0;
    for row in &rows {
        let Some(answer) = answer(text(row, "target"), &row["input"]) else { continue };
        checked += 1;
        assert_eq!(answer.is_ok(), row["expect"] == "valid", "{row}: {answer:?}");
    }
    assert!(checked > 60, "only {checked} rows have a counterpart");
}

#[test]
fn exports_are_judged_as_by_istio() {
    let Some(table) = shared("conformance/validation/tables.json") else { return };
    let rows: Vec<Value> = serde_json::from_str(&table).unwrap();
    for row in rows.iter().filter(|row| row["target"] == "validateExportTo") {
        let input = &row["input"];
        let exporter = if input["isServiceEntry"] == true {
            export_to::Exporter::Service
        } else if input["isDestinationRuleWithSelector"] == true {
            export_to::Exporter::SelectingRule
        } else {
            export_to::Exporter::Other
        };
        let entries: Vec<String> = texts(input, "exportTo").into_iter().map(str::to_owned).collect();
        let report = super::testing::checked(text(input, "namespace"), |found| {
            export_to::export_to(found, &super::Path::Root("spec"), &entries, exporter);
        });
        assert_eq!(report.is_empty(), row["expect"] == "valid", "{row}: {report:?}");
    }
}

#[test]
fn a_default_port_of_an_ipv6_address_needs_brackets() {
    assert_eq!(host::split_port("[::1]:80"), Some(("::1", "80")));
    assert_eq!(host::split_port("::1:80"), None);
    assert_eq!(host::split_port("a:80"), Some(("a", "80")));
    assert_eq!(host::split_port("a"), None);
    assert_eq!(host::split_port("[::1]80"), None);
}

#[test]
fn a_claim_is_written_with_a_dot_or_brackets_in_any_case() {
    assert!(header::is_claim("@request.auth.claims.sub"));
    assert!(header::is_claim("@Request.Auth.Claims[sub]"));
    for other in
        ["@request.auth.claims", "@request.auth.claims.", "@request.auth.claims[]", "x", "é@request.auth.cl"]
    {
        assert!(!header::is_claim(other), "{other}");
    }
}

#[test]
fn a_percent_sign_in_a_header_value_starts_a_variable() {
    for good in ["", "a", "100%%", "%REQ(x)%", "%START_TIME(%Y)%", "a\tb", "%X([\"a\", \"b\"])%"] {
        assert_eq!(header::value(good), Ok(()), "{good}");
    }
    for bad in ["100%", "%REQ(x)", "%REQ", "a\u{1}b", "%X([\"a\" \"b\"])%", "%X([a])%", "%X(\\"] {
        assert!(header::value(bad).is_err(), "{bad}");
    }
}

#[test]
fn no_locality_covers_another() {
    let check = |list: &[&str]| locality::localities(list.iter().copied()).is_ok();
    assert!(check(&["r1/z1", "r1/z2", "r2/*", "r3"]));
    assert!(check(&["r1/z1/s1", "r1/z1/s2"]));
    for wrong in [
        &["r1", "r1/z1"][..],
        &["r1/z1", "r1"],
        &["*", "r1"],
        &["r1/z1/*", "r1/z1/s1"],
        &["r1//s"],
        &["r*/z"],
        &["r1/z1/s1", "r1/z1/s1"],
    ] {
        assert!(!check(wrong), "{wrong:?}");
    }
}

#[test]
fn a_wildcard_stands_for_whole_labels() {
    assert!(host::no_partial_wildcard("*.example.com").is_ok());
    assert!(host::no_partial_wildcard("*").is_ok());
    assert!(host::no_partial_wildcard("*-a.example.com").is_err());
}

#[test]
fn a_socket_is_an_absolute_path_to_a_file_or_abstract() {
    for good in ["/var/run/app.sock", "@abstract"] {
        assert!(host::unix_address(good).is_ok(), "{good}");
    }
    for bad in ["", "relative", "/", "/dir/"] {
        assert!(host::unix_address(bad).is_err(), "{bad}");
    }
}

#[test]
fn no_text_panics() {
    for odd in
        ["", "%", "[", "]:", "[]:", "a]:1", "é", "//", "*/", "/*", "~/", "unix://", "@", "outbound_", "\u{0}"]
    {
        let _ = (host::gateway_host(odd), host::egress_host(odd), host::bind(odd), host::host_and_port(odd));
        let _ =
            (host::gateway_domain(odd, true), header::value(odd), header::match_name(odd), value::regex(odd));
        let _ = (host::provider_service(odd), host::subnet(odd), locality::localities([odd].into_iter()));
    }
}
