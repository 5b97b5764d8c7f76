//! `cargo bench -p benches --bench load`: the load test. `-- --help` lists its options.

use std::process::ExitCode;

fn main() -> ExitCode {
    match benches::load::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
