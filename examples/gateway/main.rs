//! The gateway program: see `promha_examples::gateway`.

use std::process::ExitCode;

fn main() -> ExitCode {
    promha_examples::gateway::program::main()
}
