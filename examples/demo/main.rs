//! The bundled shop, alive on loopback: three small services, a sidecar for each, and the gateway in front. Traffic
//! flows, a weight is changed in a file meanwhile, and what happened is printed.
//!
//! ```text
//! client --https--> gateway --mTLS--> sidecar of web -> web -> sidecar of web --mTLS--> sidecar -> reviews v1
//!                                                                            `--mTLS--> sidecar -> reviews v2
//! ```
//!
//! Everything listens at free ports of 127.0.0.1, lives in this one process and ends with it. The configuration is a
//! copy of `examples/shop` in a temporary directory, read and watched as the programs `gateway` and `sidecar` do.

mod authority;
mod client;
mod service;
mod stage;
mod story;

use std::process::ExitCode;
use std::time::Duration;

/// Longer than any machine should need.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> ExitCode {
    match tokio::time::timeout(PATIENCE, story::tell()).await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(problem)) => {
            eprintln!("the demo failed: {problem}");
            ExitCode::FAILURE
        }
        Err(_) => {
            eprintln!("the demo did not end within {PATIENCE:?}");
            ExitCode::FAILURE
        }
    }
}
