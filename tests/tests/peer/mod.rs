//! Foreign programs as child processes: they report what they see in lines of JSON.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::future::Future;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Anything takes a second or two. A browser that starts on a busy machine may take longer.
const LONG: Duration = Duration::from_secs(60);

/// A program, and what it prints. It does not outlive this.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next report, until the program ends. Other lines are skipped.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        loop {
            let line = self.lines.next_line().await.unwrap()?;
            if let Ok(told) = serde_json::from_str(&line) {
                return Some(told);
            }
        }
    }

    /// The URL of a server that first reports its port.
    pub(crate) async fn url(&mut self) -> String {
        let told = within(self.line()).await.expect("the server does not start");
        format!("ws://127.0.0.1:{}", told["port"])
    }
}

pub(crate) fn python(file: &str) -> Command {
    let mut command = Command::new(installed("python/bin/python"));
    command.arg(script(file));
    command
}

pub(crate) fn node(file: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script(file)).env("NODE_PACKAGES", installed("node"));
    command
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(LONG, work).await.expect("it takes too long")
}

fn installed(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/interop").join(path)
}

fn script(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("interop").join(file)
}
