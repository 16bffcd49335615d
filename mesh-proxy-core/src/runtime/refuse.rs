//! The answer to what is not taken as HTTP: told of in logs and metrics like any other.

use std::sync::Arc;

use http::header::{CONNECTION, SERVER};
use http::{Request, Response, Version};

use super::answer_headers::server_name;
use super::body::Body;
use super::head;
use super::http_server::HttpConnection;
use super::http1_guard::Refusal;
use super::reply::Reply;
use crate::telemetry::record::{Record, RequestRecord};

/// Answers a request that is not taken as HTTP.
pub(crate) fn refuse(server: &HttpConnection, refusal: Refusal) -> Response<Body> {
    let request = RequestRecord { protocol: "HTTP/1.1", ..RequestRecord::default() };
    answer(server, refusal, "DPE", request, Reply::refused(refusal).response(false))
}

/// Answers a request that there is no memory for, as Envoy's overload manager does.
pub(crate) fn overloaded<B>(server: &HttpConnection, request: &Request<B>) -> Response<Body> {
    let refusal = Refusal { status: 503, details: "overload" };
    let told = RequestRecord {
        protocol: head::protocol(request.version()),
        method: request.method().clone(),
        ..RequestRecord::default()
    };
    let mut reply = Reply::refused(refusal);
    reply.body = "envoy overloaded".into();
    let mut response = reply.response(head::is_grpc(request.headers()));
    if request.version() >= Version::HTTP_2 {
        response.headers_mut().remove(CONNECTION);
    }
    answer(server, refusal, "OM", told, response)
}

fn answer(
    server: &HttpConnection,
    refusal: Refusal,
    flags: &str,
    request: RequestRecord,
    mut response: Response<Body>,
) -> Response<Body> {
    let connection = &server.connection;
    let arrival = &connection.arrival;
    let mut record = Record::begin(arrival.direction, connection.client, arrival.destination);
    record.server_name = connection.server_name().map(str::to_owned);
    record.peer_principal = connection.peer().map(str::to_owned);
    record.request = Some(request);
    record.connection = Some(Arc::clone(connection.note()));
    if let Some(name) = server.standing().and_then(|standing| server_name(connection, &standing)) {
        response.headers_mut().insert(SERVER, name);
    }
    record.flags = flags.to_owned();
    record.details = refusal.details.to_owned();
    record.status = refusal.status;
    record.response_headers = response.headers().clone();
    connection.proxy.tell(&record);
    response
}
