//! The program: its command line, and how it is put together.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::client::{self, ClientError, ReadArgs};
use super::threads::Threads;
use super::topology::Topology;
use super::{Gateway, Limits, app, config, embedded, metrics};
use crate::common::duration::PromDuration;
use crate::common::flags;
use crate::common::logging::LoggingFlags;
use crate::common::metrics::Metrics;
use crate::common::web::{Server, WebFlags};
use crate::common::yaml::ConfigError;

const DEFAULT_ADDRESS: &str = "127.0.0.1:9099";

/// One address that reads Prometheus replicas as one: each series once, each sample once.
#[derive(Debug, Parser)]
#[command(name = "gateway", display_name = "gateway,", version = flags::version(), args_conflicts_with_subcommands = true, mut_arg("listen_addresses", |address| address.default_value(DEFAULT_ADDRESS)))]
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
    #[arg(id = "config.file", long = "config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Reads at a time; further ones wait. 0 means no limit.
    #[arg(long = "storage.remote.read-concurrent-limit", value_name = "READS", default_value = "10", value_parser = limit)]
    concurrent_reads: usize,
    /// Most samples of a sampled answer; streamed answers have no limit. 0 means no limit.
    #[arg(long = "storage.remote.read-sample-limit", value_name = "SAMPLES", default_value = "5e7", value_parser = limit)]
    samples: usize,
    /// How long a client may take nothing of its answer. 0 means no limit.
    #[arg(long = "storage.remote.client-stall-timeout", value_name = "DURATION", default_value = "2m")]
    client_stall: PromDuration,
    #[command(flatten)]
    web: WebFlags,
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

fn run_server(args: ServeArgs) -> ExitCode {
    if let Err(error) = args.logging.install("gateway") {
        return fail(&error);
    }
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => match runtime.block_on(serve(args)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "The gateway cannot go on");
                ExitCode::FAILURE
            }
        },
        Err(error) => fail(&error),
    }
}

/// Serves until told to stop.
async fn serve(args: ServeArgs) -> Result<(), Box<dyn Error>> {
    tracing::info!(version = flags::VERSION, revision = flags::REVISION, "Starting gateway");
    let server = Server::bind(&args.web, "Gateway", DEFAULT_ADDRESS)?;
    let mut registry = Metrics::new("gateway");
    let metrics = metrics::Metrics::register(registry.registry_mut());
    let registry = Arc::new(registry);
    let topology = match &args.config_file {
        Some(file) => config::load(file, &metrics)?,
        None => start_samplers(&server, &args.web, &metrics, Arc::clone(&registry)),
    };
    let gateway =
        Gateway::new(topology, metrics.clone(), args.limits(), Threads::start()?, args.config_file.is_none());
    let gateway = Arc::new(gateway.reached_at(args.web.external_url.clone(), args.web.path_prefix()));
    let app = app(Arc::clone(&gateway));
    server.lifecycle().ready();
    let reload = move || {
        let loaded = args.config_file.as_deref().map(|file| config::load(file, &metrics)).transpose();
        let gateway = Arc::clone(&gateway);
        async move {
            if let Some(topology) = loaded? {
                gateway.replace_topology(topology);
            }
            Ok::<_, ConfigError>(())
        }
    };
    Ok(server.serve(app, registry, reload).await?)
}

/// What a newcomer sees: two replicas that are there without any configuration.
fn start_samplers(
    server: &Server,
    web: &WebFlags,
    metrics: &metrics::Metrics,
    registry: Arc<Metrics>,
) -> Topology {
    let address = server.addresses().next().map(|address| address.to_string()).unwrap_or_default();
    let exposition = Arc::new(move || registry.prometheus_text());
    let (topology, sampling) = embedded::replicas(metrics, &address, exposition);
    tokio::spawn(sampling);
    let page = match &web.external_url {
        Some(url) => url.to_string(),
        None => format!("http://{address}{}/", web.path_prefix()),
    };
    tracing::info!(
        page,
        "No --config.file: sampling the gateway's own metrics as two replicas, half a second apart, and merging them when read"
    );
    topology
}

impl ServeArgs {
    fn limits(&self) -> Limits {
        Limits {
            samples: self.samples,
            concurrent_reads: self.concurrent_reads.min(Semaphore::MAX_PERMITS),
            client_stall: if self.client_stall.is_zero() {
                Duration::MAX
            } else {
                self.client_stall.as_duration()
            },
            ..Limits::default()
        }
    }
}

/// A number as Prometheus' flags take it: `5e7` is one too, and 0 stands for no limit.
fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    match number {
        None => Err("expected a whole number, as 50000000 or 5e7, or 0 for no limit".to_owned()),
        Some(0.0) => Ok(usize::MAX),
        Some(number) => Ok(number as usize),
    }
}

fn run_read(args: &ReadArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(client::read(args))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough.
        Ok(Err(ClientError::Print(error))) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(Err(error)) => fail(&error),
        Err(error) => fail(&error),
    }
}

fn check_config(file: &Path) -> ExitCode {
    let metrics = metrics::Metrics::register(&mut Registry::default());
    match config::load(file, &metrics) {
        Ok(topology) => {
            let upstreams: usize = topology.groups.iter().map(|group| group.upstreams.len()).sum();
            println!("{}: {} groups, {upstreams} upstreams", file.display(), topology.groups.len());
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("gateway: {error}");
    ExitCode::FAILURE
}
