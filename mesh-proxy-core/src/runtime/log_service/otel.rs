//! Records as OpenTelemetry's collectors take logs: a body and attributes, each by a format.

use std::time::UNIX_EPOCH;

use prost::Message;
use serde_json::{Map, Value};

use super::messages::{ExportRequest, ExportResponse, LogRecord, ResourceLogs, ScopeLogs};
use crate::runtime::inquiry::Whole;
use crate::runtime::span_export::{AnyValue, KeyValue};
use crate::telemetry::format::Format;
use crate::telemetry::record::Record;

pub(super) const PATH: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// A log of OpenTelemetry's records.
#[derive(Debug)]
pub(super) struct Log {
    body: Format,
    attributes: Vec<(String, Attribute)>,
}

/// The format of an attribute.
#[derive(Debug)]
enum Attribute {
    Text(Format),
    Nested(Vec<(String, Attribute)>),
}

impl Log {
    pub(super) fn of(body: &str, attributes: &Map<String, Value>) -> Self {
        Self { body: Format::parse(body), attributes: formats(attributes) }
    }

    pub(super) fn entry(&self, record: &Record) -> Vec<u8> {
        let since = record.start.duration_since(UNIX_EPOCH).unwrap_or_default();
        LogRecord {
            time_unix_nano: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            body: Some(AnyValue::text(self.body.text(record, "-"))),
            attributes: pairs(&self.attributes, record),
        }
        .encode_to_vec()
    }
}

/// Formats of texts and of objects of them; other values are none.
fn formats(written: &Map<String, Value>) -> Vec<(String, Attribute)> {
    let format = |value: &Value| match value {
        Value::String(text) => Some(Attribute::Text(Format::parse(text))),
        Value::Object(nested) => Some(Attribute::Nested(formats(nested))),
        _ => None,
    };
    written.iter().filter_map(|(name, value)| Some((name.clone(), format(value)?))).collect()
}

fn pairs(formats: &[(String, Attribute)], record: &Record) -> Vec<KeyValue> {
    let pair = |(name, value): &(String, Attribute)| KeyValue {
        key: name.clone(),
        value: Some(match value {
            Attribute::Text(format) => AnyValue::text(format.text(record, "-")),
            Attribute::Nested(nested) => AnyValue::list(pairs(nested, record)),
        }),
    };
    formats.iter().map(pair).collect()
}

pub(super) fn message(entries: Vec<Vec<u8>>) -> ExportRequest {
    let scope_logs = vec![ScopeLogs { log_records: entries }];
    ExportRequest { resource_logs: vec![ResourceLogs { scope_logs }] }
}

/// Whether the collector took all of them.
pub(super) fn taken(whole: &Whole) -> Result<(), String> {
    // What cannot be read says nothing of refused records.
    let message = whole.body.get(5..).and_then(|message| ExportResponse::decode(message).ok());
    match message.unwrap_or_default().partial_success {
        Some(partial) if partial.rejected > 0 => {
            Err(format!("it refused {}: {}", partial.rejected, partial.error_message))
        }
        _ => Ok(()),
    }
}
