//! Mermaid, as pages of repositories render it. Spec: Mermaid, flow charts.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::dot::label;
use super::{EdgeKind, MeshGraph, Node, NodeKind};

/// Prints a graph as a Mermaid flow chart, namespaces as boxes.
pub fn mermaid(graph: &MeshGraph) -> String {
    let ids: BTreeMap<&str, usize> =
        graph.nodes.iter().enumerate().map(|(number, node)| (node.id.as_str(), number)).collect();
    let mut out = String::from("flowchart LR\n");
    let mut namespaces: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
    for node in &graph.nodes {
        namespaces.entry(&node.namespace).or_default().push(node);
    }
    for (number, (namespace, nodes)) in namespaces.iter().enumerate() {
        let _ = writeln!(out, "  subgraph ns{number}[\"{}\"]", escaped(namespace));
        for node in nodes {
            let number = ids.get(node.id.as_str()).copied().unwrap_or_default();
            let (open, close) = match node.kind {
                NodeKind::Gateway => ("{{", "}}"),
                NodeKind::Host => (">", "]"),
                NodeKind::Service => ("(", ")"),
                NodeKind::External => ("([", "])"),
                NodeKind::Subset => ("[", "]"),
                NodeKind::Workload => ("[[", "]]"),
                NodeKind::Missing => ("[/", "/]"),
            };
            let _ = writeln!(out, "    n{number}{open}\"{}\"{close}", escaped(&label(node)));
        }
        out.push_str("  end\n");
    }
    for edge in &graph.edges {
        let (Some(from), Some(to)) = (ids.get(edge.from.as_str()), ids.get(edge.to.as_str())) else {
            continue;
        };
        let arrow = match edge.kind {
            EdgeKind::Route => "-->",
            EdgeKind::Mirror | EdgeKind::Allow => "-.->",
            EdgeKind::Has => "---",
        };
        let label = match (edge.kind, edge.label()) {
            (_, label) if label.is_empty() => String::new(),
            (EdgeKind::Mirror, label) => format!("|\"mirror {}\"|", escaped(&label)),
            (EdgeKind::Allow, label) => format!("|\"allow {}\"|", escaped(&label)),
            (_, label) => format!("|\"{}\"|", escaped(&label)),
        };
        let _ = writeln!(out, "  n{from} {arrow}{label} n{to}");
    }
    out
}

/// Text that Mermaid shows as it is: everything that has a meaning becomes an entity.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("<br/>"),
            '"' | '<' | '>' | '&' | '#' | '`' | '|' | '\\' | ';' => {
                let _ = write!(out, "#{};", u32::from(character));
            }
            other if other.is_control() => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
