//! Ingresses of a class that does not exist. Ours: Istio takes them as Ingresses without a class.
//! Spec: istio/istio, pilot/pkg/config/kube/ingress/virtualservices.go, `shouldProcessIngressWithClass`.

use mesh_model::diagnostic::{Code, did_you_mean};
use mesh_model::mesh_config::IngressControllerMode;

use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};

/// The older way to say the class, which comes first.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let classes = || context.objects(&context.config.ingress_classes).map(|class| &*class.meta.name);
    for ingress in context.objects(&context.config.ingresses) {
        let Some(name) = ingress.spec.spec.ingress_class_name.as_deref() else { continue };
        if ingress.meta.annotations.get(CLASS_ANNOTATION).is_some() || classes().any(|class| class == name) {
            continue;
        }
        let what = match context.mesh.ingress_controller_mode() {
            IngressControllerMode::Default => "the mesh serves it like one without a class",
            _ => "the mesh does not serve it",
        };
        let message = format!("no IngressClass is called `{}`: {what}", short(name));
        let help = did_you_mean(name, classes(), "classes")
            .unwrap_or_else(|| "name an IngressClass that exists, or leave the field out".to_owned());
        found.add(ingress, "spec.ingressClassName", Code::IngressClassUnknown, message, help);
    }
}

#[cfg(test)]
mod tests {
    use crate::analyze::analyzers::testing::{found, report};

    const ANALYZER: &str = "ingress.ClassAnalyzer";
    const CLASS: &str = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: istio}\n\
                         spec: {controller: istio.io/ingress-controller}\n---\n";

    fn ingress(meta: &str, class: &str) -> String {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i, namespace: a{meta}}}\n\
             spec: {{{class}defaultBackend: {{service: {{name: b, port: {{number: 80}}}}}}}}\n"
        )
    }

    #[test]
    fn a_class_that_does_not_exist_is_told_with_the_one_that_is_meant() {
        let text = format!("{CLASS}{}", ingress("", "ingressClassName: isito, "));
        assert_eq!(found(ANALYZER, &text), ["ingress-class-unknown a/i spec.ingressClassName"]);
        let help = report(ANALYZER, &text).iter().next().and_then(|found| found.help.clone());
        assert_eq!(help.as_deref(), Some("did you mean `istio`?"));
    }

    #[test]
    fn what_is_there_what_an_annotation_says_and_what_cannot_be_known_is_not_told() {
        for text in [
            format!("{CLASS}{}", ingress("", "ingressClassName: istio, ")),
            format!("{CLASS}{}", ingress("", "")),
            format!(
                "{CLASS}{}",
                ingress(", annotations: {kubernetes.io/ingress.class: istio}", "ingressClassName: x, ")
            ),
            // The classes of the cluster are not among the files.
            ingress("", "ingressClassName: isito, "),
        ] {
            assert_eq!(found(ANALYZER, &text), Vec::<String>::new(), "{text}");
        }
    }
}
