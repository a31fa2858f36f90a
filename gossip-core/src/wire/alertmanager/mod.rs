//! What Alertmanager adds to memberlist's wire: what its user messages and user states hold, and the frames of its transport over TLS,
//! which takes the place of datagrams and plain connections.
//!
//! Source: `prometheus/alertmanager`, `cluster/clusterpb/cluster.proto` and `cluster/tls_connection.go`.
//!
//! ```
//! use promha_gossip_core::wire::alertmanager::{FullState, Part};
//!
//! let silences = Part { key: "sil", data: b"..." };
//! let mut message = Vec::new();
//! silences.encode(&mut message);
//! assert_eq!(message, b"\x0a\x03sil\x12\x03...");
//! assert_eq!(Part::decode(&message)?, silences);
//!
//! let mut state = Vec::new();
//! FullState::encode([silences], &mut state);
//! assert!(FullState::decode(&state)?.parts().eq([silences]));
//! # Ok::<(), promha_gossip_core::wire::DecodeError>(())
//! ```

mod frame;
mod parts;
mod protobuf;

pub use frame::{DEFAULT_FRAME_BYTES, Frame, FrameReader, write_packet, write_stream};
pub use parts::{FullState, Part, Parts};
