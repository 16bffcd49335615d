//! Filters that ask external authorizers of `MeshConfig.extensionProviders` (S-102 to S-112).

use std::collections::BTreeMap;

use mesh_model::mesh_config::{ExtAuthzGrpcProvider, ExtAuthzHttpProvider, ExtensionProvider, RequestBody};
use serde_json::{Map, Value, json};

use super::{EXT_AUTHZ_STAT_PREFIX, filter};
use crate::external_authorizer::written::{STATUSES, is_provider_name};
use crate::policy_set::Protocol;

/// Where an authorizer is (T-150).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Its host name.
    pub host: String,
    /// The cluster of its port, `outbound|9000||HOST`.
    pub cluster: String,
}

/// The settings of one authorizer's filters.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtAuthz {
    http: Map<String, Value>,
    /// `None`: it speaks HTTP and cannot be asked about connections (S-108).
    tcp: Option<Map<String, Value>>,
}

impl ExtAuthz {
    /// The filter, which asks about what the provider's policies matched.
    pub(super) fn filter(&self, protocol: Protocol, provider: &str) -> Option<Value> {
        let (name, rbac, config) = match protocol {
            Protocol::Http => ("envoy.filters.http.ext_authz", "envoy.filters.http.rbac", Some(&self.http)),
            Protocol::Tcp => {
                ("envoy.filters.network.ext_authz", "envoy.filters.network.rbac", self.tcp.as_ref())
            }
        };
        let mut config = config?.clone();
        let matched = json!({
            "filter": rbac,
            "path": [{ "key": format!("{EXT_AUTHZ_STAT_PREFIX}shadow_effective_policy_id") }],
            "value": { "stringMatch": { "prefix": format!("istio-ext-authz-{provider}") } },
        });
        config.insert("filterEnabledMetadata".to_owned(), matched);
        Some(filter(name, "ExtAuthz", config))
    }
}

/// All external authorizers by name; `Err`: why one cannot be used (S-106). `upstream` finds a service, written `HOST` or
/// `NAMESPACE/HOST`, and its port.
pub fn all(
    providers: &[ExtensionProvider],
    upstream: &dyn Fn(&str, u16) -> Option<Upstream>,
) -> BTreeMap<String, Result<ExtAuthz, String>> {
    let mut found: BTreeMap<String, Result<ExtAuthz, String>> = BTreeMap::new();
    for provider in providers {
        let read = match (&provider.envoy_ext_authz_http, &provider.envoy_ext_authz_grpc) {
            (Some(http), _) => read_http(http, upstream),
            (None, Some(grpc)) => read_grpc(grpc, upstream),
            (None, None) => continue,
        };
        let read = if found.contains_key(&provider.name) {
            Err("several providers have this name".to_owned())
        } else if is_provider_name(&provider.name) {
            read
        } else {
            Err("its name is not a DNS label".to_owned())
        };
        found.insert(provider.name.clone(), read);
    }
    found
}

fn read_http(
    provider: &ExtAuthzHttpProvider,
    upstream: &dyn Fn(&str, u16) -> Option<Upstream>,
) -> Result<ExtAuthz, String> {
    let upstream = locate(&provider.service, provider.port, upstream)?;
    let prefix = &provider.path_prefix;
    if !prefix.is_empty() && !is_path(prefix) {
        return Err(format!("`{prefix}` is not a path"));
    }
    let lists = [
        &provider.include_request_headers_in_check,
        &provider.include_headers_in_check,
        &provider.headers_to_downstream_on_deny,
        &provider.headers_to_downstream_on_allow,
        &provider.headers_to_upstream_on_allow,
    ];
    if lists.into_iter().flatten().any(|header| header == "*") {
        return Err("`*` is not a header; only a part of a name can be a star".to_owned());
    }
    let timeout = provider.timeout.map_or_else(default_timeout, |timeout| timeout.to_string());
    let mut service = Map::new();
    let uri = json!({
        "uri": format!("http://{}", upstream.host), "cluster": upstream.cluster, "timeout": timeout,
    });
    service.insert("serverUri".to_owned(), uri);
    if !prefix.is_empty() {
        service.insert("pathPrefix".to_owned(), prefix.as_str().into());
    }
    let added = &provider.include_additional_headers_in_check;
    if !added.is_empty() {
        let pair = |(name, value): (&String, &String)| match value.as_str() {
            "" => json!({ "key": name }),
            value => json!({ "key": name, "value": value }),
        };
        let added: Vec<Value> = added.iter().map(pair).collect();
        service.insert("authorizationRequest".to_owned(), json!({ "headersToAdd": added }));
    }
    let mut response = Map::new();
    for (name, list) in [
        ("allowedUpstreamHeaders", &provider.headers_to_upstream_on_allow),
        ("allowedClientHeaders", &provider.headers_to_downstream_on_deny),
        ("allowedClientHeadersOnSuccess", &provider.headers_to_downstream_on_allow),
    ] {
        response.extend(headers(list).map(|headers| (name.to_owned(), headers)));
    }
    if !response.is_empty() {
        service.insert("authorizationResponse".to_owned(), response.into());
    }
    let mut http = common(provider.fail_open);
    http.insert("httpService".to_owned(), service.into());
    let shown = headers(&provider.include_request_headers_in_check)
        .or_else(|| headers(&provider.include_headers_in_check));
    http.extend(shown.map(|shown| ("allowedHeaders".to_owned(), shown)));
    http.extend(status(&provider.status_on_error)?);
    http.extend(body(provider.include_request_body_in_check.as_ref()));
    Ok(ExtAuthz { http, tcp: None })
}

fn read_grpc(
    provider: &ExtAuthzGrpcProvider,
    upstream: &dyn Fn(&str, u16) -> Option<Upstream>,
) -> Result<ExtAuthz, String> {
    let upstream = locate(&provider.service, provider.port, upstream)?;
    let timeout = provider.timeout.map_or_else(default_timeout, |timeout| timeout.to_string());
    let service = json!({
        "envoyGrpc": { "clusterName": upstream.cluster, "authority": upstream.host }, "timeout": timeout,
    });
    let mut http = common(provider.fail_open);
    http.insert("grpcService".to_owned(), service);
    let mut tcp = http.clone();
    tcp.insert("statPrefix".to_owned(), "tcp.".into());
    http.extend(status(&provider.status_on_error)?);
    http.extend(body(provider.include_request_body_in_check.as_ref()));
    Ok(ExtAuthz { http, tcp: Some(tcp) })
}

fn default_timeout() -> String {
    "600s".to_owned()
}

fn locate(
    service: &str,
    port: u32,
    upstream: &dyn Fn(&str, u16) -> Option<Upstream>,
) -> Result<Upstream, String> {
    let number = u16::try_from(port).ok().filter(|port| *port > 0);
    let number = number.ok_or_else(|| format!("{port} is not a port from 1 to 65535"))?;
    upstream(service, number).ok_or_else(|| format!("there is no service `{service}` with port {port}"))
}

/// It begins with a slash, has no control characters and only whole escapes.
fn is_path(text: &str) -> bool {
    let is_escape = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.starts_with('/')
        && !text.bytes().any(|byte| byte.is_ascii_control())
        && text.split('%').skip(1).all(is_escape)
}

fn common(fail_open: bool) -> Map<String, Value> {
    let mut config = Map::from_iter([("transportApiVersion".to_owned(), "V3".into())]);
    if fail_open {
        config.insert("failureModeAllow".to_owned(), true.into());
    }
    config
}

/// Header names in either case: whole, `x*` or `*x`.
fn headers(names: &[String]) -> Option<Value> {
    let pattern = |name: &String| match (name.strip_prefix('*'), name.strip_suffix('*')) {
        (Some(suffix), _) => json!({ "suffix": suffix, "ignoreCase": true }),
        (None, Some(prefix)) => json!({ "prefix": prefix, "ignoreCase": true }),
        (None, None) => json!({ "exact": name, "ignoreCase": true }),
    };
    (!names.is_empty()).then(|| json!({ "patterns": names.iter().map(pattern).collect::<Vec<_>>() }))
}

/// The status by the name that Envoy has for it.
fn status(written: &str) -> Result<Option<(String, Value)>, String> {
    if written.is_empty() {
        return Ok(None);
    }
    let code = written.parse::<u16>().ok();
    let known = code.and_then(|code| STATUSES.iter().find(|(known, _)| *known == code));
    let (code, name) = known.ok_or_else(|| format!("`{written}` is not a status that Envoy knows"))?;
    let status = if *code == 0 { json!({}) } else { json!({ "code": name }) };
    Ok(Some(("statusOnError".to_owned(), status)))
}

fn body(written: Option<&RequestBody>) -> Option<(String, Value)> {
    let RequestBody { max_request_bytes, allow_partial_message, pack_as_bytes } = written?;
    let mut settings = Map::new();
    if *max_request_bytes > 0 {
        settings.insert("maxRequestBytes".to_owned(), (*max_request_bytes).into());
    }
    for (name, flag) in [("allowPartialMessage", *allow_partial_message), ("packAsBytes", *pack_as_bytes)] {
        if flag {
            settings.insert(name.to_owned(), true.into());
        }
    }
    Some(("withRequestBody".to_owned(), settings.into()))
}
