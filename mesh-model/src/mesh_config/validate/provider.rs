//! Extension providers. Istio takes a faulty one and only logs it, since nobody may use it: so these are warnings.

use std::collections::BTreeSet;

use crate::check::{Checked, Checker, Path, Problem, host, port, short, value};
use crate::diagnostic::Code;
use crate::mesh_config::ExtensionProvider;

/// Checks the list at `at`.
pub(super) fn providers(found: &mut Checker<'_>, at: &Path<'_>, providers: &[ExtensionProvider]) {
    let mut names = BTreeSet::new();
    for (index, one) in providers.iter().enumerate() {
        let at = at.index(index);
        if one.name.is_empty() {
            warn(
                found,
                &at,
                Err(Problem::missing("a provider needs a `name`")
                    .help("add `name`: it is what policies and Telemetry refer to")),
            );
        } else if !names.insert(&one.name) {
            let message = format!("provider `{}` is defined twice", short(&one.name));
            warn(
                found,
                &at.field("name"),
                Err(Problem::conflict(message).help("give every provider a name of its own")),
            );
        }
        provider(found, &at, one);
    }
}

fn warn(found: &mut Checker<'_>, at: &Path<'_>, checked: Checked) {
    found.check(at, checked.map_err(|problem| Problem { code: Code::Suspicious, ..problem }));
}

fn provider(found: &mut Checker<'_>, at: &Path<'_>, one: &ExtensionProvider) {
    let has_kind = one.stackdriver.is_some()
        || one.prometheus.is_some()
        || one.envoy_file_access_log.is_some()
        || one.sds.is_some()
        || services(one).iter().any(Option::is_some);
    if !has_kind {
        warn(found, at, Err(Problem::missing("a provider needs one of the kinds of providers").help("write one of `envoyExtAuthzHttp`, `envoyExtAuthzGrpc`, `opentelemetry`, `prometheus`, `zipkin` and the like")));
    }
    for (name, service, number) in services(one).into_iter().flatten() {
        let at = at.field(name);
        warn(found, &at.field("service"), host::provider_service(service));
        warn(found, &at.field("port"), port::number(number));
    }
    if let Some(http) = &one.envoy_ext_authz_http {
        let at = at.field("envoyExtAuthzHttp");
        warn(found, &at.field("statusOnError"), status_on_error(&http.status_on_error));
        if !http.path_prefix.is_empty() && !http.path_prefix.starts_with('/') {
            let message = format!("`{}` does not start with `/`", short(&http.path_prefix));
            warn(found, &at.field("pathPrefix"), Err(Problem::invalid(message).help("start it with `/`")));
        }
    }
    let file_format = one.envoy_file_access_log.as_ref().and_then(|file| file.log_format.as_ref());
    if file_format.is_some_and(|format| format.text.is_some() && format.labels.is_some()) {
        // Two members of one oneof: this one cannot even be decoded.
        let at = at.field("envoyFileAccessLog");
        let problem = Problem::conflict("`text` and `labels` exclude each other");
        found.find(&at.field("logFormat").field("labels"), problem.help("remove `text` or `labels`"));
    }
    if let Some(grpc) = &one.envoy_ext_authz_grpc {
        let at = at.field("envoyExtAuthzGrpc");
        warn(found, &at.field("statusOnError"), status_on_error(&grpc.status_on_error));
    }
    if one.lightstep.as_ref().is_some_and(|lightstep| lightstep.access_token.is_empty()) {
        warn(
            found,
            &at.field("lightstep"),
            Err(Problem::missing("`accessToken` is required").help("add `accessToken`")),
        );
    }
    if one.opentelemetry.as_ref().is_some_and(|tracing| tracing.grpc.is_some() && tracing.http.is_some()) {
        let problem =
            Problem::conflict("`grpc` and `http` exclude each other").help("remove `grpc` or `http`");
        warn(found, &at.field("opentelemetry").field("http"), Err(problem));
    }
}

/// An HTTP status code as text, or nothing.
fn status_on_error(status: &str) -> Checked {
    if status.is_empty() {
        return Ok(());
    }
    match status.parse::<i64>() {
        Ok(code) => value::http_status(code),
        Err(_) => Err(Problem::invalid(format!("`{}` is not a status code", short(status)))
            .help("write a status of HTTP such as `403`")),
    }
}

/// Field, service and port of the kinds that have a service.
fn services(one: &ExtensionProvider) -> [Option<(&'static str, &str, u32)>; 11] {
    macro_rules! service {
        ($name:literal, $field:ident) => {
            one.$field.as_ref().map(|provider| ($name, provider.service.as_str(), provider.port))
        };
    }
    [
        service!("envoyExtAuthzHttp", envoy_ext_authz_http),
        service!("envoyExtAuthzGrpc", envoy_ext_authz_grpc),
        service!("zipkin", zipkin),
        service!("lightstep", lightstep),
        service!("datadog", datadog),
        service!("opencensus", opencensus),
        service!("skywalking", skywalking),
        service!("opentelemetry", opentelemetry),
        service!("envoyHttpAls", envoy_http_als),
        service!("envoyTcpAls", envoy_tcp_als),
        service!("envoyOtelAls", envoy_otel_als),
    ]
}
