//! A gateway that carries traffic: `gateway --help` teaches how to start one.

#[path = "serve/mod.rs"]
mod serve;

fn main() -> std::process::ExitCode {
    serve::main()
}
