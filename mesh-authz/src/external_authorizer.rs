//! External authorizers of `MeshConfig.extensionProviders`: what to ask them, and what their answers come to
//! (S-104 to S-112). The call itself is the caller's.

mod exchange;
pub(crate) mod written;

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_model::mesh_config::{ExtAuthzGrpcProvider, ExtAuthzHttpProvider, ExtensionProvider, RequestBody};
use mesh_model::value::Duration;

pub use exchange::{CheckAnswer, CheckOutcome, CheckRequest};

use self::written::{STATUSES, is_provider_name};
use crate::pattern::StringPattern;

/// An authorizer whose settings can be used (S-109).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExternalAuthorizer {
    /// Name in `MeshConfig.extensionProviders`.
    pub name: Arc<str>,
    /// Its service as written: `HOST` or `NAMESPACE/HOST`.
    pub service: String,
    /// Its port.
    pub port: u16,
    /// Time for the answer in milliseconds; 600,000 where unset (S-109).
    pub timeout_ms: u64,
    /// Whether requests pass while it does not answer (S-111).
    pub fail_open: bool,
    /// HTTP status while it does not answer and `fail_open` is off; 403 where unset (S-109, S-111).
    pub status_on_error: u16,
    /// Whether the route is chosen anew after it changed headers.
    pub clear_route_cache: bool,
    /// How much of the body it is shown; `None`: nothing (S-110).
    pub body: Option<RequestBody>,
    /// How it is asked.
    pub protocol: AuthorizerProtocol,
}

/// How an authorizer is asked.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.envoyExtAuthzHttp` and
/// `MeshConfig.ExtensionProvider.envoyExtAuthzGrpc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorizerProtocol {
    /// With an HTTP request of its own (`envoyExtAuthzHttp`); cannot be asked about connections (S-108).
    Http(HttpCheck),
    /// With Envoy's `CheckRequest` (`envoyExtAuthzGrpc`): it sees all headers, and says itself what is changed.
    Grpc,
}

/// What an HTTP authorizer is shown, and what is taken from its answer.
/// API: mesh/v1alpha1 `MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationHttpProvider`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpCheck {
    /// Put in front of the request's path.
    pub path_prefix: String,
    /// Request headers it is shown beside `authorization`.
    pub request_headers: HeaderNames,
    /// Headers added to what it is shown.
    pub added_headers: BTreeMap<String, String>,
    /// Headers of its consent that the upstream gets.
    pub upstream_on_allow: HeaderNames,
    /// Headers of its refusal that the client gets; empty: all.
    pub downstream_on_deny: HeaderNames,
    /// Headers of its consent that the client gets.
    pub downstream_on_allow: HeaderNames,
}

/// Names of headers: exact, `prefix*` or `*suffix`, in any letter case (S-109).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderNames(Vec<StringPattern>);

impl HeaderNames {
    fn new(written: &[String]) -> Self {
        Self(written.iter().map(|name| StringPattern::parse(name)).collect())
    }

    /// Whether a header of this name is meant.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches_ignoring_case(name.as_bytes()))
    }

    /// Whether no header is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Every external authorizer by name; `Err`: why it cannot be used, so that what it would decide is denied (S-106).
pub type Authorizers = BTreeMap<String, Result<Arc<ExternalAuthorizer>, String>>;

impl ExternalAuthorizer {
    /// Reads those of `MeshConfig.extensionProviders`; providers of other kinds are left out.
    pub fn all(providers: &[ExtensionProvider]) -> Authorizers {
        let mut found = Authorizers::new();
        for provider in providers {
            let read = match (&provider.envoy_ext_authz_http, &provider.envoy_ext_authz_grpc) {
                (Some(http), _) => read_http(&provider.name, http),
                (None, Some(grpc)) => read_grpc(&provider.name, grpc),
                (None, None) => continue,
            };
            let read = if found.contains_key(&provider.name) {
                Err("several providers have this name".to_owned())
            } else if is_provider_name(&provider.name) {
                read.map(Arc::new)
            } else {
                Err("its name is not a DNS label".to_owned())
            };
            found.insert(provider.name.clone(), read);
        }
        found
    }

    /// Whether it can be asked about connections.
    pub fn takes_connections(&self) -> bool {
        self.protocol == AuthorizerProtocol::Grpc
    }
}

fn read_http(name: &str, written: &ExtAuthzHttpProvider) -> Result<ExternalAuthorizer, String> {
    let prefix = &written.path_prefix;
    if !prefix.is_empty() && !prefix.starts_with('/') {
        return Err(format!("`pathPrefix` is `{prefix}` and does not begin with `/`"));
    }
    let shown = match written.include_request_headers_in_check.as_slice() {
        [] => &written.include_headers_in_check,
        _ => &written.include_request_headers_in_check,
    };
    let lists = [
        shown,
        &written.headers_to_upstream_on_allow,
        &written.headers_to_downstream_on_deny,
        &written.headers_to_downstream_on_allow,
    ];
    if lists.into_iter().flatten().any(|header| header == "*") {
        return Err("`*` is not a header; only a part of a name can be a star".to_owned());
    }
    let check = HttpCheck {
        path_prefix: prefix.clone(),
        request_headers: HeaderNames::new(shown),
        added_headers: written.include_additional_headers_in_check.clone(),
        upstream_on_allow: HeaderNames::new(&written.headers_to_upstream_on_allow),
        downstream_on_deny: HeaderNames::new(&written.headers_to_downstream_on_deny),
        downstream_on_allow: HeaderNames::new(&written.headers_to_downstream_on_allow),
    };
    Ok(ExternalAuthorizer {
        fail_open: written.fail_open,
        clear_route_cache: written.clear_route_cache,
        body: written.include_request_body_in_check.clone(),
        protocol: AuthorizerProtocol::Http(check),
        ..common(name, &written.service, written.port, written.timeout, &written.status_on_error)?
    })
}

fn read_grpc(name: &str, written: &ExtAuthzGrpcProvider) -> Result<ExternalAuthorizer, String> {
    Ok(ExternalAuthorizer {
        fail_open: written.fail_open,
        clear_route_cache: written.clear_route_cache,
        body: written.include_request_body_in_check.clone(),
        ..common(name, &written.service, written.port, written.timeout, &written.status_on_error)?
    })
}

/// What both kinds have.
fn common(
    name: &str,
    service: &str,
    port: u32,
    timeout: Option<Duration>,
    status_on_error: &str,
) -> Result<ExternalAuthorizer, String> {
    const TIMEOUT_MS: u64 = 600_000;
    if service.is_empty() {
        return Err("it names no `service`".to_owned());
    }
    let port = u16::try_from(port).ok().filter(|port| *port > 0);
    let timeout = timeout.and_then(Duration::to_std);
    const FORBIDDEN: u16 = 403;
    let status = match status_on_error {
        "" => Some(FORBIDDEN),
        written => written.parse().ok().filter(|status| STATUSES.iter().any(|(known, _)| known == status)),
    };
    // `0` is a status in Envoy's list, and none in an answer.
    let status = status.map(|status| if status == 0 { FORBIDDEN } else { status });
    Ok(ExternalAuthorizer {
        name: name.into(),
        service: service.to_owned(),
        port: port.ok_or("`port` is not from 1 to 65535")?,
        timeout_ms: timeout
            .map_or(TIMEOUT_MS, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        fail_open: false,
        status_on_error: status.ok_or_else(|| format!("`statusOnError` is `{status_on_error}`"))?,
        clear_route_cache: false,
        body: None,
        protocol: AuthorizerProtocol::Grpc,
    })
}

#[cfg(test)]
mod tests;
