//! Operators by name, with what each may be given. What Envoy refuses is refused in words.

use std::sync::{Arc, OnceLock};

use http::header::HeaderName;
use serde_json::Value as Json;

use super::certificates::Shown;
use super::durations::Span;
use super::fact::Fact;
use super::headers::{RequestField, ResponseField, Told};
use super::metadata::{Metadata, MetadataOf, PeerSide, PeerState, StateForm};
use super::operator::{Operator, Written};
use super::path::{Path, QueryParams};
use super::time::{Time, TimeForm};
use super::value::{Compiled, HostSource, ServerName, Value};
use super::values::{GrpcForm, Place, WithoutPort};
use crate::telemetry::expression::Expression;

/// Operators that Envoy knows, and that never have a value here.
const NEVER: [&str; 15] = [
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_OTHERNAME_SAN",
    "DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER_SERIAL",
    "DOWNSTREAM_PEER_OTHERNAME_SAN",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "ROUNDTRIP_DURATION",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "UPSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_TLS_SESSION_ID",
    "VIRTUAL_CLUSTER_NAME",
];

impl Value {
    /// # Errors
    /// Why Envoy would not take it.
    pub(super) fn of(written: &Written<'_>) -> Result<Self, String> {
        let Written { name, argument, length } = *written;
        if let Some(value) = plain(name) {
            return if argument.is_empty() && length.is_none() {
                Ok(value)
            } else {
                Err(format!("{name} takes no argument and no length"))
            };
        }
        if length.is_some() && !takes_length(name) {
            return Err(format!("{name} takes no length"));
        }
        if argument.is_empty() && needs_argument(name) {
            return Err(format!("{name} needs an argument"));
        }
        match of_place(name) {
            Some(place) => Ok(Self::Address(WithoutPort::of(place, argument))),
            None => with_argument(name, argument),
        }
    }
}

/// Operators that take nothing.
fn plain(name: &str) -> Option<Value> {
    let found = Fact::named(name).map(Value::Fact);
    let found = found.or_else(|| Shown::named(name).map(Value::Shown));
    let found = found.or_else(|| Span::named(name).map(Value::Span));
    found.or_else(|| match name {
        "GRPC_STATUS_NUMBER" => Some(Value::Grpc(GrpcForm::Number)),
        "HOSTNAME" => Some(hostname().map_or(Value::Nothing, |name| Value::Fixed(name.clone()))),
        _ => NEVER.contains(&name).then_some(Value::Nothing),
    })
}

/// Whether an operator is one of a header, whose name it needs.
fn is_of_header(name: &str) -> bool {
    matches!(name, "REQ" | "REQUEST_HEADER" | "RESP" | "RESPONSE_HEADER" | "TRAILER" | "RESPONSE_TRAILER")
}

fn takes_length(name: &str) -> bool {
    is_of_header(name)
        || matches!(
            name,
            "REQ_WITHOUT_QUERY"
                | "PATH"
                | "QUERY_PARAM"
                | "QUERY_PARAMS"
                | "ENVIRONMENT"
                | "FILTER_STATE"
                | "UPSTREAM_FILTER_STATE"
                | "DYNAMIC_METADATA"
                | "METADATA"
                | "COALESCE"
                | "CEL"
                | "TYPED_CEL"
        )
}

fn needs_argument(name: &str) -> bool {
    is_of_header(name)
        || matches!(
            name,
            "QUERY_PARAM"
                | "ENVIRONMENT"
                | "DYNAMIC_METADATA"
                | "CLUSTER_METADATA"
                | "UPSTREAM_METADATA"
                | "COMMON_DURATION"
                | "COALESCE"
        )
}

fn of_place(name: &str) -> Option<Place> {
    Some(match name {
        "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" => Place::UpstreamLocal,
        "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Place::Upstream,
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" => Place::Client,
        "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => Place::DirectClient,
        "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT" => {
            Place::Destination
        }
        _ => return None,
    })
}

fn with_argument(name: &str, argument: &str) -> Result<Value, String> {
    let headers = || headers(name, argument);
    Ok(match name {
        "START_TIME" => Value::Time(Time::of(false, TimeForm::of(argument, false)?)),
        "START_TIME_LOCAL" => Value::Time(Time::of(false, TimeForm::of(argument, true)?)),
        "EMIT_TIME" => Value::Time(Time::of(true, TimeForm::of(argument, false)?)),
        "EMIT_TIME_LOCAL" => Value::Time(Time::of(true, TimeForm::of(argument, true)?)),
        "DOWNSTREAM_PEER_CERT_V_START"
        | "DOWNSTREAM_PEER_CERT_V_END"
        | "UPSTREAM_PEER_CERT_V_START"
        | "UPSTREAM_PEER_CERT_V_END" => {
            let form = TimeForm::of(argument, false)?;
            Shown::with_time(name, form).map_or(Value::Nothing, Value::Shown)
        }
        "REQ" | "REQUEST_HEADER" => {
            Value::Request(headers()?.iter().filter_map(|name| RequestField::of(name)).collect())
        }
        "REQ_WITHOUT_QUERY" => {
            Value::RequestWithoutQuery(headers()?.iter().filter_map(|name| RequestField::of(name)).collect())
        }
        "RESP" | "RESPONSE_HEADER" => {
            Value::Response(headers()?.iter().filter_map(|name| ResponseField::of(name)).collect())
        }
        "TRAILER" | "RESPONSE_TRAILER" => {
            let names = headers()?;
            let names = names.iter().filter_map(|name| HeaderName::try_from(*name).ok());
            Value::Trailer(names.map(Told::of).collect())
        }
        "RESPONSE_CODE_DETAILS" => Value::Details { keeps_spaces: argument == "ALLOW_WHITESPACES" },
        "GRPC_STATUS" => Value::Grpc(GrpcForm::of(argument)?),
        "COMMON_DURATION" => Value::Span(Span::of(argument)?),
        "PATH" => Value::Path(Path::of(argument)?),
        "QUERY_PARAM" => Value::QueryParam(argument.to_owned()),
        "QUERY_PARAMS" => Value::QueryParams(QueryParams::of(argument)?),
        "REQUESTED_SERVER_NAME" => Value::ServerName(server_name(argument)?),
        "FILTER_STATE" => Value::PeerState(peer_state(argument)?),
        "UPSTREAM_FILTER_STATE" => {
            peer_state(argument)?;
            Value::Nothing
        }
        "DYNAMIC_METADATA" => Value::Nothing,
        "CLUSTER_METADATA" => Value::Metadata(Metadata::of(MetadataOf::Cluster, argument)),
        "UPSTREAM_METADATA" => Value::Metadata(Metadata::of(MetadataOf::Endpoint, argument)),
        "METADATA" => Value::Metadata(metadata(argument)?),
        // Envoy lets every format read its environment, and Istio has tags of spans read it too.
        "ENVIRONMENT" => Value::Fixed(std::env::var(argument).unwrap_or_else(|_| "-".to_owned())),
        "COALESCE" => Value::First(operators(argument)?),
        "CEL" => expression(argument, false)?,
        "TYPED_CEL" => expression(argument, true)?,
        _ => return Err(format!("there is no operator {name}")),
    })
}

/// `X?Y`
fn headers<'a>(name: &str, argument: &'a str) -> Result<Vec<&'a str>, String> {
    let names: Vec<&str> = argument.split('?').collect();
    if names.len() > 2 {
        return Err(format!("{name} takes one alternative, not `{argument}`"));
    }
    let is_name = |name: &&str| {
        let plain = name.strip_prefix(':').unwrap_or(name);
        plain.is_empty() || HeaderName::try_from(plain).is_ok()
    };
    match names.iter().find(|name| !is_name(name)) {
        Some(odd) => Err(format!("{name}: `{odd}` is no name of a header")),
        None => Ok(names),
    }
}

/// `X:Y`
fn server_name(argument: &str) -> Result<ServerName, String> {
    let mut parts = argument.split(':');
    let (or_host, host_first) = match parts.next().unwrap_or_default() {
        "" | "SNI_ONLY" => (false, false),
        "SNI_FIRST" => (true, false),
        "HOST_FIRST" => (true, true),
        other => {
            return Err(format!(
                "REQUESTED_SERVER_NAME takes SNI_ONLY, SNI_FIRST or HOST_FIRST, not `{other}`"
            ));
        }
    };
    let source = match parts.next().unwrap_or_default() {
        "" | "ORIG_OR_HOST" => HostSource::OriginalOrAuthority,
        "ORIG" => HostSource::Original,
        "HOST" => HostSource::Authority,
        other => {
            return Err(format!("REQUESTED_SERVER_NAME takes ORIG, HOST or ORIG_OR_HOST, not `{other}`"));
        }
    };
    Ok(ServerName { or_host, host_first, source })
}

/// `KEY:FORM:FIELD`
fn peer_state(argument: &str) -> Result<PeerState, String> {
    let mut parts = argument.split(':');
    let mut part = || parts.next().unwrap_or_default();
    let (key, form, field) = (part(), part(), part());
    if key.is_empty() {
        return Err("FILTER_STATE needs a key".to_owned());
    }
    let form = match (form, field) {
        ("FIELD", "") => return Err("FILTER_STATE with FIELD needs the name of a field".to_owned()),
        ("FIELD", field) => StateForm::Field(field.to_owned()),
        (_, field) if !field.is_empty() => {
            return Err("FILTER_STATE takes a field with FIELD only".to_owned());
        }
        ("" | "TYPED", _) => StateForm::Typed,
        ("PLAIN", _) => StateForm::Plain,
        (other, _) => return Err(format!("FILTER_STATE takes PLAIN, TYPED or FIELD, not `{other}`")),
    };
    Ok(PeerState { side: PeerSide::of(key), form })
}

/// `TYPE:NAMESPACE:KEY*`
fn metadata(argument: &str) -> Result<Metadata, String> {
    let (of, path) = argument.split_once(':').unwrap_or((argument, ""));
    let of = match of {
        "CLUSTER" => MetadataOf::Cluster,
        "UPSTREAM_HOST" => MetadataOf::Endpoint,
        "DYNAMIC" | "ROUTE" | "LISTENER" | "LISTENER_FILTER_CHAIN" | "VIRTUAL_HOST" => MetadataOf::Other,
        other => return Err(format!("METADATA knows no type `{other}`")),
    };
    Ok(Metadata::of(of, path))
}

/// `{"operators": [NAME, {"command": NAME, "param": ARGUMENT, "max_length": LENGTH}]}`
fn operators(argument: &str) -> Result<Vec<Operator>, String> {
    let json: Json = serde_json::from_str(argument).map_err(|_| "COALESCE takes JSON".to_owned())?;
    let list = json.get("operators").and_then(Json::as_array).ok_or("COALESCE needs `operators`, a list")?;
    if list.is_empty() {
        return Err("COALESCE needs an operator".to_owned());
    }
    list.iter().map(operator).collect::<Result<_, _>>().map_err(|problem| format!("COALESCE: {problem}"))
}

fn operator(written: &Json) -> Result<Operator, String> {
    let command = written.as_str().or_else(|| written.get("command")?.as_str());
    let name = command.ok_or("an operator is a name, or an object with a `command`")?;
    let argument = written.get("param").and_then(Json::as_str).unwrap_or_default();
    let length = match written.get("max_length") {
        None => None,
        Some(length) => {
            let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
            Some(length.filter(|length| *length > 0).ok_or("`max_length` is a number above zero")?)
        }
    };
    if name == "COALESCE" {
        // Nothing bounds how deep they would stand in each other.
        return Err("COALESCE does not take itself".to_owned());
    }
    Operator::of(&Written { name, argument, length })
}

fn expression(text: &str, is_typed: bool) -> Result<Value, String> {
    match Expression::parse(text) {
        Ok(expression) => Ok(Value::Expression(Compiled {
            text: text.to_owned(),
            expression: Arc::new(expression),
            is_typed,
        })),
        Err(problem) => Err(format!("CEL: {problem}")),
    }
}

/// The name of this machine, or of the Pod.
fn hostname() -> Option<&'static String> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let name = || {
        let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let told = told.map(|name| name.trim().to_owned()).or_else(|| std::env::var("HOSTNAME").ok());
        told.filter(|name| !name.is_empty())
    };
    NAME.get_or_init(name).as_ref()
}
