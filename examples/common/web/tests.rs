use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::get;
use clap::Parser;
use futures::StreamExt;
use reqwest::Method;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;
use crate::common::http_client::{HttpClient, HttpClientConfig};
use crate::common::testing::{Authority, Issued};
use crate::common::yaml;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    web: WebFlags,
}

fn flags(arguments: &[&str]) -> WebFlags {
    Program::try_parse_from([&["program"], arguments].concat()).unwrap().web
}

/// A program that serves.
struct Running {
    address: SocketAddr,
    lifecycle: Lifecycle,
    metrics: Arc<Metrics>,
    serving: JoinHandle<Result<(), WebError>>,
}

fn start(arguments: &[&str], app: Router) -> Running {
    start_with_reload(arguments, app, || Ok(()))
}

fn start_with_reload(
    arguments: &[&str],
    app: Router,
    reload: impl Fn() -> Result<(), &'static str> + Send + Sync + 'static,
) -> Running {
    let server = Server::bind(&flags(arguments), "Gateway", "127.0.0.1:0").unwrap();
    let (address, lifecycle) = (server.addresses().next().unwrap(), server.lifecycle());
    let metrics = Arc::new(Metrics::new("gateway"));
    let serving = tokio::spawn(server.serve(app, metrics.clone(), move || std::future::ready(reload())));
    Running { address, lifecycle, metrics, serving }
}

impl Running {
    async fn ask(&self, method: Method, path: &str) -> (StatusCode, String) {
        let answer = self.send(method, path).await;
        (answer.status(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        self.ask(Method::GET, path).await
    }

    async fn send(&self, method: Method, path: &str) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address).parse().unwrap();
        client("follow_redirects: false").request(method, url).await.unwrap().send().await.unwrap()
    }

    /// Waits until the metrics hold the line.
    async fn counted(&self, line: &str) {
        let counted = async {
            while !self.metrics.prometheus_text().lines().any(|known| known == line) {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), counted).await;
        assert!(in_time.is_ok(), "no {line} in\n{}", self.metrics.prometheus_text());
    }
}

fn client(config: &str) -> HttpClient {
    yaml::parse::<HttpClientConfig>(config, "client").unwrap().client("client").unwrap()
}

async fn status(client: &HttpClient, url: &str) -> Result<StatusCode, String> {
    let request = client.request(Method::GET, url.parse().unwrap()).await.unwrap();
    request.send().await.map(|answer| answer.status()).map_err(|error| format!("{error:?}"))
}

fn ok(text: &str) -> (StatusCode, String) {
    (StatusCode::OK, text.to_owned())
}

#[tokio::test]
async fn health_and_readiness_follow_the_phases() {
    let program = start(&[], Router::new());
    assert_eq!(program.get("/-/healthy").await, ok("Gateway is Healthy.\n"));
    assert_eq!(program.get("/-/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    program.lifecycle.ready();
    assert_eq!(program.get("/-/ready").await, ok("Gateway is Ready.\n"));
    assert_eq!(program.ask(Method::HEAD, "/-/ready").await, ok(""));

    program.lifecycle.drain();
    program.serving.await.unwrap().unwrap();
    assert!(!program.lifecycle.is_ready());
}

#[tokio::test]
async fn metrics_are_answered_in_the_format_that_was_asked_for() {
    let program = start(&[], Router::new());
    let url: Url = format!("http://{}/metrics", program.address).parse().unwrap();
    let cases = [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", false),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            true,
        ),
    ];
    for (accept, content_type, end_mark) in cases {
        let request = client("{}").request(Method::GET, url.clone()).await.unwrap();
        let answer = request.header("accept", accept).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], content_type);
        let text = answer.text().await.unwrap();
        assert!(text.contains("\npromha_gateway_config_last_reload_successful 1\n"), "{text}");
        assert_eq!(text.ends_with("# EOF\n"), end_mark);
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_and_outcome() {
    let hang = || std::future::pending::<()>();
    let app = Router::new()
        .route("/series/{id}", get(async || "found"))
        .route("/hang", get(hang))
        .route("/bad", get(async || StatusCode::BAD_GATEWAY));
    let program = start(&["--web.route-prefix=/p/"], app);
    for path in ["/p/series/1", "/p/series/2", "/p/bad", "/p/nowhere", "/elsewhere"] {
        program.get(path).await;
    }
    let url = format!("http://{}/p/hang", program.address).parse().unwrap();
    let hanging = client("{}").request(Method::GET, url).await.unwrap().timeout(Duration::from_millis(50));
    assert!(hanging.send().await.unwrap_err().is_timeout());

    let name = "promha_gateway_http_requests_total";
    program.counted(&format!("{name}{{handler=\"/series/{{id}}\",code=\"200\"}} 2")).await;
    program.counted(&format!("{name}{{handler=\"/bad\",code=\"502\"}} 1")).await;
    program.counted(&format!("{name}{{handler=\"unmatched\",code=\"404\"}} 2")).await;
    program.counted(&format!("{name}{{handler=\"/hang\",code=\"499\"}} 1")).await;
    let durations = "promha_gateway_http_request_duration_seconds_count{handler=\"/series/{id}\"} 2";
    program.counted(durations).await;
}

#[tokio::test]
async fn answers_keep_their_length() {
    let program = start(&[], Router::new().route("/", get(async || "12345")));
    assert_eq!(program.send(Method::GET, "/").await.content_length(), Some(5));
}

#[tokio::test]
async fn without_the_flag_nobody_reloads_or_stops_the_program() {
    let program = start_with_reload(&[], Router::new(), || unreachable!());
    for path in ["/-/reload", "/-/quit"] {
        for method in [Method::POST, Method::PUT] {
            let answer = program.ask(method, path).await;
            assert_eq!(answer, (StatusCode::FORBIDDEN, "Lifecycle API is not enabled.".to_owned()));
        }
        let refused = program.send(Method::GET, path).await;
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
    }
    assert!(!program.serving.is_finished());
}

#[tokio::test]
async fn a_reload_says_what_became_of_it() {
    let reloads = Arc::new(AtomicUsize::new(0));
    let counter = reloads.clone();
    let reload = move || match counter.fetch_add(1, Ordering::SeqCst) {
        1 => Err("gateway.yml:1:1: unknown key"),
        2 => panic!("a bug"),
        _ => Ok(()),
    };
    let program = start_with_reload(&["--web.enable-lifecycle"], Router::new(), reload);
    let good = "promha_gateway_config_last_reload_successful 1";
    let bad = "promha_gateway_config_last_reload_successful 0";

    assert_eq!(program.ask(Method::POST, "/-/reload").await, ok(""));
    program.counted(good).await;
    let (status, text) = program.ask(Method::PUT, "/-/reload").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(text, "failed to reload config: gateway.yml:1:1: unknown key\n");
    program.counted(bad).await;
    let (status, text) = program.ask(Method::POST, "/-/reload").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
    program.counted(bad).await;
    assert_eq!(program.ask(Method::POST, "/-/reload").await, ok(""));
    program.counted(good).await;
    assert_eq!(reloads.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_reload_reads_the_web_configuration_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yml");
    std::fs::write(&file, "{}").unwrap();
    let config = format!("--web.config.file={}", file.display());
    let program = start(&["--web.enable-lifecycle", &config], Router::new());
    assert_eq!(program.ask(Method::POST, "/-/reload").await, ok(""));
    std::fs::write(&file, "tls: {}").unwrap();
    let (status, text) = program.ask(Method::POST, "/-/reload").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.contains("web.yml:1:1: unknown key"), "{text}");
    assert_eq!(program.get("/-/healthy").await.0, StatusCode::OK);
}

/// An app whose `/slow` sends one part at once and the other when it is let go; the receiver hears of requests.
fn slow() -> (Router, Arc<Notify>, mpsc::UnboundedReceiver<()>) {
    let go_on = Arc::new(Notify::new());
    let (began, begun) = mpsc::unbounded_channel();
    let wait = go_on.clone();
    let handler = move || {
        let (wait, began) = (wait.clone(), began.clone());
        async move {
            began.send(()).unwrap();
            let rest = async move {
                wait.notified().await;
                Ok::<_, std::io::Error>(Bytes::from("and the rest"))
            };
            let first = futures::stream::iter([Ok(Bytes::from("first "))]);
            Response::new(Body::from_stream(first.chain(futures::stream::once(rest))))
        }
    };
    (Router::new().route("/slow", get(handler)), go_on, begun)
}

#[tokio::test]
async fn requests_under_way_finish_while_new_ones_are_refused() {
    let (app, go_on, mut begun) = slow();
    let program = start(&["--web.enable-lifecycle"], app);
    program.lifecycle.ready();
    let answer = program.send(Method::GET, "/slow").await;
    begun.recv().await.unwrap();

    let goodbye = program.ask(Method::POST, "/-/quit").await;
    assert_eq!(goodbye, ok("Requesting termination... Goodbye!"));
    program.lifecycle.draining().await;
    assert!(!program.lifecycle.is_ready());
    // The socket closes as soon as the server's task has run; the first refusal is the proof.
    while tokio::net::TcpStream::connect(program.address).await.is_ok() {}
    assert!(!program.serving.is_finished(), "a request is still under way");

    go_on.notify_one();
    assert_eq!(answer.text().await.unwrap(), "first and the rest");
    program.serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_does_not_wait_forever() {
    let (app, _never, mut begun) = slow();
    let program = start(&["--web.drain-timeout=50ms"], app);
    let answer = program.send(Method::GET, "/slow").await;
    begun.recv().await.unwrap();
    program.lifecycle.drain();
    program.serving.await.unwrap().unwrap();
    assert!(answer.text().await.is_err(), "cut visibly, not ended as if complete");
}

#[tokio::test]
async fn a_panic_is_one_request_that_failed() {
    let app = Router::new()
        .route("/str", get(async || -> () { panic!("a bug") }))
        .route("/string", get(async || -> () { panic!("{}", "a bug".to_owned()) }))
        .route("/fine", get(async || "fine"));
    let program = start(&[], app);
    for path in ["/str", "/string"] {
        let answer = program.get(path).await;
        assert_eq!(answer, (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n".to_owned()));
        program
            .counted(&format!("promha_gateway_http_requests_total{{handler=\"{path}\",code=\"500\"}} 1"))
            .await;
    }
    assert_eq!(program.get("/fine").await, ok("fine"));
}

#[tokio::test]
async fn all_paths_are_below_the_prefix() {
    let home = async |uri: Uri| format!("home {uri}");
    let app = || Router::new().route("/", get(home)).route("/api", get(async || "api"));
    for flag in ["--web.route-prefix=ha/", "--web.external-url=https://example.com/ha/"] {
        let program = start(&[flag], app());
        assert_eq!(program.get("/ha/-/healthy").await.0, StatusCode::OK, "{flag}");
        assert_eq!(program.get("/ha/api").await, ok("api"));
        assert_eq!(program.get("/ha/?a=b").await, ok("home /?a=b"));
        assert_eq!(program.get("/ha").await, ok("home /"));
        assert_eq!(program.get("/-/healthy").await.0, StatusCode::NOT_FOUND);
        let home = program.send(Method::GET, "/").await;
        assert_eq!(
            (home.status(), &home.headers()["location"]),
            (StatusCode::SEE_OTHER, &"/ha/".parse().unwrap())
        );
    }
    assert_eq!(flags(&["--web.external-url=http://a/b", "--web.route-prefix=/"]).path_prefix(), "");
    assert_eq!(flags(&["--web.external-url=http://a:9090"]).path_prefix(), "");
    assert!(Program::try_parse_from(["program", "--web.external-url=here"]).is_err());
}

#[tokio::test]
async fn several_addresses_serve_the_same() {
    let server = Server::bind(
        &flags(&["--web.listen-address=127.0.0.1:0", "--web.listen-address=localhost:0"]),
        "Gateway",
        "nowhere:0",
    );
    let server = server.unwrap();
    let addresses: Vec<_> = server.addresses().collect();
    assert_eq!(addresses.len(), 2);
    assert_ne!(addresses[0], addresses[1]);
    let lifecycle = server.lifecycle();
    let reload = || std::future::ready(Ok::<_, String>(()));
    let serving = tokio::spawn(server.serve(Router::new(), Arc::new(Metrics::new("gateway")), reload));
    for address in addresses {
        assert_eq!(status(&client("{}"), &format!("http://{address}/-/healthy")).await, Ok(StatusCode::OK));
    }
    lifecycle.drain();
    serving.await.unwrap().unwrap();
}

#[test]
fn what_cannot_be_listened_on_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for address in [taken.as_str(), "127.0.0.1", "127.0.0.1:port"] {
        let error = Server::bind(&flags(&[]), "Gateway", address).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
    }
    let error = Server::bind(&flags(&["--web.config.file=/none.yml"]), "Gateway", "127.0.0.1:0").unwrap_err();
    assert!(error.to_string().starts_with("web configuration: /none.yml: cannot be read"), "{error}");
}

#[tokio::test]
async fn only_users_pass_and_changes_count_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("web.yml");
    let write = |user: &str, password: &str| {
        let hash = bcrypt::hash(password, 4).unwrap();
        let headers = "http_server_config: { headers: { X-Frame-Options: deny } }";
        replace(&file, &format!("{headers}\nbasic_auth_users: {{ {user}: '{hash}' }}\n"));
    };
    write("ada", "lovelace");
    let config = format!("--web.config.file={}", file.display());
    let program = start(&[&config], Router::new().route("/", get(async || "home")));
    let url = format!("http://{}/", program.address);
    let ada = client("basic_auth: { username: ada, password: lovelace }");

    let refused = program.send(Method::GET, "/").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["www-authenticate"], "Basic");
    assert_eq!(refused.headers()["x-frame-options"], "deny");
    assert_eq!(refused.text().await.unwrap(), "Unauthorized\n");
    for path in ["/nowhere", "/metrics", "/-/healthy"] {
        assert_eq!(program.get(path).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    for _ in 0..2 {
        assert_eq!(status(&ada, &url).await, Ok(StatusCode::OK));
    }
    let eve = client("basic_auth: { username: ada, password: guess }");
    assert_eq!(status(&eve, &url).await, Ok(StatusCode::UNAUTHORIZED));
    program.counted("promha_gateway_http_requests_total{handler=\"/\",code=\"401\"} 2").await;

    write("ada", "byron");
    assert_eq!(status(&ada, &url).await, Ok(StatusCode::UNAUTHORIZED));
    let ada = client("basic_auth: { username: ada, password: byron }");
    assert_eq!(status(&ada, &url).await, Ok(StatusCode::OK));
}

fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// A directory with an authority's certificate, a server's and a client's pair, and a web configuration.
struct TlsFiles {
    directory: tempfile::TempDir,
}

impl TlsFiles {
    fn new(authority: &Authority, tls_server_config: &str, rest: &str) -> Self {
        let files = Self { directory: tempfile::tempdir().unwrap() };
        replace(&files.path("ca.pem"), &authority.pem());
        files.write_pair("server", &authority.issue("localhost"));
        files.write_pair("client", &authority.issue("client"));
        let tls = format!("cert_file: server.pem, key_file: server.key, {tls_server_config}");
        replace(&files.path("web.yml"), &format!("tls_server_config: {{ {tls} }}\n{rest}"));
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write_pair(&self, name: &str, pair: &Issued) {
        replace(&self.path(&format!("{name}.pem")), &pair.cert_pem);
        replace(&self.path(&format!("{name}.key")), &pair.key_pem);
    }

    fn start(&self) -> Running {
        let config = format!("--web.config.file={}", self.path("web.yml").display());
        start(&[&config], Router::new().route("/", get(async || "home")))
    }

    fn client(&self, config: &str) -> HttpClient {
        let mut config: HttpClientConfig = yaml::parse(config, "client").unwrap();
        config.resolve_paths(self.directory.path());
        config.client("client").unwrap()
    }
}

const TRUSTING: &str = "tls_config: { ca_file: ca.pem }";
const KNOWN: &str = "tls_config: { ca_file: ca.pem, cert_file: client.pem, key_file: client.key }";

#[tokio::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let (authority, successor) = (Authority::new(), Authority::new());
    let files = TlsFiles::new(&authority, "", "");
    let program = files.start();
    let url = format!("https://localhost:{}/", program.address.port());
    assert_eq!(status(&files.client(TRUSTING), &url).await, Ok(StatusCode::OK));
    let plain = format!("http://localhost:{}/", program.address.port());
    assert!(status(&files.client("{}"), &plain).await.is_err(), "TLS is not optional");

    files.write_pair("server", &successor.issue("localhost"));
    assert!(status(&files.client(TRUSTING), &url).await.unwrap_err().contains("InvalidCertificate"));
    replace(&files.path("ca.pem"), &successor.pem());
    assert_eq!(status(&files.client(TRUSTING), &url).await, Ok(StatusCode::OK));
}

#[tokio::test]
async fn clients_prove_themselves_as_far_as_they_must() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    // Whether a client passes: without a certificate, with a stranger's, with a known one.
    let cases = [
        ("", [true, true, true]),
        ("client_auth_type: RequestClientCert", [true, true, true]),
        ("client_auth_type: RequireAnyClientCert", [false, true, true]),
        ("client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem", [true, false, true]),
        ("client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem", [false, false, true]),
    ];
    for (config, expected) in cases {
        let files = TlsFiles::new(&authority, config, "");
        files.write_pair("stranger", &stranger.issue("client"));
        let program = files.start();
        let url = format!("https://localhost:{}/", program.address.port());
        let clients = [TRUSTING.to_owned(), KNOWN.replace("client.", "stranger."), KNOWN.to_owned()];
        for (client, expected) in clients.iter().zip(expected) {
            let outcome = status(&files.client(client), &url).await;
            assert_eq!(outcome.is_ok(), expected, "{config} with {client}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn versions_are_spoken_as_configured() {
    let authority = Authority::new();
    let version = async |program: &Running, files: &TlsFiles| {
        let url = format!("https://localhost:{}/", program.address.port()).parse().unwrap();
        let request = files.client(TRUSTING).request(Method::GET, url).await.unwrap();
        request.send().await.unwrap().version()
    };
    let files = TlsFiles::new(&authority, "min_version: TLS13", "");
    let program = files.start();
    assert_eq!(version(&program, &files).await, reqwest::Version::HTTP_2);
    let old = files.client("tls_config: { ca_file: ca.pem, max_version: TLS12 }");
    let url = format!("https://localhost:{}/", program.address.port());
    assert!(status(&old, &url).await.unwrap_err().contains("ProtocolVersion"));

    let files = TlsFiles::new(&authority, "max_version: TLS12", "http_server_config: { http2: false }");
    assert_eq!(version(&files.start(), &files).await, reqwest::Version::HTTP_11);
}

#[tokio::test]
async fn the_web_configuration_changes_while_running_but_tls_stays() {
    let authority = Authority::new();
    let files = TlsFiles::new(&authority, "", "");
    let program = files.start();
    let url = format!("https://localhost:{}/", program.address.port());
    assert_eq!(status(&files.client(TRUSTING), &url).await, Ok(StatusCode::OK));

    let demanding = "cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, \
                     client_auth_type: RequireAndVerifyClientCert";
    replace(&files.path("web.yml"), &format!("tls_server_config: {{ {demanding} }}"));
    assert!(status(&files.client(TRUSTING), &url).await.is_err());
    assert_eq!(status(&files.client(KNOWN), &url).await, Ok(StatusCode::OK));

    replace(&files.path("web.yml"), "{}");
    assert_eq!(status(&files.client(KNOWN), &url).await, Ok(StatusCode::OK), "still TLS");
}
