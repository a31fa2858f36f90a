//! Upstreams in this process, which answer well or in every wrong way over a real socket.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use promha_remote_proto::prompb::{ReadRequest, ResponseType};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::dataset::Series;
use super::{DEADLINE, wire};

/// A remote-read server on a port of its own.
#[derive(Debug)]
pub struct Upstream {
    scheme: &'static str,
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    ended: Arc<AtomicBool>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    headers: Vec<(String, String)>,
    /// What it asks.
    pub message: ReadRequest,
}

impl Request {
    /// The value of a header, whose name is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

impl Upstream {
    /// Answers every request with `answer`, which writes to the connection what it likes; then the connection ends.
    pub fn start<A>(answer: A) -> Self
    where
        A: Fn(&ReadRequest, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
    {
        Self::listen("http", |socket| Ok(Box::new(socket)), answer)
    }

    /// As `start`, over TLS.
    pub fn start_tls<A>(tls: Arc<ServerConfig>, answer: A) -> Self
    where
        A: Fn(&ReadRequest, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
    {
        let accept = move |socket| -> io::Result<Box<dyn Duplex>> {
            let session = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
            Ok(Box::new(StreamOwned::new(session, socket)))
        };
        Self::listen("https", accept, answer)
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
        format!("{}://{}/api/v1/read", self.scheme, self.address)
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.requests.lock().expect("a whole lock").len()
    }

    /// The last request.
    ///
    /// # Panics
    ///
    /// When none came.
    pub fn last_request(&self) -> Request {
        self.requests.lock().expect("a whole lock").last().expect("a request").clone()
    }

    fn listen<T, A>(scheme: &'static str, accept: T, answer: A) -> Self
    where
        T: Fn(TcpStream) -> io::Result<Box<dyn Duplex>> + Send + Sync + 'static,
        A: Fn(&ReadRequest, &mut Connection) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (requests, ended) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicBool::new(false)));
        let (both, seen, over) = (Arc::new((accept, answer)), Arc::clone(&requests), Arc::clone(&ended));
        std::thread::spawn(move || {
            for socket in listener.incoming().take_while(|_| !over.load(Ordering::Relaxed)) {
                let (both, seen) = (Arc::clone(&both), Arc::clone(&seen));
                std::thread::spawn(move || {
                    let (accept, answer) = &*both;
                    // The other side may go away at any time, which is its right.
                    let _ = socket.and_then(|socket| {
                        let mut connection =
                            Connection { socket: socket.try_clone()?, stream: accept(socket)? };
                        match connection.receive()? {
                            None => Ok(()),
                            Some(request) => {
                                seen.lock().expect("a whole lock").push(request.clone());
                                answer(&request.message, &mut connection)
                            }
                        }
                    });
                });
            }
        });
        Self { scheme, address, requests, ended }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the listener up, so that it can end
    }
}

/// A stream, plain or not.
trait Duplex: Read + Write + Send + fmt::Debug {}

impl<T: Read + Write + Send + fmt::Debug> Duplex for T {}

/// The connection of one request.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    stream: Box<dyn Duplex>,
}

impl Connection {
    /// The only request of the connection, if one comes.
    fn receive(&mut self) -> io::Result<Option<Request>> {
        let mut reader = BufReader::new(&mut self.stream);
        let (mut line, mut headers) = (String::new(), Vec::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(": ") {
                headers.push((name.to_ascii_lowercase(), value.trim_end().to_owned()));
            }
            line.clear();
        }
        let length = headers.iter().find(|header| header.0 == "content-length");
        let Some((_, length)) = length else { return Ok(None) };
        let mut body = vec![0; length.parse().expect("a length")];
        reader.read_exact(&mut body)?;
        Ok(Some(Request { headers, message: wire::parse_request(&body) }))
    }

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
        self.snappy(&wire::samples_body(&vec![series.to_vec(); request.queries.len()]))
    }

    /// A complete answer of samples.
    pub fn snappy(&mut self, body: &[u8]) -> io::Result<()> {
        let length = format!("content-encoding: snappy\r\ncontent-length: {}", body.len());
        self.head(200, "application/x-protobuf", &length)?;
        self.stream.write_all(body)
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

    /// The head of an answer of samples whose length is not known.
    pub fn begin_samples(&mut self) -> io::Result<()> {
        self.head(200, "application/x-protobuf", "content-encoding: snappy\r\ntransfer-encoding: chunked")
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
        self.socket.set_read_timeout(Some(DEADLINE))?;
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

    /// Whether the gate is open.
    pub fn is_open(&self) -> bool {
        *self.0.0.lock().expect("a whole lock")
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
