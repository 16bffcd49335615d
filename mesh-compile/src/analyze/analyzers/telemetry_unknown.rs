//! Telemetries that name providers which the mesh configuration does not have. Ours: Istio leaves them out without a word.

use mesh_model::diagnostic::{Code, did_you_mean};
use mesh_model::telemetry::spec::ProviderRef;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let known = || context.mesh.extension_providers.iter().map(|provider| provider.name.as_str());
    for telemetry in context.objects(&context.config.telemetries) {
        let spec = &telemetry.spec;
        let tracing = spec.tracing.iter().map(|it| &it.providers).enumerate();
        let metrics = spec.metrics.iter().map(|it| &it.providers).enumerate();
        let logs = spec.access_logging.iter().map(|it| &it.providers).enumerate();
        let all = tracing.map(|it| ("tracing", it)).chain(metrics.map(|it| ("metrics", it)));
        for (field, (entry, providers)) in all.chain(logs.map(|it| ("accessLogging", it))) {
            for (index, ProviderRef { name }) in providers.iter().enumerate() {
                // Names of providers are compared whatever their case (T-467).
                if name.is_empty() || known().any(|known| known.eq_ignore_ascii_case(name)) {
                    continue;
                }
                let message = format!(
                    "provider `{}` is not in the mesh configuration: nothing is sent to it",
                    short(name)
                );
                let help = did_you_mean(name, known(), "providers").unwrap_or_default();
                let help = format!("{help}; others stand in `extensionProviders` (`--mesh-config`)");
                let help = help.trim_start_matches("; ");
                let path = format!("spec.{field}[{entry}].providers[{index}].name");
                found.add(telemetry, &path, Code::TelemetryProviderUnknown, message, help);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::{found, report};

    const ANALYZER: &str = "telemetry.UnknownProviderAnalyzer";

    fn telemetry(spec: &str) -> String {
        format!(
            "apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: {{name: t, namespace: a}}\nspec: {spec}\n"
        )
    }

    #[test]
    fn providers_that_the_mesh_does_not_have_are_told_wherever_they_stand() {
        let text = telemetry(
            "{tracing: [{providers: [{name: otel}]}], metrics: [{}, {providers: [{name: prometheus}, {name: statsd}]}], \
             accessLogging: [{providers: [{name: envoi}]}]}",
        );
        let code = "telemetry-provider-unknown a/t";
        assert_eq!(
            found(ANALYZER, &text),
            [
                format!("{code} spec.tracing[0].providers[0].name"),
                format!("{code} spec.metrics[1].providers[1].name"),
                format!("{code} spec.accessLogging[0].providers[0].name"),
            ]
        );
        let last = report(ANALYZER, &text).iter().next_back().and_then(|found| found.help.clone());
        assert!(last.is_some_and(|help| help.starts_with("did you mean `envoy`?; ")));
    }

    #[test]
    fn known_ones_are_not_told_in_any_case_of_letters() {
        let spec =
            "{metrics: [{providers: [{name: Prometheus}]}], accessLogging: [{providers: [{name: envoy}]}]}";
        assert_eq!(found(ANALYZER, &telemetry(spec)), Vec::<String>::new());
    }
}
