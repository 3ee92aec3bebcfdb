//! The command: parse, open, run, exit code.

use std::process::ExitCode;

use undertone::cli::Args;
use undertone::config::Config;
use undertone::sink::Printable;
use undertone::{bench, check, live, replay};

/// What one thread allocates another frees: answers of DNS, names, hellos. Under glibc's allocator the two then wait for each other's arena,
/// as often as five thousand times in a fifth of a second (`benches/README.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match Config::from_command_line(std::env::args_os()) {
        Ok(config) => config,
        Err(error) => {
            // Where even that cannot be said, the exit status is what is left.
            _ = error.print();
            return ExitCode::from(error.exit_code());
        }
    };
    let result = match config {
        Config::Generate(what) => {
            Args::generate(what, &mut std::io::stdout()).map(|()| 0).map_err(Into::into)
        }
        Config::Replay(mut config) => replay::run(&mut config),
        Config::Live(mut config) => live::run(&mut config),
        Config::Bench(config) => bench::run(&config).map_err(Into::into),
        Config::Check(mut config) => check::run(&mut config).map_err(Into::into),
    };
    match result {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("undertone: {}", Printable(&error.to_string()));
            ExitCode::from(2)
        }
    }
}
