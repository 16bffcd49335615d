//! `mesh check --explain CODE`: the page of a code.

use std::io::Write;
use std::process::ExitCode;

use mesh_model::diagnostic::{Code, Page, nearest};
use owo_colors::OwoColorize;

use crate::Unusable;

/// Prints the pages of a code, also by Istio's name for it (`IST0101`); without one, all codes.
pub fn run(wanted: &str) -> Result<ExitCode, Unusable> {
    let mut out = anstream::stdout().lock();
    if wanted.is_empty() {
        for code in Code::ALL {
            let istio = code.istio_code().map(|istio| format!(" ({istio})")).unwrap_or_default();
            writeln!(out, "{:24} {}{istio}", code.as_str().bold(), code.summary())?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let is_meant = |code: &&Code| {
        code.as_str().eq_ignore_ascii_case(wanted)
            || code.istio_code().is_some_and(|istio| istio.eq_ignore_ascii_case(wanted))
    };
    let codes: Vec<Code> = Code::ALL.iter().filter(is_meant).copied().collect();
    if codes.is_empty() {
        let names = Code::ALL.iter().map(|code| code.as_str());
        let message = match nearest(wanted, names) {
            Some(near) => format!("there is no such code; did you mean `{near}`?"),
            None => "there is no such code; `mesh check --explain` lists all".to_owned(),
        };
        return Err(Unusable::Input { what: format!("--explain {wanted}"), message });
    }
    for (index, code) in codes.into_iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        let text = Page::of(code)
            .map_or_else(|| format!("# `{}`: {}\n", code.as_str(), code.summary()), |page| page.markdown());
        let mut in_example = false;
        for line in text.lines() {
            if line.starts_with("```") {
                in_example = !in_example;
                writeln!(out, "{}", line.dimmed())?;
            } else if line.starts_with('#') && !in_example {
                writeln!(out, "{}", line.bold())?;
            } else {
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
