//! `mesh graph`: the mesh as a picture.

use std::io::Write;
use std::process::ExitCode;

use mesh_compile::graph::{MeshGraph, dot, html, mermaid};

use crate::Unusable;
use crate::args::{Graph, Picture};
use crate::load::resolve;
use crate::report::human;

pub fn run(command: &Graph) -> Result<ExitCode, Unusable> {
    let (snapshot, mut read) = resolve(&command.config)?;
    human::findings(&mut anstream::stderr().lock(), &read.report, &mut read.texts)?;
    let mut graph = MeshGraph::of(&snapshot);
    if !command.namespace.is_empty() {
        graph = graph.around(&command.namespace);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match command.format {
        Picture::Html => write!(out, "{}", html(&graph, &command.config.paths.join(" ")))?,
        Picture::Dot => write!(out, "{}", dot(&graph))?,
        Picture::Mermaid => write!(out, "{}", mermaid(&graph))?,
        Picture::Json => writeln!(out, "{}", serde_json::to_string_pretty(&graph).unwrap_or_default())?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
