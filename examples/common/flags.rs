//! What a program says about itself.

/// The version of all programs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit the programs were built from; packagers set `PROMHA_REVISION` when they build.
pub const REVISION: &str = match option_env!("PROMHA_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// The compiler that built the programs.
pub const RUSTC_VERSION: &str = env!("PROMHA_RUSTC_VERSION");

/// What `--version` prints after the program's name, in Prometheus' layout.
///
/// clap puts a name and a space before it; the comma after the name is the display name's:
///
/// ```
/// use clap::Parser;
/// use promha_examples::common::flags;
///
/// #[derive(Debug, Parser)]
/// #[command(name = "gateway", display_name = "gateway,", version = flags::version())]
/// struct Flags {}
///
/// let text = Flags::try_parse_from(["gateway", "--version"]).unwrap_err().to_string();
/// assert!(text.starts_with("gateway, version 0."), "{text}");
/// ```
pub fn version() -> &'static str {
    static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        format!(
            "version {VERSION} (revision: {REVISION})\n  rustc version:    {RUSTC_VERSION}\n  platform:         \
             {}/{}",
            std::env::consts::OS,
            std::env::consts::ARCH,
        )
    });
    &TEXT
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    #[command(name = "gateway", display_name = "gateway,", version = version())]
    struct Program {}

    #[test]
    fn the_version_reads_as_that_of_prometheus() {
        let text = Program::try_parse_from(["gateway", "--version"]).unwrap_err().to_string();
        let (first, rest) = text.split_once('\n').unwrap();
        assert_eq!(first, format!("gateway, version {VERSION} (revision: {REVISION})"));
        assert!(rest.contains(&format!("rustc version:    {RUSTC_VERSION}\n")), "{rest}");
        assert!(RUSTC_VERSION.starts_with("1."), "{RUSTC_VERSION}");
    }
}
