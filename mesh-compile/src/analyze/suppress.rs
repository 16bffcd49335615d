//! Findings that are not wanted.
//! Spec: the annotation `galley.istio.io/analyze-suppress`, and `--suppress` of `istioctl analyze`.

use std::collections::BTreeMap;

use mesh_model::config_set::ConfigSet;
use mesh_model::diagnostic::{Diagnostic, Report};

/// The annotation that names the codes that are not wanted of an object, separated by commas; `*`: all.
const ANNOTATION: &str = "galley.istio.io/analyze-suppress";

/// A code, and the objects it is not wanted of. Spec: `--suppress` of `istioctl analyze`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// Istio's code or ours.
    code: String,
    /// `Kind name.namespace` with `*` for any text; `None`: every object.
    objects: Option<String>,
}

impl Suppression {
    /// Reads `IST0102` (everywhere), or `IST0102=Namespace frod`, `IST0107=Pod *.shop` (these objects, as istioctl
    /// takes them).
    ///
    /// ```
    /// # use mesh_compile::analyze::Suppression;
    /// assert!(Suppression::parse("IST0107=Pod *.shop").is_some());
    /// assert!(Suppression::parse("").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (code, objects) = match text.split_once('=') {
            Some((code, objects)) => (code, Some(objects.to_owned())),
            None => (text, None),
        };
        (!code.is_empty()).then(|| Self { code: code.to_owned(), objects })
    }

    fn holds(&self, finding: &Diagnostic) -> bool {
        has_code(finding, &self.code)
            && self.objects.as_ref().is_none_or(|pattern| {
                let resource = &finding.at.resource;
                let name = match resource.namespace.as_str() {
                    "" => format!("{} {}", resource.kind, resource.name),
                    namespace => format!("{} {}.{namespace}", resource.kind, resource.name),
                };
                covers(pattern, &name)
            })
    }
}

/// Leaves out findings that a suppression, or an annotation of the object they are about, does not want. Findings of
/// reading always stay. An annotation speaks for the object of its file: that of another cluster may have the same name.
pub fn suppress(report: Report, config: &ConfigSet, suppressions: &[Suppression]) -> Report {
    let mut annotated: BTreeMap<(&str, &str, &str, &str), Vec<&str>> = BTreeMap::new();
    config.each_object(&mut |provenance, meta| {
        if let Some(codes) = meta.annotations.get(ANNOTATION) {
            let file = &*provenance.document.source.file;
            let key = (provenance.kind, &*provenance.namespace, &*provenance.name, file);
            annotated.entry(key).or_default().extend(codes.split(',').map(str::trim));
        }
    });
    let is_wanted = |finding: &Diagnostic| {
        let resource = &finding.at.resource;
        let key = (&*resource.kind, &*resource.namespace, &*resource.name, &*finding.at.file);
        let own = annotated.get(&key);
        finding.code.stage() == mesh_model::diagnostic::Stage::Read
            || !own.is_some_and(|codes| codes.iter().any(|code| *code == "*" || has_code(finding, code)))
                && !suppressions.iter().any(|one| one.holds(finding))
    };
    let mut kept = Report::new();
    report.into_iter().filter(is_wanted).for_each(|finding| kept.push(finding));
    kept
}

fn has_code(finding: &Diagnostic, code: &str) -> bool {
    finding.code.istio_code() == Some(code) || finding.code.as_str() == code
}

/// Whether a pattern with `*` covers a text. Linear in both: the last star is all that is ever taken back.
fn covers(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use mesh_model::config_set::{Change, ConfigSet};
    use mesh_model::mesh_config::MeshConfig;
    use mesh_model::yaml::{LoadOptions, load};

    use super::covers;
    use crate::analyze::{Input, Options, analyze};

    /// istio/istio, pkg/config/analysis/local: each message is held against the annotations of its own resource.
    #[test]
    fn an_annotation_says_nothing_of_the_object_of_another_cluster() {
        let service = |annotations: &str| {
            format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: shop{annotations}}}\n\
                 spec: {{ports: [{{name: web, port: 80}}]}}\n"
            )
        };
        let quiet = service(", annotations: {galley.istio.io/analyze-suppress: '*'}");
        let mut config = ConfigSet::new();
        for (cluster, text) in [("one", quiet), ("two", service(""))] {
            let loaded =
                load(&format!("{cluster}.yaml"), text, &LoadOptions::default().with_cluster(cluster));
            config.apply(loaded.documents.into_iter().map(Change::Upsert));
        }
        let mesh = MeshConfig::with_defaults();
        let only = Some(["service.PortNameAnalyzer".to_owned()].into());
        let report = analyze(&Input::new(&config, &mesh), &Options { only, ..Options::default() }).report;
        let files: Vec<_> = report.iter().map(|found| found.at.file.as_str()).collect();
        assert_eq!(files, ["two.yaml"]);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("Pod a.b", "Pod a.b", true),
            ("Pod a.b", "Pod a.bc", false),
            ("Pod *", "Pod a.b", true),
            ("*.shop", "Pod a.shop", true),
            ("*.shop", "Pod a.shops", false),
            ("P*d a*b", "Pod axyb", true),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(covers(pattern, text), expected, "{pattern} {text}");
        }
    }
}
