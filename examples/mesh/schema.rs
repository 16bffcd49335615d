//! `mesh schema`: what editors need to know of a kind.

use std::io::Write;
use std::process::ExitCode;

use mesh_model::diagnostic::nearest;
use mesh_model::schema::{self, Subject};

use crate::Unusable;
use crate::args::Schema;

pub fn run(command: &Schema) -> Result<ExitCode, Unusable> {
    let mut out = anstream::stdout().lock();
    let Some(name) = &command.kind else {
        for subject in schema::subjects() {
            writeln!(out, "{:<22} {}", subject.kind, source(&subject))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(schema) = schema::for_kind(name) else {
        let subjects = schema::subjects();
        let message = match nearest(name, subjects.iter().map(|subject| subject.kind)) {
            Some(kind) => format!("there is no such kind; did you mean `{kind}`?"),
            None => "there is no such kind; `mesh schema` lists all".to_owned(),
        };
        return Err(Unusable::Input { what: name.clone(), message });
    };
    writeln!(out, "{schema:#}")?;
    Ok(ExitCode::SUCCESS)
}

/// Under which versions a kind is read.
fn source(subject: &Subject) -> String {
    if subject.is_object {
        subject.api_versions().join(", ")
    } else {
        "a message that stands alone".to_owned()
    }
}
