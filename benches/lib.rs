//! What the benches share: one allocator, so that nobody wins by theirs. A bench takes it with `use promha_benches as _;`.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
