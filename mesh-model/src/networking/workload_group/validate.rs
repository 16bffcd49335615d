//! What Istio refuses in a WorkloadGroup.

use super::spec::{EntryMetadata, WorkloadGroup};
use crate::check::{Checker, Path, Problem, header, label, port, short};
use crate::diagnostic::Report;
use crate::networking::workload_entry::spec::WorkloadEntry;
use crate::networking::workload_entry::validate as entry;
use crate::object::Object;
use crate::part::{ExecHealthCheck, GrpcHealthCheck, HttpHealthCheck, ReadinessProbe};

const SPEC: Path<'static> = Path::Root("spec");

/// The most labels, and the most annotations.
const METADATA_MAX: usize = 256;

/// Checks an object.
pub(super) fn validate(object: &Object<WorkloadGroup>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    let WorkloadGroup { metadata, template, probe } = &object.spec;
    match template {
        Some(template) => entry_template(found, &SPEC.field("template"), template),
        None => found.find(
            &SPEC,
            Problem::missing("`template` is required")
                .help("add `template`: what the entries of the group have in common"),
        ),
    }
    if let Some(metadata) = metadata {
        entry_metadata(found, &SPEC.field("metadata"), metadata);
    }
    if let Some(probe) = probe {
        readiness(found, &SPEC.field("probe"), probe);
    }
}

/// An entry without what comes from the proxy: its address and labels may be anything that has the form.
fn entry_template(found: &mut Checker<'_>, at: &Path<'_>, template: &WorkloadEntry) {
    if template.address.starts_with("unix://") {
        entry::address(found, at, template, |_| Ok(()));
    }
    entry::form(found, at, template);
}

fn entry_metadata(found: &mut Checker<'_>, at: &Path<'_>, metadata: &EntryMetadata) {
    let EntryMetadata { labels, annotations } = metadata;
    found.at_most(&at.field("labels"), labels.len(), METADATA_MAX);
    label::labels(found, &at.field("labels"), labels);
    found.at_most(&at.field("annotations"), annotations.len(), METADATA_MAX);
}

fn readiness(found: &mut Checker<'_>, at: &Path<'_>, probe: &ReadinessProbe) {
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (name, number) in numbers {
        found.require(number >= 0, &at.field(name), || {
            Problem::invalid(format!("`{number}` is negative")).help("write 0 or more; 0 takes the default")
        });
    }
    let ReadinessProbe { http_get, tcp_socket, exec, grpc, .. } = probe;
    found.at_most_one(
        at,
        &[
            ("httpGet", http_get.is_some()),
            ("tcpSocket", tcp_socket.is_some()),
            ("exec", exec.is_some()),
            ("grpc", grpc.is_some()),
        ],
    );
    found.require(probe.method().is_some(), at, || {
        Problem::missing("a probe needs a method").help("`httpGet`, `tcpSocket` or `exec`")
    });
    if let Some(http) = http_get {
        http_request(found, &at.field("httpGet"), http);
    }
    if let Some(tcp) = tcp_socket {
        found.check(&at.field("tcpSocket").field("port"), port::number(tcp.port));
    }
    if let Some(exec) = exec {
        command(found, &at.field("exec"), exec);
    }
    if let Some(grpc) = grpc {
        health_service(found, &at.field("grpc"), grpc);
    }
}

fn http_request(found: &mut Checker<'_>, at: &Path<'_>, http: &HttpHealthCheck) {
    found.check(&at.field("port"), port::number(http.port));
    found.require(matches!(http.scheme.as_str(), "" | "HTTP" | "HTTPS"), &at.field("scheme"), || {
        Problem::invalid(format!("`{}` is not a scheme", short(&http.scheme))).help("`HTTP` or `HTTPS`")
    });
    let at = at.field("httpHeaders");
    for (index, one) in http.http_headers.iter().enumerate() {
        found.check(&at.index(index).field("name"), header::probe_name(&one.name));
    }
}

fn command(found: &mut Checker<'_>, at: &Path<'_>, exec: &ExecHealthCheck) {
    let at = at.field("command");
    found.require(!exec.command.is_empty(), &at, || {
        Problem::missing("`command` is required").help("add the command as a list of words")
    });
    for (index, word) in exec.command.iter().enumerate() {
        found.require(!word.is_empty(), &at.index(index), || {
            Problem::missing("an empty word").help("remove the entry")
        });
    }
}

/// The API has it, Istio's webhook does not know it.
fn health_service(found: &mut Checker<'_>, at: &Path<'_>, grpc: &GrpcHealthCheck) {
    let problem = Problem::invalid("Istio's validation does not take `grpc` probes");
    found.find(at, problem.help("`httpGet`, `tcpSocket` or `exec`"));
    if grpc.port != 0 || found.written(&at.field("port")).is_some() {
        found.check(&at.field("port"), port::number(grpc.port));
    }
}
