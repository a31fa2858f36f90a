//! The page at `/`: what is read from, how that goes, and what to try next.

use std::fmt::Write as _;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use axum::response::Html;

use super::Gateway;
use super::topology::Group;
use super::upstream::{Origin, Seen, Upstream};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}\
h1{font-size:1.5em;margin-bottom:0}h2{font-size:1.1em;margin-top:2em}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.35em .8em;border-bottom:1px solid #ddd;vertical-align:top}th{font-weight:600}\
code,pre{font:13px/1.5 ui-monospace,monospace;background:#f5f5f5;border-radius:4px}code{padding:.1em .3em}\
pre{padding:.8em;overflow-x:auto}.ok{color:#18794e}.bad{color:#b42318}.idle{color:#777}";

/// Renders the page.
pub async fn page(State(gateway): State<Arc<Gateway>>, uri: Uri, headers: HeaderMap) -> Html<String> {
    let base = match &gateway.external_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => {
            // HTTP/2 has both in the address; before, only the host is known.
            let header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
            let host = uri.authority().map(Authority::as_str).or(header).unwrap_or("127.0.0.1:9099");
            format!("{}://{host}{}", uri.scheme_str().unwrap_or("http"), gateway.path_prefix)
        }
    };
    let topology = gateway.topology();
    let mut page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>promha gateway</title>\
         <meta name=viewport content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>promha gateway</h1><p>One address that reads replicas as one: each series once, each sample once.</p>"
    );
    if gateway.embedded {
        page.push_str(
            "<p><strong>Nothing is configured</strong>: started without <code>--config.file</code>, two samplers take \
             the gateway's own metrics every second, half a second apart, as two replicas would; they are merged when \
             they are read.</p>",
        );
    }
    for group in &topology.groups {
        render_group(&mut page, group);
    }
    let partial = if topology.partial_response {
        "A group that fails is left out of the answer, which names it in <code>X-Promha-Partial</code>."
    } else {
        "A group that fails, fails the read."
    };
    let _ = write!(page, "<p>{partial}</p>");
    render_next_steps(&mut page, &escape(&base), gateway.embedded);
    Html(page)
}

fn render_group(page: &mut String, group: &Group) {
    let _ = write!(
        page,
        "<h2>Group {}</h2><table><tr><th>Upstream<th>Address<th>Last read<th>Took",
        escape(&group.name)
    );
    for upstream in &group.upstreams {
        render_upstream(page, upstream);
    }
    page.push_str("</table>");
}

fn render_upstream(page: &mut String, upstream: &Upstream) {
    let address = match &upstream.origin {
        Origin::Http { url, .. } => {
            let mut url = url.clone();
            // Only the password is secret; a URL that cannot have one has none to hide.
            let _ = url.set_password(None);
            url.to_string()
        }
        Origin::Embedded(_) => "in this process".to_owned(),
    };
    let seen = upstream.last_seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (class, state, took) = match seen {
        None => ("idle", "not read yet".to_owned(), String::new()),
        Some(Seen { at, took, error }) => {
            let ago = SystemTime::now().duration_since(at).unwrap_or_default().as_secs();
            let (class, state) = match error {
                None => ("ok", format!("ok, {ago} s ago")),
                Some(error) => ("bad", format!("{ago} s ago: {error}")),
            };
            (class, state, format!("{} ms", took.as_millis()))
        }
    };
    let (name, address, state) = (escape(&upstream.name), escape(&address), escape(&state));
    let _ = write!(page, "<tr><td>{name}<td><code>{address}</code><td class={class}>{state}<td>{took}");
}

fn render_next_steps(page: &mut String, base: &str, embedded: bool) {
    let _ = write!(
        page,
        "<h2>What to try next</h2><p>Read through it:</p>\
         <pre>gateway read 'up' --from now-5m --url {base}/api/v1/read</pre>\
         <p>Let a Prometheus query it:</p>\
         <pre>remote_read:\n  - url: {base}/api/v1/read\n    read_recent: true</pre>"
    );
    if embedded {
        page.push_str(
            "<p>Put it before your own collectors: write <code>gateway.yml</code> and start \
             <code>gateway --config.file=gateway.yml</code></p>\
             <pre>groups:\n  - name: dc1\n    replica_labels: [replica]\n    upstreams:\n      \
             - { name: a, url: \"http://127.0.0.1:9090/api/v1/read\" }\n      \
             - { name: b, url: \"http://127.0.0.1:9091/api/v1/read\" }</pre>",
        );
    }
    page.push_str("<p><a href=metrics>Metrics</a>, <a href=-/ready>readiness</a></p>");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
