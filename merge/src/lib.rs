//! Many sorted series streams into one.
