//! What Istio refuses or warns about in a Telemetry.

use super::spec::{
    AccessLogging, CustomTag, MetricSelector, Metrics, MetricsOverrides, ProviderRef, TagOperation,
    Telemetry, Tracing,
};
use crate::check::{Checker, Path, Problem, short, target_reference, value};
use crate::diagnostic::{Code, Report};
use crate::object::Object;
use crate::value::{Duration, check_cel};

const SPEC: Path<'static> = Path::Root("spec");

/// Checks an object.
pub(super) fn validate(object: &Object<Telemetry>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    let spec = &object.spec;
    let Telemetry { selector, target_ref, target_refs, .. } = spec;
    target_reference::attachment(found, &SPEC, selector.as_ref(), target_ref.as_ref(), target_refs);
    let at = SPEC.field("metrics");
    for (index, one) in spec.metrics.iter().enumerate() {
        metrics(found, &at.index(index), one);
    }
    let at = SPEC.field("tracing");
    found.require(spec.tracing.len() <= 1, &at.index(1), || {
        Problem::suspicious("only the first entry of `tracing` is looked at").help("keep one entry")
    });
    for (index, one) in spec.tracing.iter().enumerate() {
        tracing(found, &at.index(index), one);
    }
    let at = SPEC.field("accessLogging");
    for (index, one) in spec.access_logging.iter().enumerate() {
        access_logging(found, &at.index(index), one);
    }
}

fn providers(found: &mut Checker<'_>, at: &Path<'_>, providers: &[ProviderRef]) {
    let at = at.field("providers");
    for (index, provider) in providers.iter().enumerate() {
        required(found, &at.index(index), "name", &provider.name);
    }
}

/// A text that must not be empty.
fn required(found: &mut Checker<'_>, at: &Path<'_>, field: &str, text: &str) {
    found.require(!text.is_empty(), &at.field(field), || {
        Problem::missing(format!("`{field}` must not be empty")).help(format!("write {field}"))
    });
}

/// Whether `null` stands where a message is needed.
fn is_null(found: &Checker<'_>, at: &Path<'_>) -> bool {
    found.written(at).is_some_and(crate::document::Node::is_null)
}

fn metrics(found: &mut Checker<'_>, at: &Path<'_>, metrics: &Metrics) {
    providers(found, at, &metrics.providers);
    if let Some(interval) = metrics.reporting_interval {
        found.require(interval >= Duration::from_millis(1), &at.field("reportingInterval"), || {
            Problem::invalid(format!("`{interval}` is shorter than 1ms")).help("write at least `1ms`")
        });
    }
    let at = at.field("overrides");
    for (index, one) in metrics.overrides.iter().enumerate() {
        override_of(found, &at.index(index), one);
    }
}

fn override_of(found: &mut Checker<'_>, at: &Path<'_>, one: &MetricsOverrides) {
    if is_null(found, at) {
        found.find(at, Problem::missing("an override is empty").help("write a `match` or remove the entry"));
    }
    if let Some(selector) = &one.r#match {
        metric(found, &at.field("match"), selector);
    }
    let at = at.field("tagOverrides");
    for (name, tag) in &one.tag_overrides {
        let at = at.field(name);
        found.require(!name.is_empty(), &at, || {
            Problem::suspicious("a label without a name").help("write a name, or remove the entry")
        });
        match tag.operation {
            TagOperation::Upsert => found.require(!tag.value.is_empty(), &at.field("value"), || {
                Problem::missing("`value` is required for `UPSERT`").help("a CEL expression, or `REMOVE`")
            }),
            // The schema of the API refuses even an empty value.
            TagOperation::Remove => {
                let is_written = !tag.value.is_empty() || found.written(&at.field("value")).is_some();
                found.require(!is_written, &at.field("value"), || {
                    Problem::conflict("`REMOVE` takes no `value`").help("remove `value`")
                });
            }
        }
    }
}

fn metric(found: &mut Checker<'_>, at: &Path<'_>, selector: &MetricSelector) {
    let MetricSelector { metric, custom_metric, mode: _ } = selector;
    found.at_most_one(at, &[("metric", metric.is_some()), ("customMetric", custom_metric.is_some())]);
    if let Some(name) = custom_metric {
        required(found, at, "customMetric", name);
    }
}

fn tracing(found: &mut Checker<'_>, at: &Path<'_>, tracing: &Tracing) {
    found.require(tracing.providers.len() <= 1, &at.field("providers").index(1), || {
        Problem::suspicious("only one provider of spans is supported").help("keep one provider")
    });
    providers(found, at, &tracing.providers);
    if let Some(share) = tracing.random_sampling_percentage {
        found.check(&at.field("randomSamplingPercentage"), value::share(share));
    }
    let at = at.field("customTags");
    for (name, tag) in &tracing.custom_tags {
        let at = at.field(name);
        found.require(!name.is_empty(), &at, || {
            Problem::missing("a tag without a name").help("write a name, or remove the entry")
        });
        if is_null(found, &at) {
            found.find(
                &at,
                Problem::missing(format!("tag `{}` has no source", short(name))).help(
                    "say where its value comes from: `literal`, `environment`, `header` or `formatter`",
                ),
            );
        }
        custom_tag(found, &at, tag);
    }
}

fn custom_tag(found: &mut Checker<'_>, at: &Path<'_>, tag: &CustomTag) {
    let CustomTag { literal, environment, header, formatter } = tag;
    found.at_most_one(
        at,
        &[
            ("literal", literal.is_some()),
            ("environment", environment.is_some()),
            ("header", header.is_some()),
            ("formatter", formatter.is_some()),
        ],
    );
    if let Some(literal) = literal {
        required(found, &at.field("literal"), "value", &literal.value);
    }
    if let Some(environment) = environment {
        required(found, &at.field("environment"), "name", &environment.name);
    }
    if let Some(header) = header {
        required(found, &at.field("header"), "name", &header.name);
    }
    if let Some(formatter) = formatter {
        required(found, &at.field("formatter"), "value", &formatter.value);
    }
}

fn access_logging(found: &mut Checker<'_>, at: &Path<'_>, logging: &AccessLogging) {
    if let Some(filter) = &logging.filter {
        let checked = check_cel(&filter.expression).map_err(|error| {
            Problem::new(Code::InvalidValue, format!("`{}`: {error}", short(&filter.expression)))
                .help("a CEL expression, such as `response.code >= 400`")
        });
        found.check(&at.field("filter").field("expression"), checked);
    }
    providers(found, at, &logging.providers);
}
