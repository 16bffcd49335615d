//! What a request is told of by: its record, and the number of its decision.

use std::sync::Arc;

use http::Response;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use mesh_compile::proxy::listener::Direction;

use crate::runtime::body::Body;
use crate::runtime::connection::{Connection, Standing};
use crate::runtime::peers::Came;
use crate::runtime::{head, request_headers};
use crate::telemetry::record::{Record, RequestRecord};

/// The number of a decision, in hexadecimal.
const DECISION: HeaderName = HeaderName::from_static("x-mesh-decision");
const EMPTY: HeaderValue = HeaderValue::from_static("");

/// The record of a request that has begun; what a client of a server has told of itself is taken off its head.
pub(super) fn record(connection: &Connection, standing: &Standing, parts: &mut Parts) -> (Box<Record>, Came) {
    let arrival = &connection.arrival;
    // On the heap: it is large, and goes through many hands.
    let mut record = Box::new(Record::begin(arrival.direction, connection.client, arrival.destination));
    record.server_name = connection.server_name().map(str::to_owned);
    record.peer_principal = connection.peer().map(str::to_owned);
    record.client_certificate = connection.has_certificate();
    record.own_principal = connection.own().cloned();
    record.connection = Some(Arc::clone(connection.note()));
    record.generation = standing.generation.number;
    record.request = Some(RequestRecord {
        protocol: head::protocol(parts.version),
        method: parts.method.clone(),
        ..RequestRecord::default()
    });
    let came = match arrival.direction {
        Direction::Inbound => connection.proxy.peers.take(&mut parts.headers),
        Direction::Outbound | Direction::Gateway => Came::default(),
    };
    record.downstream_peer.clone_from(&came.peer);
    (record, came)
}

/// Names the decision in the answer, and the id that its request went on with.
pub(super) fn tell_decision(
    connection: &Connection,
    id: u64,
    record: &Record,
    response: &mut Response<Body>,
) {
    response.headers_mut().insert(DECISION, HeaderValue::from_str(&format!("{id:016x}")).unwrap_or(EMPTY));
    let went_on =
        record.request.as_ref().and_then(|request| request.headers.get(request_headers::REQUEST_ID));
    if let Some(request_id) = went_on.and_then(|request_id| request_id.to_str().ok()) {
        connection.proxy.recent.went_on_as(id, request_id);
    }
}

/// The request's own address.
pub(super) fn url(record: &Record) -> String {
    let Some(request) = &record.request else { return String::new() };
    format!("{}://{}{}", request.scheme, request.authority, request.path)
}
