//! The answer to what is not taken as HTTP: told of in logs and metrics like any other.

use http::Response;
use http::header::SERVER;

use super::body::Body;
use super::connection::Connection;
use super::exchange::server_name;
use super::http1_guard::Refusal;
use super::reply::Reply;
use crate::telemetry::record::{Record, RequestRecord};

/// Answers a request that is not taken as HTTP.
pub(crate) fn refuse(connection: &Connection, refusal: Refusal) -> Response<Body> {
    let arrival = &connection.arrival;
    let mut record = Record::begin(arrival.direction, connection.client, arrival.destination);
    record.server_name = connection.server_name().map(str::to_owned);
    record.peer_principal = connection.peer().map(str::to_owned);
    record.request = Some(RequestRecord { protocol: "HTTP/1.1", ..RequestRecord::default() });
    let mut response = Reply::refused(refusal).response(false);
    if let Some(name) = server_name(connection) {
        response.headers_mut().insert(SERVER, name);
    }
    record.flags = "DPE".to_owned();
    record.details = refusal.details.to_owned();
    record.status = refusal.status;
    record.response_headers = response.headers().clone();
    connection.proxy.tell(&record);
    response
}
