//! Upstreams in this process, which answer well or in every wrong way over a real socket.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use promha_remote_proto::prompb::{ReadRequest, ResponseType};

use super::dataset::Series;
use super::{DEADLINE, wire};

/// A remote-read server on a port of its own.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
}

impl Upstream {
    /// Answers every request with `answer`, which writes to the connection what it likes; then the connection ends.
    pub fn start<A>(answer: A) -> Self
    where
        A: Fn(&ReadRequest, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (requests, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (answer, seen, over) = (Arc::new(answer), Arc::clone(&requests), Arc::clone(&ended));
        std::thread::spawn(move || {
            for stream in listener.incoming().take_while(|_| !over.load(Ordering::Relaxed)) {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                std::thread::spawn(move || {
                    // The other side may go away at any time, which is its right.
                    let _ = serve(stream, &seen, &*answer);
                });
            }
        });
        Self { address, requests, ended }
    }

    /// Answers every query with `series`, in the form that is asked for.
    pub fn good(series: Vec<Series>) -> Self {
        Self::start(move |request, connection| connection.answer(request, &series))
    }

    /// Answers every request with this status and text.
    pub fn failing(status: u16, text: &'static str) -> Self {
        Self::start(move |_, connection| connection.plain(status, "text/plain", text.as_bytes()))
    }

    /// Where it is read from.
    pub fn url(&self) -> String {
        format!("http://{}/api/v1/read", self.address)
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the listener up, so that it can end
    }
}

/// The connection of one request.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// A complete good answer.
    pub fn answer(&mut self, request: &ReadRequest, series: &[Series]) -> io::Result<()> {
        if streamed(request) {
            self.begin_stream()?;
            for index in 0..request.queries.len() {
                for one in series {
                    self.chunk(&wire::frames(index as i64, one))?;
                }
            }
            return self.end_stream();
        }
        let body = wire::samples_body(&vec![series.to_vec(); request.queries.len()]);
        self.head(
            200,
            "application/x-protobuf",
            &format!("content-encoding: snappy\r\ncontent-length: {}", body.len()),
        )?;
        self.stream.write_all(&body)
    }

    /// A complete answer of any kind.
    pub fn plain(&mut self, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
        self.head(status, kind, &format!("content-length: {}", body.len()))?;
        self.stream.write_all(body)
    }

    /// The head of a streamed answer.
    pub fn begin_stream(&mut self) -> io::Result<()> {
        self.head(200, wire::STREAMED, "transfer-encoding: chunked")
    }

    /// Part of the body of a streamed answer. (Chunks of HTTP; frames may be cut by them anywhere.)
    pub fn chunk(&mut self, bytes: &[u8]) -> io::Result<()> {
        let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.stream.write_all(&chunk)
    }

    /// The end that says that a streamed answer is complete.
    pub fn end_stream(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    /// Waits until the other side closes the connection.
    pub fn until_closed(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(DEADLINE))?;
        self.stream.read(&mut [0]).map(drop)
    }

    fn head(&mut self, status: u16, kind: &str, more: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\n{more}\r\nconnection: close\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes())
    }
}

/// Something that one thread waits for and another lets happen.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everyone through who waits or will wait.
    pub fn open(&self) {
        *self.0.0.lock().expect("a whole lock") = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open, but not longer than `limit`; whether it is open.
    pub fn wait(&self, limit: Duration) -> bool {
        let open = self.0.0.lock().expect("a whole lock");
        *self.0.1.wait_timeout_while(open, limit, |open| !*open).expect("a whole lock").0
    }
}

/// Whether the asking side wants a stream.
pub fn streamed(request: &ReadRequest) -> bool {
    request.accepted_response_types.first() == Some(&ResponseType::StreamedXorChunks.into())
}

fn serve<A>(stream: io::Result<TcpStream>, requests: &AtomicUsize, answer: &A) -> io::Result<()>
where
    A: Fn(&ReadRequest, &mut Connection) -> io::Result<()>,
{
    let stream = stream?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        line.clear();
    }
    if length == 0 {
        return Ok(()); // nobody asked for anything
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    requests.fetch_add(1, Ordering::SeqCst);
    answer(&wire::parse_request(&body), &mut Connection { stream })
}
