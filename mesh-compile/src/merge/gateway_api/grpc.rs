//! Rules of GRPCRoutes: services and methods are paths.

use mesh_model::diagnostic::Report;
use mesh_model::gateway_api::{GrpcMethodMatch, GrpcRouteMatch, GrpcRouteRule};
use mesh_model::networking::virtual_service::spec::{HttpMatchRequest, HttpRoute};
use mesh_model::part::StringMatch;

use super::backends::{Refusal, Translation};
use super::filters::Protocol;
use super::http::{named_values, unknown_type};
use super::precedence::Entry;

impl Translation<'_> {
    /// The rules of a route: one entry for every match.
    pub(super) fn grpc_rules(
        &self,
        rules: &[GrpcRouteRule],
        report: &mut Report,
    ) -> Result<Vec<Entry>, Refusal> {
        let mut entries = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let field = format!("spec.rules[{index}]");
            let mut conditions = Vec::new();
            for (position, condition) in rule.matches.iter().enumerate() {
                conditions.push(grpc_match(condition, &format!("{field}.matches[{position}]"))?);
            }
            let name = self.rule_name(rule.name.as_deref(), index);
            let mut route = HttpRoute { name, ..HttpRoute::default() };
            self.filters(&rule.filters, &format!("{field}.filters"), Protocol::Grpc, &mut route, report)?;
            self.send(&rule.backend_refs, &field, &mut route, report)?;
            entries.extend(self.spread(&route, conditions, &field, &rule.backend_refs));
        }
        Ok(entries)
    }
}

fn grpc_match(written: &GrpcRouteMatch, field: &str) -> Result<HttpMatchRequest, Refusal> {
    let GrpcRouteMatch { method, headers } = written;
    Ok(HttpMatchRequest {
        uri: method.as_ref().map(|method| path(method, &format!("{field}.method"))).transpose()?,
        headers: named_values(headers, &format!("{field}.headers"))?,
        ..HttpMatchRequest::default()
    })
}

/// `/SERVICE/METHOD`, the part that is not written left open.
fn path(written: &GrpcMethodMatch, field: &str) -> Result<StringMatch, Refusal> {
    let GrpcMethodMatch { r#type, service, method } = written;
    let kind = r#type.as_deref().unwrap_or("Exact");
    Ok(match (kind, service, method) {
        (_, None, None) => return Err(Refusal::new(field, "neither service nor method is set")),
        ("Exact", Some(service), None) => StringMatch::Prefix(format!("/{service}/")),
        ("Exact", Some(service), Some(method)) => StringMatch::Exact(format!("/{service}/{method}")),
        ("Exact" | "RegularExpression", None, Some(method)) => StringMatch::Regex(format!("/[^/]+/{method}")),
        ("RegularExpression", Some(service), None) => StringMatch::Regex(format!("/{service}/.+")),
        ("RegularExpression", Some(service), Some(method)) => {
            StringMatch::Regex(format!("/{service}/{method}"))
        }
        (other, ..) => return Err(unknown_type(other, field)),
    })
}
