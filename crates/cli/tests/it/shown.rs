//! Runs what the documents and the help show, line by line, as a reader would.

use crate::common::{Process, World, bytes};
use crate::encrypted::write_papers;
use crate::proxies::Proxy;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The lines of all blocks in this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1).map(|rest| rest.split("```").next().expect("the first part"));
    blocks.flat_map(str::lines).map(str::to_owned).collect()
}

/// A reader who follows one document, and what it takes for granted.
struct Reader {
    world: World,
    /// The addresses of the servers that were started last.
    plain: String,
    encrypted: String,
    proxy: Proxy,
    servers: Vec<Process>,
}

impl Reader {
    fn new() -> Self {
        let world = World::new();
        world.file("holiday.tar", 100_000);
        world.file("photos/2026/beach.jpg", 1000);
        world.file(".config/bowline/token", 0);
        write_private(&world, ".config/bowline/token", "a-secret");
        fs::create_dir(world.path("etc")).expect("a folder");
        write_papers(&world, "ca");
        for (name, made) in [
            ("cert.pem", "server.pem"),
            ("etc/fullchain.pem", "server.pem"),
            ("etc/privkey.pem", "key.pem"),
            ("fullchain.pem", "server.pem"),
            ("privkey.pem", "key.pem"),
        ] {
            fs::copy(world.path(made), world.path(name)).expect("it was made");
        }
        let believed = world.path("ca.pem");
        let tables = ["send", "fetch", "list", "probe", "watch"]
            .map(|name| format!("[{name}]\nca = \"{}\"\n", believed.display()));
        fs::create_dir_all(world.path("config/bowline")).expect("a folder");
        fs::write(world.path("config/bowline/config.toml"), tables.concat()).expect("writable");
        let guide = fs::read_to_string(root().join("docs/server.md")).expect("UTF-8");
        let mut settings = blocks(&guide, "toml").join("\n");
        for (shown, here) in [("/etc/bowline", "etc"), ("/srv/", "srv-")] {
            settings = settings.replace(shown, world.path(here).to_str().expect("UTF-8"));
        }
        fs::write(world.path("etc/config.toml"), settings).expect("writable");
        let tokens = blocks(&guide, "text").join("\n").replace("25c7...9e", &"25".repeat(32));
        write_private(&world, "etc/tokens", &tokens);

        let mut reader = Self {
            proxy: Proxy::nowhere(),
            world,
            plain: String::new(),
            encrypted: String::new(),
            servers: Vec::new(),
        };
        reader.run("bowline serve --dir inbox --tls-cert cert.pem --tls-key key.pem");
        reader.run("bowline serve --dir inbox2");
        reader.proxy.lead_to(reader.encrypted.parse().expect("an address"));
        reader
    }

    /// The same line for this world: with other addresses and places, and less time.
    fn translated(&self, line: &str) -> String {
        let Self { plain, encrypted, proxy, .. } = self;
        let mut line = line.split("  #").next().expect("the first part").to_owned();
        if line.contains("bowline serve") && !line.contains("--check") {
            line = line.replace("--listen 127.0.0.1:9000", "").replace("--listen 0.0.0.0:9443", "");
            if !line.contains("--listen") {
                line += " --listen 127.0.0.1:0";
            }
            // Whatever ends the shell ends the server.
            line = line.replacen("bowline", "exec bowline", 1);
            if let Some((variables, rest)) = line.split_once(" exec ") {
                line = format!("exec env {variables} {rest}");
            }
        }
        for (shown, here) in [
            ("http://proxy.example:3128", proxy.url.as_str()),
            ("socks5://127.0.0.1:1080", &proxy.url.replace("http", "socks5")),
            ("wss://files.example.org", &format!("wss://{encrypted}")),
            ("wss://files.example", &format!("wss://{encrypted}")),
            ("wss://127.0.0.1:9000", &format!("wss://{encrypted}")),
            ("ws://127.0.0.1:9000", &format!("ws://{plain}")),
            ("/srv/", "srv-"),
            ("/run/user/1000/", "./"),
            ("/etc/bowline/", "etc/"),
            ("--max 5m", "--max 1s"),
            ("--for 1h", "--for 1s"),
        ] {
            line = line.replace(shown, here);
        }
        line
    }

    /// Does what a line says, and waits for its end, or until a server listens.
    fn run(&mut self, line: &str) {
        let translated = self.translated(line);
        let mut command = self.shell(&translated);
        if translated.starts_with("exec ") {
            let mut server = Process::start(&mut command);
            let said = server.line().unwrap_or_else(|| panic!("{line}\n{translated}\ndoes not listen"));
            let url = said.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}\n{said}"));
            match url.split_once("://") {
                Some(("ws", address)) => address.clone_into(&mut self.plain),
                Some(("wss", address)) => address.clone_into(&mut self.encrypted),
                _ => assert!(url.starts_with("unix:"), "{line}\n{said}"),
            }
            self.servers.push(server);
            return;
        }
        let done = Process::start(&mut command).finish();
        assert_eq!(done.code, Some(0), "{line}\n{translated}\n{done:?}");
    }

    /// A shell in this world that finds the command.
    fn shell(&self, line: &str) -> Command {
        let ours = self.world.bowline([""; 0]);
        let binary = Path::new(ours.get_program()).parent().expect("it is in a folder");
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        path = [binary.as_os_str(), &path].join(std::ffi::OsStr::new(":"));
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(ours.get_current_dir().expect("the world"));
        for (name, value) in ours.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.env("PATH", path).env("HOME", self.world.path(""));
        shell
    }
}

fn write_private(world: &World, name: &str, text: &str) {
    fs::write(world.path(name), text).expect("writable");
    fs::set_permissions(world.path(name), Permissions::from_mode(0o600)).expect("ours");
}

/// Runs what a document shows; returns how many lines that were.
fn follow(lines: &[String]) -> usize {
    let mut reader = Reader::new();
    let mut count = 0;
    for line in lines.iter().map(|line| line.trim()) {
        let is_others = line.starts_with("cargo ") || line.starts_with("openssl ") && !has_openssl();
        if line.is_empty() || line.starts_with('#') || is_others {
            continue;
        }
        reader.run(line);
        count += 1;
    }
    count
}

/// Even where none is installed, the certificate is there.
fn has_openssl() -> bool {
    Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn commands_shown_in_the_documents_can_be_run() {
    let docs =
        fs::read_dir(root().join("docs")).expect("a folder").map(|entry| entry.expect("readable").path());
    let pages = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut count = 0;
    for path in pages.chain([root().join("README.md")]) {
        count += follow(&blocks(&fs::read_to_string(path).expect("UTF-8"), "sh"));
    }
    assert!(count >= 24, "{count} lines were found");
}

#[test]
fn commands_shown_in_the_help_can_be_run() {
    let world = World::new();
    for command in ["serve", "send", "fetch", "list", "probe", "watch"] {
        let help = world.run([command, "--help"]).stdout;
        let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{help}"));
        let lines: Vec<_> = examples.lines().take_while(|line| !line.is_empty()).map(str::to_owned).collect();
        // What is fetched has been sent before.
        let given = ["bowline send holiday.tar photos ws://127.0.0.1:9000".to_owned()];
        let given = given.into_iter().filter(|_| ["fetch", "list"].contains(&command));
        assert!(follow(&given.chain(lines).collect::<Vec<_>>()) >= 2, "{help}");
    }
}

#[test]
fn a_line_that_cannot_be_run_is_found() {
    for wrong in [
        "bowline send holiday.tar ws://127.0.0.1:9000 --tokn x",
        "bowline send nothing.tar ws://127.0.0.1:9000",
        "bowline fetch wss://files.example.org/nothing",
        "bowline serve --tokens nowhere",
        "bowlin send holiday.tar ws://127.0.0.1:9000",
        "tar c nothing | bowline frobnicate",
    ] {
        let lines = [wrong.to_owned()];
        assert!(std::panic::catch_unwind(|| follow(&lines)).is_err(), "{wrong}");
    }
}

#[test]
fn a_file_sent_as_the_readme_says_arrives() {
    let mut reader = Reader::new();
    reader.run("bowline serve --dir inbox3");
    reader.run("bowline send holiday.tar ws://127.0.0.1:9000");
    assert!(
        fs::read(reader.world.path("inbox3/holiday.tar")).expect("it is there")
            == bytes("holiday.tar", 100_000)
    );
}
