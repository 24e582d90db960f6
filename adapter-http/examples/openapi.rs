//! Writes the OpenAPI document that is served, after a route or what it takes has changed:
//! `cargo run -q -p adapter-http --example openapi -- adapter-http/openapi.json`.

use std::{env, fs, process::ExitCode};

fn main() -> ExitCode {
    let Some(file) = env::args_os().nth(1) else {
        return ExitCode::FAILURE;
    };
    match fs::write(file, format!("{}\n", adapter_http::openapi())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
