//! Graphviz: `dot -Tsvg`. Spec: Graphviz, the DOT language.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::written::ROUTED_BY;
use super::{EdgeKind, MeshGraph, Node, NodeKind};

/// Prints a graph in the language of Graphviz, namespaces as boxes.
pub fn dot(graph: &MeshGraph) -> String {
    let ids: BTreeMap<&str, usize> =
        graph.nodes.iter().enumerate().map(|(number, node)| (node.id.as_str(), number)).collect();
    let mut out = String::from(
        "digraph mesh {\n  rankdir=LR\n  node [shape=box style=\"rounded,filled\" fillcolor=white fontname=Helvetica]\n  \
         edge [fontname=Helvetica fontsize=10]\n",
    );
    let mut namespaces: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in &graph.nodes {
        namespaces.entry(&node.namespace).or_default().push(node);
    }
    for (number, (namespace, nodes)) in namespaces.iter().enumerate() {
        let _ = writeln!(out, "  subgraph cluster_{number} {{\n    label={} color=gray", quoted(namespace));
        for node in nodes {
            let number = ids.get(node.id.as_str()).copied().unwrap_or_default();
            let label = quoted(&label(node));
            let _ = writeln!(out, "    n{number} [label={label} {}]", style(node.kind));
        }
        out.push_str("  }\n");
    }
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (ids.get(edge.from.as_str()), ids.get(edge.to.as_str())) else {
            continue;
        };
        let style = match edge.kind {
            EdgeKind::Route => "color=\"#1f6feb\"",
            EdgeKind::Mirror => "color=\"#8250df\" style=dashed",
            EdgeKind::Has => "color=gray arrowhead=none",
            EdgeKind::Allow => "color=\"#1a7f37\" style=dotted constraint=false",
        };
        let _ = writeln!(out, "  n{from} -> n{to} [label={} {style}]", quoted(&edge.label()));
    }
    out.push_str("}\n");
    out
}

fn style(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Gateway => "fillcolor=\"#ddf4ff\" shape=house",
        NodeKind::Host => "style=\"rounded,dashed\"",
        NodeKind::Service => "fillcolor=\"#eef6ee\"",
        NodeKind::External => "fillcolor=\"#fff8e6\"",
        NodeKind::Subset => "fillcolor=\"#f6f8fa\"",
        NodeKind::Workload => "shape=component",
        NodeKind::Missing => "style=\"rounded,dashed\" color=\"#cf222e\" fontcolor=\"#cf222e\"",
    }
}

/// Who routes its requests, as many as a box has room for.
const ROUTED_BY_MAX: usize = 2;

/// Name, what it accepts, and what routes its requests; of what is missing, that it is.
pub(super) fn label(node: &Node) -> String {
    let mut lines = vec![node.name.clone()];
    if node.kind == NodeKind::Missing {
        lines.extend(node.facts.first().map(|fact| fact.label.to_owned()));
        return lines.join("\n");
    }
    if node.kind != NodeKind::Gateway {
        let routed_by = || node.facts.iter().filter(|fact| fact.label == ROUTED_BY);
        lines.extend(routed_by().take(ROUTED_BY_MAX).map(|fact| fact.value.clone()));
        let rest = routed_by().count().saturating_sub(ROUTED_BY_MAX);
        lines.extend((rest > 0).then(|| format!("and {rest} more")));
    }
    lines.extend(node.mtls.map(|mode| format!("mTLS {mode}")));
    lines.extend((node.policies > 0).then(|| format!("policies: {}", node.policies)));
    lines.join("\n")
}

/// A string of the language.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
