//! Redirects, responses, rewrites, faults, CORS.

use super::{Checker, Path, Problem, header, port, short, value};
use crate::networking::virtual_service::spec::{
    CorsPolicy, FaultAbort, FaultDelay, HttpBody, HttpDirectResponse, HttpFaultInjection, HttpMatchRequest,
    HttpRedirect, HttpRewrite,
};
use crate::part::{GRPC_STATUS, StringMatch};

/// Methods that a CORS policy may list.
const CORS_METHODS: [&str; 10] =
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"];

/// Bodies above this many bytes are refused.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Bodies above this many bytes are warned about.
const BODY_BYTES_LARGE: usize = 100 * 1024;

/// T-170..T-172.
pub(super) fn redirect(
    found: &mut Checker<'_>,
    at: &Path<'_>,
    redirect: &HttpRedirect,
    matches: &[HttpMatchRequest],
) {
    let has_uri = !redirect.uri.is_empty();
    let has_prefix = !redirect.prefix_rewrite.is_empty();
    found.at_most_one(at, &[("uri", has_uri), ("prefixRewrite", has_prefix)]);
    found.at_most_one(
        at,
        &[("port", redirect.port.is_some()), ("derivePort", redirect.derive_port.is_some())],
    );
    if has_prefix {
        let is_prefix =
            |one: &HttpMatchRequest| one.uri.as_ref().is_none_or(|uri| matches!(uri, StringMatch::Prefix(_)));
        found.require(matches.iter().all(is_prefix), &at.field("prefixRewrite"), || {
            Problem::conflict(
                "`prefixRewrite` needs prefix matches, and a match of this route has another `uri`",
            )
            .help("match by `prefix`, or use `uri` instead of `prefixRewrite`")
        });
    }
    let has_port = redirect.port.is_some() || redirect.derive_port.is_some();
    let changes =
        has_uri || has_prefix || has_port || !redirect.authority.is_empty() || !redirect.scheme.is_empty();
    found.require(changes, at, || {
        Problem::missing(
            "a redirect changes at least one of `uri`, `prefixRewrite`, `authority`, `port`, `scheme`",
        )
        .help("set one of them")
    });
    let code = redirect.redirect_code;
    found.require(code == 0 || (300..=399).contains(&code), &at.field("redirectCode"), || {
        Problem::invalid(format!("`{code}` is not a redirect code")).help("one of 301, 302, 303, 307, 308")
    });
    found.require(["", "http", "https"].contains(&redirect.scheme.as_str()), &at.field("scheme"), || {
        Problem::invalid(format!("`{}` is neither `http` nor `https`", short(&redirect.scheme)))
            .help("use `http` or `https`")
    });
    if let Some(number) = redirect.port.filter(|number| *number > 0) {
        found.check(&at.field("port"), port::number(number));
    }
}

/// T-173.
pub(super) fn direct_response(found: &mut Checker<'_>, at: &Path<'_>, response: &HttpDirectResponse) {
    found.check(&at.field("status"), value::http_status(i64::from(response.status)));
    if let Some(body) = &response.body {
        direct_body(found, &at.field("body"), body);
    }
}

fn direct_body(found: &mut Checker<'_>, at: &Path<'_>, body: &HttpBody) {
    found.at_most_one(at, &[("string", body.string.is_some()), ("bytes", body.bytes.is_some())]);
    let text = body.string.as_ref().map_or(0, String::len);
    if let Some(base64) = &body.bytes {
        found.check(&at.field("bytes"), value::base64(base64));
        found.require(!base64.is_empty(), &at.field("bytes"), || {
            Problem::invalid("the schema takes no empty bytes").help("use an empty `string`")
        });
    }
    let bytes = body.bytes.as_ref().map_or(0, |base64| base64.trim_end_matches('=').len() * 3 / 4);
    let size = text.max(bytes);
    if size > BODY_BYTES_MAX {
        found.find(
            at,
            Problem::invalid(format!("a body of {size} bytes: at most {BODY_BYTES_MAX} are allowed"))
                .help("serve large answers from a service"),
        );
    } else if size > BODY_BYTES_LARGE {
        found.find(
            at,
            Problem::suspicious(format!("a body of {size} bytes burdens the control plane"))
                .help("serve large answers from a service"),
        );
    }
}

/// T-174.
pub(super) fn rewrite(found: &mut Checker<'_>, at: &Path<'_>, rewrite: &HttpRewrite) {
    let regex = rewrite.uri_regex_rewrite.as_ref();
    found.at_most_one(at, &[("uri", !rewrite.uri.is_empty()), ("uriRegexRewrite", regex.is_some())]);
    found.require(!rewrite.uri.is_empty() || !rewrite.authority.is_empty() || regex.is_some(), at, || {
        Problem::missing("a rewrite needs `uri`, `uriRegexRewrite` or `authority`")
            .help("set one of them, or remove `rewrite`")
    });
    if let Some(regex) = regex {
        let at = at.field("uriRegexRewrite");
        found.require(!regex.rewrite.is_empty(), &at, || {
            Problem::missing("`rewrite` is required").help("add what the match is replaced by")
        });
        found.check(&at.field("match"), value::regex(&regex.r#match));
    }
}

/// T-182.
pub(super) fn fault(found: &mut Checker<'_>, at: &Path<'_>, fault: &HttpFaultInjection) {
    found.require(fault.delay.is_some() || fault.abort.is_some(), at, || {
        Problem::missing("a fault needs `delay` or `abort`").help("set one of them, or remove `fault`")
    });
    if let Some(delay) = &fault.delay {
        fault_delay(found, &at.field("delay"), delay);
    }
    if let Some(abort) = &fault.abort {
        fault_abort(found, &at.field("abort"), abort);
    }
}

fn fault_delay(found: &mut Checker<'_>, at: &Path<'_>, delay: &FaultDelay) {
    if let Some(percent) = delay.percentage {
        found.check(&at.field("percentage").field("value"), value::fault_share(percent.value));
    }
    found.at_most_one(
        at,
        &[
            ("fixedDelay", delay.fixed_delay.is_some()),
            ("exponentialDelay", delay.exponential_delay.is_some()),
        ],
    );
    if let Some(duration) = delay.fixed_delay {
        found.check(&at.field("fixedDelay"), value::duration(duration));
    }
    if delay.exponential_delay.is_some() {
        let problem = Problem::invalid("`exponentialDelay` is not implemented by Istio");
        found.find(&at.field("exponentialDelay"), problem.help("use `fixedDelay`"));
    }
}

fn fault_abort(found: &mut Checker<'_>, at: &Path<'_>, abort: &FaultAbort) {
    if let Some(percent) = abort.percentage {
        found.check(&at.field("percentage").field("value"), value::fault_share(percent.value));
    }
    let kinds = [
        ("httpStatus", abort.http_status.is_some()),
        ("grpcStatus", abort.grpc_status.is_some()),
        ("http2Error", abort.http2_error.is_some()),
    ];
    found.at_most_one(at, &kinds);
    if kinds.iter().all(|(_, is_written)| !is_written) {
        let problem = Problem::doubtful("an abort without a status aborts nothing");
        found.find(at, problem.help("write `httpStatus` or `grpcStatus`"));
    }
    if let Some(status) = abort.http_status {
        found.check(&at.field("httpStatus"), value::http_status(i64::from(status)));
    }
    if let Some(status) = &abort.grpc_status {
        found.require(GRPC_STATUS.contains(&status.as_str()), &at.field("grpcStatus"), || {
            Problem::invalid(format!("`{}` is not a gRPC status", short(status)))
                .help("for example `NOT_FOUND`")
        });
    }
    if abort.http2_error.is_some() {
        found.find(
            &at.field("http2Error"),
            Problem::invalid("`http2Error` is not implemented by Istio")
                .help("use `httpStatus` or `grpcStatus`"),
        );
    }
}

/// T-184.
pub(super) fn cors(found: &mut Checker<'_>, at: &Path<'_>, policy: &CorsPolicy) {
    for (index, origin) in policy.allow_origins.iter().enumerate() {
        let origins = at.field("allowOrigins");
        let at = origins.index(index);
        if origin.text().is_none_or(str::is_empty) {
            found.find(
                &at,
                Problem::missing("an origin needs a text to match")
                    .help("write `exact`, `prefix` or `regex` with a text"),
            );
        } else {
            value::regex_of(found, &at, origin);
        }
    }
    found.each(&at.field("allowMethods"), &policy.allow_methods, |method| {
        if CORS_METHODS.contains(&method) {
            return Ok(());
        }
        Err(Problem::invalid(format!("`{}` is not an HTTP method", short(method)))
            .help("write methods in capitals, such as `GET`"))
    });
    found.each(&at.field("allowHeaders"), &policy.allow_headers, header::cors_name);
    found.each(&at.field("exposeHeaders"), &policy.expose_headers, header::cors_name);
    if let Some(age) = policy.max_age {
        found.check(&at.field("maxAge"), value::duration(age).and_then(|()| value::whole_seconds(age)));
    }
}
