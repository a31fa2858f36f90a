//! Prometheus remote read and write on the wire.
