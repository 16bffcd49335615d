//! CUSTOM policies whose external authorizer cannot be asked: what they match is denied (S-106).

use mesh_authz::external_authorizer::{Authorizers, ExternalAuthorizer};
use mesh_model::diagnostic::{Code, Diagnostic, Report, did_you_mean};
use mesh_model::object::Object;
use mesh_model::security::authorization_policy::AuthorizationPolicy;
use mesh_model::security::authorization_policy::spec::Action;

use super::MeshSnapshot;

/// Says of every CUSTOM policy whether its provider is one of the mesh's, is well written, and has its service.
pub(super) fn check(snapshot: &MeshSnapshot, report: &mut Report) {
    let mut policies = snapshot.authorization_policies.iter().filter(|policy| is_custom(policy)).peekable();
    if policies.peek().is_none() {
        return;
    }
    let authorizers = ExternalAuthorizer::all(&snapshot.mesh.extension_providers);
    for policy in policies {
        if let Some(problem) = problem(policy, snapshot, &authorizers) {
            report.push(problem);
        }
    }
}

fn is_custom(policy: &Object<AuthorizationPolicy>) -> bool {
    policy.spec.action == Action::Custom
        && policy.spec.provider.as_ref().is_some_and(|it| !it.name.is_empty())
}

fn problem(
    policy: &Object<AuthorizationPolicy>,
    snapshot: &MeshSnapshot,
    authorizers: &Authorizers,
) -> Option<Diagnostic> {
    let name = &policy.spec.provider.as_ref()?.name;
    let why = match authorizers.get(name) {
        None => "the mesh has no external authorizer of this name".to_owned(),
        Some(Err(why)) => format!("the authorizer's settings are not valid: {why}"),
        Some(Ok(authorizer)) if snapshot.registry.named(&authorizer.service).is_none() => {
            format!(
                "the authorizer's service `{}` is not in the mesh, or is in several namespaces",
                authorizer.service
            )
        }
        Some(Ok(_)) => return None,
    };
    let message = format!("`{name}` cannot be asked, so what the rules match is denied: {why}");
    let others = authorizers.keys().filter(|other| *other != name).map(String::as_str);
    let help = did_you_mean(name, others, "external authorizers").unwrap_or_else(|| {
        "look at `extensionProviders` of the mesh configuration (`--mesh-config`)".to_owned()
    });
    let place = policy.origin("spec.provider.name");
    Some(Diagnostic::new(Code::AuthorizerUnknown, &place, message).help(help))
}

#[cfg(test)]
mod tests {
    use crate::testing::resolve_with;

    const POLICY: &str = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: ask, namespace: a}\n\
                          spec: {action: CUSTOM, provider: {name: NAME}, rules: [{}]}\n";
    const SERVICE: &str = "---\napiVersion: v1\nkind: Service\nmetadata: {name: authz, namespace: b}\nspec: {ports: [{port: 80}]}\n";
    const MESH: &str = r#"{"extensionProviders": [{"name": "ours", "envoyExtAuthzHttp": {"service": "authz.b.svc.cluster.local", "port": 80}}]}"#;

    fn found(name: &str, services: &str) -> Vec<String> {
        let (_, report) = resolve_with(MESH, &(POLICY.replace("NAME", name) + services));
        report
            .iter()
            .map(|found| {
                format!("{} {} {}", found.code.as_str(), found.at.field, found.help.as_deref().unwrap_or(""))
            })
            .collect()
    }

    #[test]
    fn s_106_who_cannot_be_asked_is_told() {
        assert!(found("ours", SERVICE).is_empty());
        let place = "authorizer-unknown spec.provider.name";
        assert_eq!(found("our", SERVICE), [format!("{place} did you mean `ours`?")]);
        let look = "look at `extensionProviders` of the mesh configuration (`--mesh-config`)";
        assert_eq!(found("ours", ""), [format!("{place} {look}")]);
    }
}
