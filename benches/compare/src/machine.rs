//! The machine and the time of a measurement.

use std::fs;
use std::process::Command;

/// A paragraph: date, processor, system, compiler, versions.
pub fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processors = processor.lines().filter(|line| line.starts_with("processor")).count();
    let model = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}; {processors} x {}; Linux {}; {}; load average at the end {}.\n\nVersions: {}.",
        said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        model.unwrap_or("an unknown processor"),
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        said_by("rustc", &["--version"]),
        load.split(' ').next().unwrap_or("unknown"),
        versions().join(", "),
    )
}

/// The date, as in the names of folders with results.
pub fn day() -> String {
    said_by("date", &["-u", "+%Y-%m-%d"])
}

fn said_by(program: &str, words: &[&str]) -> String {
    let said = Command::new(program).args(words).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}

/// The versions of the compared libraries in the lock file.
fn versions() -> Vec<String> {
    let lock = include_str!("../Cargo.lock");
    let packages = lock.split("[[package]]").filter_map(|package| {
        let value = |key: &str| {
            package
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))
                .map(|v| v.trim_matches('"'))
        };
        Some((value("name")?, value("version")?))
    });
    let wanted = [
        "bowline-core",
        "tungstenite",
        "tokio-tungstenite",
        "fastwebsockets",
        "tokio-websockets",
        "yawc",
        "sockudo-ws",
        "tokio",
        "bytes",
    ];
    packages
        .filter(|(name, _)| wanted.contains(name))
        .map(|(name, version)| format!("{name} {version}"))
        .collect()
}
