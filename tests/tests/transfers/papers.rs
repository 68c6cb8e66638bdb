//! What is below a WebSocket, and how a server identifies itself if that is TLS.

use std::net::SocketAddr;
use std::sync::OnceLock;

use bowline_host::client::ClientConfig;
use bowline_host::server::ServerConfig;
use bowline_host::tls::{ClientTls, ServerTls};
use rcgen::{CertificateParams, KeyPair};

/// What is below the WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Tcp,
    Tls,
}

impl Over {
    pub(crate) fn url(self, address: SocketAddr) -> String {
        match self {
            Self::Tcp => format!("ws://{address}"),
            Self::Tls => format!("wss://{address}"),
        }
    }

    /// The server's identity, if it needs one and the test names none.
    pub(crate) fn server(self, mut config: ServerConfig) -> ServerConfig {
        if self == Self::Tls && config.tls.is_none() {
            config.tls = Some(papers().server());
        }
        config
    }

    /// Whom the client trusts, if that matters and the test says nothing else.
    pub(crate) fn client(self, mut config: ClientConfig) -> ClientConfig {
        if self == Self::Tls && config.dial.tls.is_none() {
            config.dial.tls = Some(papers().client());
        }
        config
    }
}

/// Tells another process which identities the servers have.
pub(crate) const PAPERS: &str = "BOWLINE_TEST_PAPERS";

/// The identities of this process's servers, unless a test names others.
pub(crate) fn papers() -> &'static Papers {
    static PAPERS_OF_ALL: OnceLock<Papers> = OnceLock::new();
    PAPERS_OF_ALL
        .get_or_init(|| std::env::var(PAPERS).map_or_else(|_| Papers::of("127.0.0.1"), |pem| Papers { pem }))
}

/// A self-signed certificate, and its key.
pub(crate) struct Papers {
    pub(crate) pem: String,
}

impl Papers {
    /// For a server of this name.
    pub(crate) fn of(name: &str) -> Self {
        Self::new(&CertificateParams::new([name.into()]).expect("a name"))
    }

    pub(crate) fn expired(name: &str) -> Self {
        let mut params = CertificateParams::new([name.into()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        Self::new(&params)
    }

    fn new(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem() + &key.serialize_pem() }
    }

    pub(crate) fn server(&self) -> ServerTls {
        ServerTls::new(self.pem.as_bytes(), self.pem.as_bytes()).expect("usable")
    }

    pub(crate) fn client(&self) -> ClientTls {
        ClientTls::trusting(self.pem.as_bytes()).expect("usable")
    }
}
