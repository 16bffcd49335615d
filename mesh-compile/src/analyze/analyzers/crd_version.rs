//! Definitions of the Gateway API: recent enough for Istio (istio/istio `pkg/config/schema/gatewayapi`).

use mesh_model::diagnostic::Code;
use mesh_model::document::join_key;

use crate::analyze::context::Context;
use crate::analyze::findings::Findings;

const BUNDLE_VERSION: &str = "gateway.networking.k8s.io/bundle-version";

/// Definition, oldest release that Istio reads.
const OLDEST: [(&str, (u64, u64, u64)); 4] = [
    ("backendtlspolicies.gateway.networking.k8s.io", (1, 4, 0)),
    ("grpcroutes.gateway.networking.k8s.io", (1, 1, 0)),
    ("tcproutes.gateway.networking.k8s.io", (1, 6, 0)),
    ("tlsroutes.gateway.networking.k8s.io", (1, 5, 0)),
];

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    for definition in context.objects(&context.config.custom_resource_definitions) {
        let Some((_, oldest)) = OLDEST.iter().find(|(name, _)| *name == &*definition.meta.name) else {
            continue;
        };
        let Some(written) = definition.meta.annotations.get(BUNDLE_VERSION) else { continue };
        if release(written).is_some_and(|release| release < *oldest) {
            let (major, minor, patch) = oldest;
            let path = join_key("metadata.annotations", BUNDLE_VERSION);
            let message = format!(
                "`{written}` of the Gateway API is older than {major}.{minor}.{patch}, so Istio ignores this kind"
            );
            let help = format!("install the definitions of release {major}.{minor}.{patch} or later");
            found.add(definition, &path, Code::CrdTooOld, message, help);
        }
    }
}

/// Major, minor and patch of `v1.4.0-rc.1`; what is left out is 0. Pre-releases count as their release.
fn release(text: &str) -> Option<(u64, u64, u64)> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let mut numbers = core.split('.').map(|part| part.parse::<u64>().ok());
    let major = numbers.next()??;
    let minor = numbers.next().map_or(Some(0), |number| number)?;
    let patch = numbers.next().map_or(Some(0), |number| number)?;
    numbers.next().is_none().then_some((major, minor, patch))
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn releases_are_compared_without_their_suffix() {
        assert_eq!(release("v1.4.0-rc.1"), Some((1, 4, 0)));
        assert_eq!(release("1.5"), Some((1, 5, 0)));
        assert_eq!(release("main"), None);
        assert_eq!(release("1.2.3.4"), None);
    }
}
