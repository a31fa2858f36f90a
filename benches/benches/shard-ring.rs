//! stub
use promha_benches as _;
fn main() {}
