//! Options that several commands have.

use crate::exit::Trouble;
use crate::log::{Format, Level};
use crate::private::warn_if_exposed;
use crate::units::{parse_duration, parse_rate};
use crate::url;
use bowline_handshake::client::Request;
use bowline_host::client::read_token;
use bowline_tokio::proxy::{Proxies, ProxyError};
use bowline_tokio::tls::Fingerprint;
use clap::Args;
use http::{HeaderName, HeaderValue};
use std::path::PathBuf;
use std::time::Duration;

/// The secret that lets a client in.
#[derive(Clone, Args)]
pub(crate) struct Token {
    /// The secret that both sides know; better set BOWLINE_TOKEN, which lists of processes do not show
    #[arg(long, value_name = "T", env = "BOWLINE_TOKEN", hide_env_values = true, value_parser = parse_token)]
    pub(crate) token: Option<String>,
    /// A file with that secret; a client reads it again for each connection, and a server at SIGHUP
    #[arg(long, value_name = "FILE", env = "BOWLINE_TOKEN_FILE", conflicts_with = "token")]
    pub(crate) token_file: Option<PathBuf>,
}

impl Token {
    /// Whether there is no token.
    pub(crate) fn is_none(&self) -> bool {
        self.token.is_none() && self.token_file.is_none()
    }

    /// The token, from its file if there is one.
    pub(crate) fn read(&self, quiet: bool) -> Result<Option<String>, Trouble> {
        let Some(path) = &self.token_file else { return Ok(self.token.clone()) };
        warn_if_exposed(path, quiet);
        let option = Some("--token-file or BOWLINE_TOKEN_FILE");
        let text = read_token(path).map_err(|e| Trouble::unread(path, option, &e))?;
        parse_token(&text).map(Some).map_err(|why| Trouble::in_file(path, why))
    }
}

impl std::fmt::Debug for Token {
    /// Prints whether there is a token, never the token itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("given", &!self.is_none()).finish()
    }
}

/// The way to a server.
#[derive(Debug, Args)]
pub(crate) struct Way {
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) token: Token,
    /// Connect through this proxy: http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host if it
    /// wants them; "none" uses no proxy. The default is what HTTPS_PROXY (for wss://), HTTP_PROXY (for ws://) or
    /// ALL_PROXY names, except for this machine and for hosts in NO_PROXY
    #[arg(long, value_name = "URL", value_parser = parse_proxy)]
    pub(crate) proxy: Option<Proxies>,
    /// Connect to this Unix socket instead of the host in the URL; the rest of the URL still counts: ws://localhost/NAME
    #[arg(long, value_name = "PATH", conflicts_with = "proxy")]
    pub(crate) unix: Option<PathBuf>,
    /// Also send this header when opening a connection, as in "Cookie: a=b"; may be given more than once
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = parse_header)]
    pub(crate) headers: Vec<Header>,
}

/// A header. Its value is secret.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

impl Way {
    /// The server at this URL, written in one way only, and told apart from others of this URL at other sockets.
    pub(crate) fn server(&self, url: &str) -> String {
        let socket = self.unix.as_ref().map_or(String::new(), |path| format!(" at {}", path.display()));
        url::server(url) + &socket
    }

    /// Which proxies to go through.
    pub(crate) fn proxies(&self) -> Proxies {
        self.proxy.clone().unwrap_or_else(Proxies::from_env)
    }
}

/// Which servers to trust.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Trust a wss:// server that these certificates (PEM) certify, instead of the authorities that the system trusts
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub(crate) ca: Option<PathBuf>,
    /// Trust only the wss:// server with this very certificate (sha256:HEX)
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["ca", "insecure"])]
    pub(crate) pin: Option<Fingerprint>,
    /// Trust any wss:// server, for tests: whoever answers can read everything, including the token
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// The identity of a server.
#[derive(Debug, Args)]
pub(crate) struct Papers {
    /// Speak TLS (wss://) with these certificates (PEM), the server's own first; SIGHUP reads them and the key again
    #[arg(long = "tls-cert", value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long = "tls-key", value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Speak TLS with a certificate that is made at the first start and kept; clients trust it with --pin
    #[arg(long = "tls-self-signed", conflicts_with = "cert")]
    pub(crate) self_signed: bool,
}

impl Papers {
    /// Whether TLS is to be spoken.
    pub(crate) fn are_some(&self) -> bool {
        self.cert.is_some() || self.self_signed
    }
}

/// How long to keep trying.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// How long to keep trying without a connection that carries something [default: 20s for a server never reached, 10m
    /// after that]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) give_up_after: Option<Duration>,
}

impl Reach {
    /// How long to keep trying a server that was never reached. It is short, because a person who mistyped the name is
    /// still sitting there.
    pub(crate) fn first_contact(&self) -> Duration {
        self.give_up_after.unwrap_or(Duration::from_secs(20))
    }

    /// How long to keep trying a server that was reached before: it may be restarting, or a laptop is on the move.
    pub(crate) fn outage(&self) -> Duration {
        self.give_up_after.unwrap_or(Duration::from_secs(600))
    }

    /// How long one dial may take that could have up to `most`: no longer than the command keeps trying.
    pub(crate) fn dial(&self, most: Duration) -> Duration {
        self.give_up_after.map_or(most, |patience| patience.min(most))
    }
}

/// The heartbeat.
#[derive(Debug, Args)]
pub(crate) struct Beat {
    /// How long a connection may be silent before a ping is sent
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub(crate) heartbeat: Duration,
    /// How long a ping may stay unanswered before the connection counts as dead
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,
}

/// Options of every command that transfers something, on either side.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) beat: Beat,
    /// At most this many bytes per second, for each connection and direction: 500k, 2M, 1.5MiB; the minimum is 1KiB
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) limit_rate: Option<u64>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Records of what happens.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Record {
    /// At the end, print on stderr what happened and when, to the server and on each connection
    #[arg(long)]
    pub(crate) explain: bool,
    /// At the end, write a page for a browser that shows what happened: rates, round trips, cuts, with plots over time
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

/// How much to print.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Output {
    /// Report what happens on stdout, as one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Print only errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Log what happens to stderr; give it twice for details
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How much to log to stderr: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    pub(crate) log_level: Option<Level>,
    /// The format of the log: text, or json, one object per line
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) log_format: Option<Format>,
}

/// The value is not repeated in errors, because it may be secret.
fn parse_header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("a header is written \"NAME: VALUE\"")?;
    let name: HeaderName = name.trim().parse().map_err(|_| "this is not the name of a header")?;
    let mut value: HeaderValue =
        value.trim().parse().map_err(|_| format!("the value of {name} holds what HTTP cannot carry"))?;
    value.set_sensitive(true);
    // Whether it may be sent at all is checked as for any request.
    let request = Request::new("ws://localhost/").map_err(|e| e.to_string())?;
    request.with_header(&name, value.clone()).map_err(|e| e.to_string())?;
    Ok(Header { name, value })
}

fn parse_proxy(text: &str) -> Result<Proxies, String> {
    match text {
        "none" => Ok(Proxies::none()),
        url => url.parse().map(Proxies::always).map_err(|error: ProxyError| error.to_string()),
    }
}

pub(crate) fn parse_token(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("it is empty; leave it out, or unset BOWLINE_TOKEN, to go without".into());
    }
    // It is sent in an HTTP header.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.into())
    } else {
        Err("only printable ASCII characters without spaces may be used".into())
    }
}
