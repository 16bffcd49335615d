//! `mesh decide`: one JSON decision a line.

use std::io::Write;
use std::process::ExitCode;

use mesh_compile::compiler::compile;
use mesh_compile::view::View;
use mesh_proxy_core::decide::decide;
use mesh_proxy_core::probe;
use serde_json::Value;

use crate::Unusable;
use crate::args::Decide;
use crate::load::resolve;
use crate::report::human;
use crate::{files, target};

pub fn run(command: &Decide) -> Result<ExitCode, Unusable> {
    let (snapshot, mut read) = resolve(&command.config)?;
    let proxy = target::proxy(&command.proxy, &read.config)?;
    let (config, report) = compile(&View::new(&snapshot, &proxy));
    read.report.merge(report);
    human::findings(&mut anstream::stderr().lock(), &read.report, &mut read.texts)?;

    let bytes = files::read(&command.probes)?;
    let text = String::from_utf8_lossy(&bytes);
    let now = command.now.unwrap_or_else(jiff::Timestamp::now).as_second();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut status = ExitCode::SUCCESS;
    for line in probe::read(&text) {
        let answer = match line {
            Ok(probe) => {
                let decision = decide(&config, &probe.query(now), &mut ());
                with_id(&probe.id, serde_json::to_value(&decision))
            }
            Err(bad) => {
                status = ExitCode::from(1);
                serde_json::to_value(&bad)
            }
        };
        let answer = answer.map_err(std::io::Error::from)?;
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(status)
}

/// Puts the probe's id into its answer.
fn with_id(id: &str, decision: Result<Value, serde_json::Error>) -> Result<Value, serde_json::Error> {
    let mut decision = decision?;
    if let Value::Object(map) = &mut decision {
        map.insert("id".to_owned(), Value::from(id));
    }
    Ok(decision)
}
