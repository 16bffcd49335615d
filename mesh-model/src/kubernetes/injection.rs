//! What a Pod's labels and annotations ask of its sidecar (T-571 to T-575), typed.
//!
//! Read as far as the words go: whether a sidecar is injected, and how, is for whoever injects.

use crate::name::StringMap;

use crate::check::short;
use crate::value::IpBlock;

/// Label, and older annotation, that switches injection on or off (T-574).
pub const INJECT: &str = "sidecar.istio.io/inject";
/// Annotation with a `ProxyConfig` in YAML or JSON over the mesh's own (T-470, T-572, T-573).
pub const PROXY_CONFIG: &str = "proxy.istio.io/config";

/// What the annotations of a Pod say about its sidecar (T-571 to T-575).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SidecarAnnotations {
    /// Whether to inject; unset: as the namespace says (T-574).
    pub inject: Option<bool>,
    /// The revision that injects, from the label `istio.io/rev`.
    pub revision: Option<String>,
    /// A `ProxyConfig` as text; read it with `yaml::load` and `decode` (T-470).
    pub proxy_config: Option<String>,
    /// Destinations that go through the sidecar; unset: the mesh's, which is all (T-571).
    pub include_outbound_ip_ranges: Option<IpRanges>,
    /// Destinations that bypass it; replaces the mesh's list (T-571).
    pub exclude_outbound_ip_ranges: Option<Vec<IpBlock>>,
    /// Requests and limits of the sidecar's container (T-575).
    pub resources: SidecarResources,
    /// Volumes for the sidecar, a JSON list or map.
    pub user_volume: Option<serde_json::Value>,
    /// Where they are mounted, a JSON list or map.
    pub user_volume_mount: Option<serde_json::Value>,
}

/// Blocks of addresses, or all (T-571).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpRanges {
    /// `*`.
    All,
    /// These.
    Blocks(Vec<IpBlock>),
}

/// Resources of the sidecar's container as Kubernetes quantities, not read any further (T-575).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SidecarResources {
    /// `proxyCPU`; `0`: a serverless Pod is not made larger for it.
    pub cpu: Option<String>,
    /// `proxyCPULimit`.
    pub cpu_limit: Option<String>,
    /// `proxyMemory`; `0` as with `cpu`.
    pub memory: Option<String>,
    /// `proxyMemoryLimit`.
    pub memory_limit: Option<String>,
}

impl SidecarResources {
    /// Whether the mesh's own figures count: only where none of the four is written (T-575).
    pub fn are_the_meshs(&self) -> bool {
        *self == Self::default()
    }
}

/// An annotation or label that cannot be read, and why.
/// Ours: one annotation that cannot be read must not hide the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableAnnotation {
    /// Its name.
    pub name: &'static str,
    /// One line, user text in backticks.
    pub message: String,
}

impl SidecarAnnotations {
    /// Reads the labels and annotations of a Pod, or of a template of Pods. What cannot be read is left unset and named.
    ///
    /// ```
    /// use mesh_model::name::StringMap;
    /// use mesh_model::kubernetes::SidecarAnnotations;
    ///
    /// let labels = StringMap::from([("istio.io/rev", "1-14-5")]);
    /// let (asked, problems) = SidecarAnnotations::read(&labels, &StringMap::new());
    /// assert_eq!(asked.revision.as_deref(), Some("1-14-5"));
    /// assert!(problems.is_empty());
    /// ```
    pub fn read(labels: &StringMap, annotations: &StringMap) -> (Self, Vec<UnreadableAnnotation>) {
        let mut problems = Vec::new();
        let text = |name: &str| annotations.get(name).map(str::to_owned);
        let mut read = Reader { annotations, problems: &mut problems };
        let include = "traffic.sidecar.istio.io/includeOutboundIPRanges";
        let include_outbound_ip_ranges = match annotations.get(include).map(str::trim) {
            Some("*") => Some(IpRanges::All),
            _ => read.blocks(include).map(IpRanges::Blocks),
        };
        let asked = Self {
            inject: read.switch(labels),
            revision: labels.get(crate::name::REVISION_LABEL).map(str::to_owned),
            proxy_config: text(PROXY_CONFIG),
            include_outbound_ip_ranges,
            exclude_outbound_ip_ranges: read.blocks("traffic.sidecar.istio.io/excludeOutboundIPRanges"),
            resources: SidecarResources {
                cpu: text("sidecar.istio.io/proxyCPU"),
                cpu_limit: text("sidecar.istio.io/proxyCPULimit"),
                memory: text("sidecar.istio.io/proxyMemory"),
                memory_limit: text("sidecar.istio.io/proxyMemoryLimit"),
            },
            user_volume: read.json("sidecar.istio.io/userVolume"),
            user_volume_mount: read.json("sidecar.istio.io/userVolumeMount"),
        };
        (asked, problems)
    }
}

struct Reader<'r> {
    annotations: &'r StringMap,
    problems: &'r mut Vec<UnreadableAnnotation>,
}

impl Reader<'_> {
    fn refuse(&mut self, name: &'static str, message: String) {
        self.problems.push(UnreadableAnnotation { name, message });
    }

    /// The label goes before the annotation (T-574).
    fn switch(&mut self, labels: &StringMap) -> Option<bool> {
        let text = labels.get(INJECT).or_else(|| self.annotations.get(INJECT))?;
        match text {
            "true" => return Some(true),
            "false" => return Some(false),
            other => self.refuse(INJECT, format!("`{}` is neither `true` nor `false`", short(other))),
        }
        None
    }

    /// A list of blocks, separated by commas.
    fn blocks(&mut self, name: &'static str) -> Option<Vec<IpBlock>> {
        let mut blocks = Vec::new();
        for part in self.annotations.get(name)?.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse() {
                Ok(block) => blocks.push(block),
                Err(_) => {
                    self.refuse(name, format!("`{}` is not a block of addresses", short(part)));
                    return None;
                }
            }
        }
        Some(blocks)
    }

    fn json(&mut self, name: &'static str) -> Option<serde_json::Value> {
        match serde_json::from_str::<serde_json::Value>(self.annotations.get(name)?) {
            Ok(value) if value.is_array() || value.is_object() => Some(value),
            Ok(_) => {
                self.refuse(name, "expected a JSON list or map".to_owned());
                None
            }
            Err(error) => {
                self.refuse(name, format!("the text is not JSON: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &[(&str, &str)]) -> (SidecarAnnotations, Vec<&'static str>) {
        let map = annotations.iter().map(|(key, value)| (*key, *value)).collect();
        let (asked, problems) = SidecarAnnotations::read(&StringMap::new(), &map);
        (asked, problems.into_iter().map(|problem| problem.name).collect())
    }

    #[test]
    fn t_571_ranges_are_blocks_or_all() {
        let exclude = "traffic.sidecar.istio.io/excludeOutboundIPRanges";
        let include = "traffic.sidecar.istio.io/includeOutboundIPRanges";
        let (asked, problems) = read(&[(exclude, "169.254.0.0/16, 10.0.0.1"), (include, "*")]);
        assert_eq!(asked.exclude_outbound_ip_ranges.map(|blocks| blocks.len()), Some(2));
        assert_eq!(asked.include_outbound_ip_ranges, Some(IpRanges::All));
        assert!(problems.is_empty());
        assert_eq!(read(&[(exclude, "")]).0.exclude_outbound_ip_ranges, Some(Vec::new()));
        assert_eq!(read(&[(exclude, "10.0.0.0/8,a")]), (SidecarAnnotations::default(), vec![exclude]));
    }

    #[test]
    fn t_574_the_label_goes_before_the_annotation() {
        let map = |value: &str| StringMap::from([(INJECT, value)]);
        let inject =
            |label: &str, annotation: &str| SidecarAnnotations::read(&map(label), &map(annotation)).0.inject;
        assert_eq!((inject("false", "true"), inject("true", "false")), (Some(false), Some(true)));
        assert_eq!(inject("yes", "true"), None);
    }

    #[test]
    fn t_575_one_figure_puts_all_of_the_meshs_away() {
        assert!(read(&[]).0.resources.are_the_meshs());
        let (asked, _) = read(&[("sidecar.istio.io/proxyCPU", "0")]);
        assert_eq!((asked.resources.cpu.as_deref(), asked.resources.are_the_meshs()), (Some("0"), false));
    }

    #[test]
    fn volumes_are_json() {
        let (asked, problems) = read(&[
            ("sidecar.istio.io/userVolume", r#"[{"name":"a","configMap":{"name":"b"}}]"#),
            ("sidecar.istio.io/userVolumeMount", "a"),
        ]);
        assert!(asked.user_volume.is_some());
        assert_eq!(problems, ["sidecar.istio.io/userVolumeMount"]);
    }
}
