//! The program: its command line, and how it is put together.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use super::client::{self, ReadArgs};
use super::{Gateway, Limits, app, config, embedded, metrics};
use crate::common::duration::PromDuration;
use crate::common::flags;
use crate::common::logging::LoggingFlags;
use crate::common::metrics::Metrics;

const DEFAULT_ADDRESS: &str = "127.0.0.1:9099";

/// One address that reads Prometheus replicas as one: each series once, each sample once.
#[derive(Debug, Parser)]
#[command(name = "gateway", display_name = "gateway,", version = flags::version(), args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read series over remote read, from a gateway or any other server, and print them.
    Read(ReadArgs),
    /// Say whether a configuration file is good, without starting.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
}

/// Flags of the server.
#[derive(Args, Debug)]
struct ServeArgs {
    /// The configuration; without it the gateway runs on two samplers of its own metrics.
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Reads at a time; further ones wait.
    #[arg(long = "storage.remote.read-concurrent-limit", value_name = "READS", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    concurrent_reads: u32,
    /// Most samples of a sampled answer. Streamed answers have no limit.
    #[arg(long = "storage.remote.read-sample-limit", value_name = "SAMPLES", default_value = "50000000")]
    samples: usize,
    /// How long a client may take nothing of its answer.
    #[arg(long = "storage.remote.client-stall-timeout", value_name = "DURATION", default_value = "2m")]
    client_stall: PromDuration,
    #[arg(long = "web.listen-address", default_value = DEFAULT_ADDRESS)]
    listen: String,
    #[command(flatten)]
    logging: LoggingFlags,
}

/// Runs the program with the process' arguments.
pub fn main() -> ExitCode {
    let CommandLine { command, serve } = CommandLine::parse();
    match command {
        None => run_server(serve),
        Some(Command::Read(args)) => run_read(&args),
        Some(Command::CheckConfig { file }) => check_config(&file),
    }
}

fn run_server(serve: ServeArgs) -> ExitCode {
    serve.logging.install("gateway").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async move {
        let mut m = Metrics::new("gateway");
        let ours = metrics::Metrics::register(m.registry_mut());
        let m = Arc::new(m);
        let limits = Limits {
            samples: serve.samples,
            concurrent_reads: serve.concurrent_reads as usize,
            client_stall: serve.client_stall.as_duration(),
            ..Limits::default()
        };
        let embedded = serve.config_file.is_none();
        let topology = match &serve.config_file {
            Some(file) => config::load(file, &ours).unwrap_or_else(|e| {
                eprintln!("{e}");
                std::process::exit(1)
            }),
            None => {
                let m = m.clone();
                let (t, work) =
                    embedded::replicas(&ours, &serve.listen, Arc::new(move || m.prometheus_text()));
                tokio::spawn(work);
                t
            }
        };
        let gateway = Arc::new(Gateway::new(topology, ours, limits, embedded));
        let listener = tokio::net::TcpListener::bind(&serve.listen).await.unwrap();
        axum::serve(listener, app(gateway)).await.unwrap();
    });
    ExitCode::SUCCESS
}

fn run_read(args: &ReadArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match runtime.block_on(client::read(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("gateway: {e}");
            ExitCode::FAILURE
        }
    }
}
fn check_config(_file: &std::path::Path) -> ExitCode {
    ExitCode::SUCCESS
}
