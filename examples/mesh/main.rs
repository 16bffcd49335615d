//! `mesh`: check, decide, explain and show, from the command line.
#![allow(unreachable_pub, reason = "`pub` is what a module shows to the others of this program")]

mod args;
mod check;
mod decide;
mod explain;
mod explain_code;
mod explain_request;
mod files;
mod graph;
mod load;
mod patches;
mod progress;
mod report;
mod road;
mod schema;
mod shadows;
mod show;
mod source;
mod target;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// What can go wrong before there is anything to answer: exit status 2.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("cannot read `{path}`: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("`{pattern}` matches no file")]
    NothingMatches { pattern: String },
    #[error("`{pattern}` is not a glob: {message}")]
    Glob { pattern: String, message: String },
    #[error("`{what}` is not usable: {message}")]
    Input { what: String, message: String },
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match args.command {
        Command::Check(command) => check::run(&command),
        Command::Decide(command) => decide::run(&command),
        Command::Explain(command) => explain::run(&command),
        Command::ExplainRequest(command) => explain_request::run(&command),
        Command::Show(command) => show::run(&command),
        Command::Graph(command) => graph::run(&command),
        Command::Schema(command) => schema::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut <Args as clap::CommandFactory>::command(),
                "mesh",
                &mut std::io::stdout(),
            );
            Ok(ExitCode::SUCCESS)
        }
    };
    match outcome {
        Ok(status) => status,
        // A reader that has seen enough (`mesh show routes | head`) is no failure.
        Err(Unusable::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("mesh: {error}");
            ExitCode::from(2)
        }
    }
}
