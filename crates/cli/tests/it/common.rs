//! Processes, folders and a relay for the tests.

use bowline_blocking::WebSocket;
use bowline_blocking::accept::{self, Accept, Decision};
use bowline_core::connection::Config;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_core::transfer::wire::{self, Frame};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpSocket;

#[cfg(unix)]
pub(crate) use rustix::process::Signal;
#[cfg(unix)]
use rustix::process::{Pid, kill_process};

/// The error of a name that nobody can send there.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signal;

#[cfg(not(unix))]
impl Signal {
    pub(crate) const HUP: Self = Self;
    pub(crate) const INT: Self = Self;
    pub(crate) const TERM: Self = Self;
    pub(crate) const USR1: Self = Self;
    pub(crate) const USR2: Self = Self;
}

/// Far longer than anything here takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// More files than all tests in one process have open at once, but no more than any system lets a process request.
#[cfg(unix)]
const ENOUGH: u64 = 4096;

/// Whether this command sends a HELLO to a server of bowline before anything else.
pub(crate) fn greets(command: &str) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    let world = World::new();
    let process = Process::start(&mut world.bowline([command, &url]));
    let (stream, _) = listener.accept().expect("it dials");
    let accept = Decision::Accept(Accept::new().with_subprotocol(SUBPROTOCOL));
    let accepted = accept::accept(stream, &accept::Config::default(), |_, _| accept).expect("a request");
    let mut server = WebSocket::server(accepted, Config::default()).expect("random bytes");
    let said = server.receive().expect("a message");
    process.kill();
    matches!(wire::decode(said.into_bytes()).expect("a frame of bowline's"), Frame::Hello(_))
}

/// A folder with a place for the state of clients, and an inbox.
pub(crate) struct World {
    dir: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        allow_files();
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file with bytes that do not repeat.
    pub(crate) fn file(&self, name: &str, len: usize) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(&path, bytes(name, len)).expect("a file");
        path
    }

    pub(crate) fn inbox(&self, name: &str) -> Vec<u8> {
        fs::read(self.path("inbox").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// A command in this world. It sees nothing of the tester's own environment.
    pub(crate) fn bowline<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command
            .env("BOWLINE_STATE_DIR", self.path("state"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env_remove("BOWLINE_TOKEN")
            .env_remove("BOWLINE_TOKEN_FILE")
            .env_remove("BOWLINE_TOKENS")
            .env_remove("RUST_LOG");
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        command
    }

    /// The same with limits that a shell sets first.
    #[cfg(unix)]
    pub(crate) fn under(&self, limits: &str, args: &[&str]) -> Command {
        let plain = self.bowline(args);
        let mut limited = Command::new("sh");
        limited.arg("-c").arg(format!("{limits} && exec \"$0\" \"$@\""));
        limited.arg(plain.get_program()).args(plain.get_args());
        limited.current_dir(self.path("")).stdin(Stdio::null());
        for (name, value) in plain.get_envs() {
            match value {
                Some(value) => limited.env(name, value),
                None => limited.env_remove(name),
            };
        }
        limited
    }

    /// A server with such limits.
    #[cfg(unix)]
    pub(crate) fn serve_under(&self, limits: &str) -> Server {
        let args = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"];
        let mut process = Process::start(&mut self.under(limits, &args));
        let line = process.line().expect("a server says where it listens");
        Server::of(process, line.strip_prefix("listening on ").expect("the agreed words"))
    }

    /// Runs a command to its end.
    pub(crate) fn run<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Done {
        Process::start(&mut self.bowline(args)).finish()
    }

    /// A command, and its stderr.
    pub(crate) fn aloud<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> (Process, Words) {
        let mut command = self.bowline(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let words = Words(BufReader::new(child.stderr.take().expect("it is piped")));
        (Process::of(child, std::io::empty()), words)
    }

    /// A server, and its stderr.
    pub(crate) fn serve_aloud(&self, args: &[&str]) -> (Process, String, Words) {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"];
        let (mut process, words) = self.aloud(serve.iter().chain(args));
        let line = process.line().expect("a server says where it listens");
        let url = line.strip_prefix("listening on ").expect("the agreed words").to_owned();
        (process, url, words)
    }

    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        let (address, kept) = reserved();
        let address = address.to_string();
        let serve = ["serve", "--listen", &address, "--dir", "inbox"];
        let mut process = Process::start(&mut self.bowline(serve.iter().chain(args)));
        let line = process.line().expect("a server says where it listens");
        let url = line.strip_prefix("listening on ").expect("the agreed words").to_owned();
        assert_eq!(url, format!("ws://{address}"));
        Server { url, process, _kept: kept }
    }
}

/// Lets this process have more files open than the 256 that some systems allow by default: what listens for a test does
/// so until the last test has ended.
fn allow_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let enough = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
        if current.is_some_and(|current| current < enough) {
            // If the limit cannot be raised, it stays as it is.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(enough), maximum });
        }
    }
}

/// The stderr of a process, as it arrives.
pub(crate) struct Words(BufReader<ChildStderr>);

impl Words {
    /// Waits for a line that contains this.
    pub(crate) fn until(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.0.read_line(&mut line).expect("UTF-8") > 0, "it ended without: {words}");
        }
    }

    /// How much fits into its pipe.
    #[cfg(target_os = "linux")]
    pub(crate) fn room(&self) -> usize {
        rustix::pipe::fcntl_getpipe_size(self.0.get_ref()).expect("it is a pipe")
    }

    /// Everything up to its end.
    #[cfg(target_os = "linux")]
    pub(crate) fn rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("UTF-8");
        rest
    }
}

/// An address at which nobody listens, and nobody else can while the returned socket is held.
pub(crate) fn nobody() -> (SocketAddr, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    (stream.local_addr().expect("connected"), (listener, stream))
}

/// An address at which nobody listens yet. On Linux, nobody else is given it while the returned socket is held.
fn reserved() -> (SocketAddr, Option<TcpSocket>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
    let address = socket.local_addr().expect("bound");
    // On other systems it would keep everybody from listening.
    (address, cfg!(target_os = "linux").then_some(socket))
}

/// Bytes that depend on the name and do not repeat.
pub(crate) fn bytes(name: &str, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) process: Process,
    /// A client keeps dialling after its server is gone. It must not reach a server of another test.
    _kept: Option<TcpSocket>,
}

impl Server {
    /// One that has been started where nobody dials after it is gone.
    #[cfg(unix)]
    pub(crate) fn of(process: Process, url: &str) -> Self {
        Self { url: url.to_owned(), process, _kept: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.strip_prefix("ws://").and_then(|address| address.parse().ok()).expect("an address")
    }
}

/// A process that does not outlive its test.
pub(crate) struct Process {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: mpsc::Receiver<String>,
    /// Ends the watch over the process when dropped.
    _watch: mpsc::Sender<()>,
}

/// What a process has left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the binary starts");
        let pipe = child.stderr.take().expect("it is piped");
        Self::of(child, pipe)
    }

    /// One that was started elsewhere, with the rest of its stderr.
    pub(crate) fn of(mut child: Child, mut pipe: impl Read + Send + 'static) -> Self {
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, stderr) = mpsc::channel();
        // Read as it arrives, so that the process never waits for us.
        thread::spawn(move || {
            let mut text = String::new();
            let _ = pipe.read_to_string(&mut text);
            let _ = tell.send(text);
        });
        Self { _watch: watch(&child), child, stdout, stderr }
    }

    /// The next line of stdout; `None` at its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("UTF-8");
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// Reads events until one matches.
    pub(crate) fn event(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        while let Some(line) = self.line() {
            let event = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
            if fits(&event) {
                return event;
            }
        }
        let stderr = self.stderr.recv_timeout(LIMIT).unwrap_or_default();
        panic!("the output ended without the event; on stderr: {stderr}");
    }

    /// The stdin of the process, if it was started with a pipe.
    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("it is piped")
    }

    /// Waits until part of a file is safe, and part has not arrived: the middle. Returns the number of safe bytes.
    pub(crate) fn middle(&mut self) -> u64 {
        let number = |event: &Value, key: &str| event[key].as_u64().unwrap_or(0);
        let event = self.event(|event| {
            assert_ne!(event["event"], "done", "it was over before its middle");
            event["event"] == "progress" && number(event, "durable") > 0 && event["stage"] == "moving"
        });
        assert!(number(&event, "durable") < number(&event, "bytes"));
        number(&event, "durable")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        #[cfg(unix)]
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        #[cfg(not(unix))]
        unreachable!("{signal:?} of process {}", self.child.id());
    }

    /// Ends it like a crash.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Makes little of what it prints fit into its pipe before it is read.
    #[cfg(target_os = "linux")]
    pub(crate) fn narrow(&self) {
        rustix::pipe::fcntl_setpipe_size(self.stdout.get_ref(), 4096).expect("it is empty, or nearly so");
    }

    /// Waits for its end, without reading any more of what it prints.
    #[cfg(target_os = "linux")]
    pub(crate) fn finish_unread(mut self) -> Option<i32> {
        self.child.wait().expect("it has ended").code()
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Done {
        let mut stdout = String::new();
        self.stdout.read_to_string(&mut stdout).expect("UTF-8");
        let code = self.child.wait().expect("it has ended").code();
        let stderr = self.stderr.recv_timeout(LIMIT).expect("stderr has ended");
        Done { code, stdout, stderr }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether permissions can forbid anything to what this thread starts from here on. They forbid root nothing, unless
/// that privilege is given up.
#[cfg(unix)]
pub(crate) fn heed_permissions() -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CapabilitySet as Set, remove_capability_from_bounding_set as give_up};
        let all = [Set::DAC_OVERRIDE, Set::DAC_READ_SEARCH];
        if rustix::process::geteuid().is_root() {
            return all.into_iter().all(|one| give_up(one).is_ok());
        }
    }
    !rustix::process::geteuid().is_root()
}

/// Kills a process that hangs, so that its test fails instead of hanging, too.
pub(crate) fn watch(child: &Child) -> mpsc::Sender<()> {
    #[cfg(unix)]
    let pid = Pid::from_child(child);
    #[cfg(not(unix))]
    let pid = child.id();
    let (keep, ended) = mpsc::channel::<()>();
    thread::spawn(move || {
        if ended.recv_timeout(LIMIT) == Err(mpsc::RecvTimeoutError::Timeout) {
            #[cfg(unix)]
            let _ = kill_process(pid, Signal::KILL);
            #[cfg(not(unix))]
            let _ = Command::new("taskkill").args(["/f", "/pid"]).arg(pid.to_string()).status();
        }
    });
    keep
}

/// A counting relay to a server. It can be redirected to another server, and can go silent.
pub(crate) struct Relay {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    up: AtomicU64,
    down: AtomicU64,
    /// How many connections there have been.
    connections: AtomicU64,
    /// The first this many of them no longer carry anything.
    silent: AtomicU64,
    /// Both ends of each.
    streams: Mutex<Vec<TcpStream>>,
}

impl Relay {
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("ws://{}", listener.local_addr().expect("bound"));
        let (up, down, connections, silent, streams) = Default::default();
        let shared = Arc::new(Shared { server: Mutex::new(server), up, down, connections, silent, streams });
        let relay = Self { url, shared: Arc::clone(&shared) };
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let address = *shared.server.lock().expect("no panic");
                // If the server is gone, the connection ends.
                let Ok(far) = TcpStream::connect(address) else { continue };
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                let again = |stream: &TcpStream| stream.try_clone().expect("a handle");
                let (near_again, far_again) = (again(&near), again(&far));
                shared.streams.lock().expect("no panic").extend([again(&near), again(&far)]);
                let (up, down) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || up.carry(number, near, far, &up.up));
                thread::spawn(move || down.carry(number, far_again, near_again, &down.down));
            }
        });
        relay
    }

    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.shared.server.lock().expect("no panic") = server;
    }

    /// The existing connections stay, but no longer carry anything; new ones do.
    pub(crate) fn fall_silent(&self) {
        self.shared.silent.store(self.shared.connections.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// The existing connections end, without a word.
    pub(crate) fn cut(&self) {
        for stream in self.shared.streams.lock().expect("no panic").drain(..) {
            // One end may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many bytes have been sent to servers since the last call.
    pub(crate) fn up(&self) -> u64 {
        self.shared.up.swap(0, Ordering::SeqCst)
    }

    /// How many bytes have been fetched from servers since the last call.
    pub(crate) fn down(&self) -> u64 {
        self.shared.down.swap(0, Ordering::SeqCst)
    }
}

impl Shared {
    fn carry(&self, number: u64, mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
        let is_silent = || number < self.silent.load(Ordering::SeqCst);
        let mut buffer = vec![0; 16 << 10];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            if is_silent() {
                continue;
            }
            count.fetch_add(n as u64, Ordering::SeqCst);
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        if !is_silent() {
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        }
    }
}
