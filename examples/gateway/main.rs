//! The gateway program: see `promha_examples::gateway`.
