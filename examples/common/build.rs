//! Tells the programs which compiler built them, for `--version` and `build_info`.

use std::process::Command;

fn main() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output().ok();
    let said = said.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    // "rustc 1.90.0 (1159e78c4 2025-09-14)"
    let version = said.split_whitespace().nth(1).unwrap_or("unknown");
    println!("cargo::rustc-env=PROMHA_RUSTC_VERSION={version}");
    println!("cargo::rerun-if-changed=common/build.rs");
}
