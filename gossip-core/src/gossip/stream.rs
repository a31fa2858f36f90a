use std::net::SocketAddr;

/// A connection, as this crate calls it; the driver keeps the socket that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamInput<'a> {
    /// It is open: the connection that [`Transmit::Connect`] asked for.
    Connected,
    /// Bytes came in, as many as the socket had.
    Data(&'a [u8]),
    /// The other side has said all it had to say.
    Closed,
    /// It could not be opened, or broke.
    Failed,
}

/// What the driver is to do; the bytes are in the buffer that was given to
/// [`Gossip::poll_transmit`](super::Gossip::poll_transmit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Send the buffer as one datagram.
    Datagram {
        /// To whom.
        to: SocketAddr,
    },
    /// Open a connection. Say [`StreamInput::Connected`] or [`StreamInput::Failed`] of it.
    Connect {
        /// What it is called from now on.
        stream: StreamId,
        /// To whom.
        to: SocketAddr,
    },
    /// Write the buffer to a connection.
    Stream {
        /// To which.
        stream: StreamId,
        /// Whether to close it when all is written. It is not spoken of again then.
        close: bool,
    },
}
