//! Sockets and a clock for a gossip node. Nothing here knows the protocol: bytes go in and out, and time passes.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use promha_gossip_core::{Event, Gossip, Instant, Replica, StreamId, StreamInput, Transmit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::time;

/// The longest datagram there is: who sends what is not ours to say.
const MAX_DATAGRAM_BYTES: usize = 65_535;

/// How many pieces of connections wait for the node; who has more waits too.
const QUEUED_INPUTS: usize = 256;

/// How many commands wait for the node.
const QUEUED_COMMANDS: usize = 64;

/// How many ports are tried for one that is free for both protocols.
const PORT_ATTEMPTS: usize = 16;

/// The datagrams and the connections of one address.
#[derive(Debug)]
pub struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Sockets {
    /// Listens on an address; port 0 takes one that is free for both protocols.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        for _ in 1..PORT_ATTEMPTS {
            let tcp = TcpListener::bind(address).await?;
            match UdpSocket::bind(tcp.local_addr()?).await {
                Ok(udp) => return Ok(Self { udp, tcp }),
                Err(_) if address.port() == 0 => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// Where they listen.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }
}

type Command<R> = Box<dyn FnOnce(&mut Gossip<R>, Instant) + Send>;

/// Speaks with a node that runs.
#[derive(Debug)]
pub struct Handle<R> {
    commands: mpsc::Sender<Command<R>>,
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<R: 'static> Handle<R> {
    /// Does something with the node, and says what came of it; nothing when the node runs no more.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Gossip<R>, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let command: Command<R> = Box::new(move |gossip, now| {
            let _ = answer.send(act(gossip, now)); // whoever asked may have gone
        });
        self.commands.send(command).await.ok()?;
        answered.await.ok()
    }
}

/// A node with its sockets.
#[derive(Debug)]
pub struct Driver<R> {
    gossip: Gossip<R>,
    sockets: Sockets,
    origin: time::Instant,
    writers: HashMap<StreamId, mpsc::UnboundedSender<Write>>,
    inputs: mpsc::Receiver<(StreamId, Input)>,
    input_sender: mpsc::Sender<(StreamId, Input)>,
    commands: mpsc::Receiver<Command<R>>,
}

/// What is to be written to a connection, and whether that is all.
type Write = (Bytes, bool);

/// What a connection says to the node.
#[derive(Debug)]
enum Input {
    Connected,
    Data(Bytes),
    Closed,
    Failed,
}

impl Input {
    fn borrowed(&self) -> StreamInput<'_> {
        match self {
            Self::Connected => StreamInput::Connected,
            Self::Data(bytes) => StreamInput::Data(bytes),
            Self::Closed => StreamInput::Closed,
            Self::Failed => StreamInput::Failed,
        }
    }
}

impl<R: Replica + Send + 'static> Driver<R> {
    /// A driver of the node that was made at this moment, its origin of time. It does nothing before it [runs](Self::run).
    pub fn new(gossip: Gossip<R>, sockets: Sockets) -> (Self, Handle<R>) {
        let (input_sender, inputs) = mpsc::channel(QUEUED_INPUTS);
        let (command_sender, commands) = mpsc::channel(QUEUED_COMMANDS);
        let origin = time::Instant::now();
        let writers = HashMap::new();
        let driver = Self { gossip, sockets, origin, writers, inputs, input_sender, commands };
        (driver, Handle { commands: command_sender })
    }

    /// Runs the node until all its handles are dropped, and tells `observe` what happens.
    ///
    /// # Errors
    /// When the sockets no longer work.
    pub async fn run(mut self, mut observe: impl FnMut(Event) + Send) -> io::Result<()> {
        let mut datagram = vec![0; MAX_DATAGRAM_BYTES];
        let mut transmit = Vec::new();
        loop {
            self.transmit(&mut transmit).await;
            while let Some(event) = self.gossip.poll_event() {
                observe(event);
            }
            let wake = self.gossip.poll_timeout();
            tokio::select! {
                received = self.sockets.udp.recv_from(&mut datagram) => match received {
                    Ok((length, from)) => {
                        let now = self.now();
                        if let Err(error) = self.gossip.handle_datagram(from, &datagram[..length], now) {
                            tracing::debug!(%from, %error, "a datagram that cannot be read");
                        }
                    }
                    // The system reports on this socket that somebody could not be reached.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                },
                accepted = self.sockets.tcp.accept() => match accepted {
                    Ok((connection, from)) => {
                        let now = self.now();
                        let stream = self.gossip.accept(from, now);
                        self.serve(stream, async move { Ok(connection) }, false);
                    }
                    Err(error) => tracing::debug!(%error, "a connection that did not come about"),
                },
                Some((stream, input)) = self.inputs.recv() => {
                    let now = self.now();
                    if matches!(input, Input::Closed | Input::Failed) {
                        self.writers.remove(&stream);
                    }
                    self.gossip.handle_stream(stream, input.borrowed(), now);
                }
                () = sleep_until(self.origin, wake) => {
                    let now = self.now();
                    self.gossip.handle_timeout(now);
                }
                command = self.commands.recv() => match command {
                    Some(command) => {
                        let now = self.now();
                        command(&mut self.gossip, now);
                    }
                    None => return Ok(()),
                },
            }
        }
    }

    fn now(&self) -> Instant {
        Instant::since_origin(self.origin.elapsed())
    }

    /// Does all that the node wants done.
    async fn transmit(&mut self, buffer: &mut Vec<u8>) {
        while let Some(transmit) = self.gossip.poll_transmit(buffer, self.now()) {
            match transmit {
                Transmit::Datagram { to } => {
                    if let Err(error) = self.sockets.udp.send_to(buffer, to).await {
                        tracing::debug!(%to, %error, "a datagram that was not sent");
                    }
                }
                Transmit::Connect { stream, to } => self.serve(stream, TcpStream::connect(to), true),
                Transmit::Stream { stream, close } => {
                    if let Some(writer) = self.writers.get(&stream) {
                        let _ = writer.send((Bytes::copy_from_slice(buffer), close)); // fails if it broke: said already
                    }
                    if close {
                        self.writers.remove(&stream);
                    }
                }
            }
        }
    }

    /// Carries a connection's bytes in a task of its own.
    fn serve(
        &mut self,
        stream: StreamId,
        connect: impl Future<Output = io::Result<TcpStream>> + Send + 'static,
        dialled: bool,
    ) {
        let (writer, writes) = mpsc::unbounded_channel();
        self.writers.insert(stream, writer);
        let inputs = self.input_sender.clone();
        tokio::spawn(async move {
            let last = match connect.await {
                Ok(connection) => {
                    if dialled && inputs.send((stream, Input::Connected)).await.is_err() {
                        return;
                    }
                    carry(connection, stream, &inputs, writes).await
                }
                Err(_) => Some(Input::Failed),
            };
            if let Some(last) = last {
                let _ = inputs.send((stream, last)).await; // fails when the node runs no more
            }
        });
    }
}

/// Carries bytes until a side closes. What it returns is the last thing to be said of the connection: nothing when the node closed it.
async fn carry(
    mut connection: TcpStream,
    stream: StreamId,
    inputs: &mpsc::Sender<(StreamId, Input)>,
    mut writes: mpsc::UnboundedReceiver<Write>,
) -> Option<Input> {
    let (mut read, mut write) = connection.split();
    let mut buffer = BytesMut::new();
    loop {
        tokio::select! {
            received = read.read_buf(&mut buffer) => match received {
                Ok(0) => return Some(Input::Closed),
                Ok(_) => inputs.send((stream, Input::Data(buffer.split().freeze()))).await.ok()?,
                Err(_) => return Some(Input::Failed),
            },
            Some((bytes, close)) = writes.recv() => {
                if write.write_all(&bytes).await.is_err() {
                    return Some(Input::Failed);
                }
                if close {
                    let _ = write.shutdown().await; // the other side may have closed first
                    return None;
                }
            }
            else => return None,
        }
    }
}

async fn sleep_until(origin: time::Instant, wake: Option<Instant>) {
    match wake.and_then(|wake| origin.checked_add(wake.elapsed())) {
        Some(deadline) => time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
