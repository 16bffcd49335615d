//! A sidecar that carries traffic: `sidecar --help` teaches how to start one.
//!
//! Without `--port-map` it listens at the capture ports, 15001 and 15006, and asks the system for the address that was
//! dialled; iptables must redirect connections there.

#[path = "serve/mod.rs"]
mod serve;

fn main() -> std::process::ExitCode {
    serve::main()
}
