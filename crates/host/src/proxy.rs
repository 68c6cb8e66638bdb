//! Which proxy a dial uses, if any: a given one, or those in the environment, by the conventions of curl.

use std::net::IpAddr;

use bowline_handshake::Config;
use bowline_handshake::client::Request;
use bowline_handshake::proxy::Tunnel;
pub use bowline_handshake::proxy::{Error, Proxy, ProxyError};

use bowline_core::Instant;

use crate::dial::place;
use crate::error::DialError;

/// Which proxies to use. Default: none; the environment is read only if requested.
///
/// ```
/// use bowline_handshake::client::Request;
/// use bowline_host::proxy::Proxies;
///
/// let proxies = Proxies::from_variables(|name| match name {
///     "https_proxy" => Some("http://proxy.example:3128".to_owned()),
///     "no_proxy" => Some("intern.example".to_owned()),
///     _ => None,
/// });
/// let through = |url| proxies.choose(&Request::new(url).unwrap()).unwrap().map(ToString::to_string);
/// assert_eq!(through("wss://example.org/"), Some("http://proxy.example:3128".to_owned()));
/// assert_eq!(through("wss://files.intern.example/"), None);
/// assert_eq!(through("ws://example.org/"), None, "that is what http_proxy is for");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxies(Rule);

#[derive(Clone, Debug, Default)]
enum Rule {
    #[default]
    None,
    Always(Proxy),
    Environment {
        /// For `ws://`.
        plain: Option<Variable>,
        /// For `wss://`.
        secure: Option<Variable>,
        except: Vec<Exception>,
    },
}

/// The contents of a variable: a proxy, or what is wrong with it.
#[derive(Clone, Debug)]
struct Variable {
    name: &'static str,
    proxy: Result<Proxy, ProxyError>,
}

/// A server that is reached without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    Everybody,
    /// A host, and its subdomains.
    Domain(String, Option<u16>),
    /// The addresses that begin with this many of these bits.
    Network(IpAddr, u32),
}

impl Proxies {
    /// No proxy, whatever the environment says.
    pub fn none() -> Self {
        Self(Rule::None)
    }

    /// This proxy for all servers, even those on this machine.
    pub fn always(proxy: Proxy) -> Self {
        Self(Rule::Always(proxy))
    }

    /// The proxies in the environment of this process: `https_proxy` for `wss://`, `http_proxy` for `ws://`,
    /// `all_proxy` if that is not set, and none for hosts in `no_proxy`. Each may also be in capitals. This machine is
    /// never reached through a proxy.
    pub fn from_env() -> Self {
        // A value that is not valid text is unusable, like any other invalid one, and not treated as unset.
        Self::from_variables(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// The same for the environment that this function returns.
    pub fn from_variables(value: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            let set =
                |name: &&'static str| Some((*name, value(name).filter(|value| !value.trim().is_empty())?));
            names.iter().find_map(set)
        };
        let variable = |names: &[&'static str]| {
            first(names).map(|(name, value)| Variable { name, proxy: value.trim().parse() })
        };
        // Under a web server (CGI), a client can set HTTP_PROXY by a request header.
        let in_cgi = value("REQUEST_METHOD").is_some();
        let plain: &[_] = if in_cgi { &["http_proxy"] } else { &["http_proxy", "HTTP_PROXY"] };
        let all = || variable(&["all_proxy", "ALL_PROXY"]);
        let except = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| exceptions(&list)).unwrap_or_default();
        let plain = variable(plain).or_else(all);
        let secure = variable(&["https_proxy", "HTTPS_PROXY"]).or_else(all);
        Self(Rule::Environment { plain, secure, except })
    }

    /// The proxy for the server of this request.
    ///
    /// # Errors
    /// [`DialError::ProxyVariable`] if the environment names one that cannot be used.
    pub fn choose(&self, request: &Request) -> Result<Option<&Proxy>, DialError> {
        let (plain, secure, except) = match &self.0 {
            Rule::None => return Ok(None),
            Rule::Always(proxy) => return Ok(Some(proxy)),
            Rule::Environment { plain, secure, except } => (plain, secure, except),
        };
        let host = request.host().trim_end_matches('.').to_ascii_lowercase();
        if is_here(&host) || except.iter().any(|exception| exception.holds(&host, request.port())) {
            return Ok(None);
        }
        match if request.is_secure() { secure } else { plain } {
            None => Ok(None),
            Some(Variable { proxy: Ok(proxy), .. }) => Ok(Some(proxy)),
            Some(Variable { name, proxy: Err(source) }) => {
                Err(DialError::ProxyVariable { variable: name, source: source.clone() })
            }
        }
    }
}

/// The name of a proxy in messages.
pub fn proxy_place(proxy: &Proxy) -> String {
    format!("the proxy {proxy}")
}

/// Asks this proxy for a connection to the server of a request.
pub fn tunnel(proxy: &Proxy, request: &Request, limits: &Config, started: Instant) -> Tunnel {
    Tunnel::new(proxy, request.host(), request.port(), limits, started)
}

/// The error if this proxy does not let us through to the server of a request.
pub fn refused(proxy: &Proxy, request: &Request, source: Error) -> DialError {
    DialError::Proxy { place: place(request), proxy: proxy.to_string(), source }
}

fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>().map(|address| address.to_canonical());
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn exceptions(list: &str) -> Vec<Exception> {
    let entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    entries.map(|entry| Exception::parse(&entry.to_ascii_lowercase())).collect()
}

impl Exception {
    fn parse(entry: &str) -> Self {
        if entry == "*" {
            return Self::Everybody;
        }
        let bits = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
        let bare = entry.strip_prefix('[').and_then(|entry| entry.strip_suffix(']')).unwrap_or(entry);
        if let Ok(address) = bare.parse() {
            return Self::Network(address, bits(address));
        }
        if let Some((address, length)) = entry.split_once('/') {
            if let (Ok(address), Ok(length)) = (address.parse(), length.parse()) {
                if length <= bits(address) {
                    return Self::Network(address, length);
                }
            }
        }
        let (domain, port) = match entry.rsplit_once(':').map(|(domain, port)| (domain, port.parse())) {
            Some((domain, Ok(port))) => (domain, Some(port)),
            _ => (entry, None),
        };
        let domain = domain.strip_prefix("*.").unwrap_or(domain).trim_matches('.');
        Self::Domain(domain.to_owned(), port)
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everybody => true,
            Self::Domain(_, Some(only)) if *only != port => false,
            Self::Domain(domain, _) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Network(network, length) => {
                host.parse().is_ok_and(|address| is_in(address, *network, *length))
            }
        }
    }
}

fn is_in(address: IpAddr, network: IpAddr, length: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - length).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&str, &str)]) -> Proxies {
        Proxies::from_variables(move |name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn chosen(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.choose(&Request::new(url).unwrap()).unwrap().map(Proxy::to_string)
    }

    #[test]
    fn each_scheme_has_its_variable_and_small_letters_come_first() {
        let proxies = environment(&[
            ("http_proxy", "http://small:1"),
            ("HTTP_PROXY", "http://large:1"),
            ("HTTPS_PROXY", "socks5://secure"),
        ]);
        assert_eq!(chosen(&proxies, "ws://h/"), Some("http://small:1".into()));
        assert_eq!(chosen(&proxies, "wss://h/"), Some("socks5://secure:1080".into()));
        let proxies = environment(&[("ALL_PROXY", "http://all:1"), ("https_proxy", " ")]);
        assert_eq!(chosen(&proxies, "ws://h/"), Some("http://all:1".into()));
        assert_eq!(chosen(&proxies, "wss://h/"), Some("http://all:1".into()), "an empty variable is none");
        assert_eq!(chosen(&environment(&[]), "wss://h/"), None);
    }

    #[test]
    fn a_header_passed_on_by_a_web_server_is_not_taken_for_a_proxy() {
        let proxies = environment(&[("HTTP_PROXY", "http://evil:1"), ("REQUEST_METHOD", "GET")]);
        assert_eq!(chosen(&proxies, "ws://h/"), None);
    }

    #[test]
    fn this_machine_is_reached_without_the_proxy_of_the_environment() {
        let proxies = environment(&[("all_proxy", "http://all:1")]);
        for url in [
            "ws://localhost:1/",
            "ws://a.LOCALHOST./",
            "ws://127.3.2.1/",
            "ws://[::1]/",
            "ws://[::ffff:127.0.0.1]/",
        ] {
            assert_eq!(chosen(&proxies, url), None, "{url}");
        }
        assert!(chosen(&proxies, "ws://notlocalhost/").is_some());
        let always = Proxies::always("http://all:1".parse().unwrap());
        assert!(chosen(&always, "ws://127.0.0.1/").is_some(), "who asks for it gets it");
        assert_eq!(chosen(&Proxies::none(), "ws://h/"), None);
    }

    #[test]
    fn hosts_networks_and_ports_are_excepted() {
        let proxies = environment(&[
            ("all_proxy", "http://all:1"),
            (
                "no_proxy",
                "a.example, .b.example *.c.example,10.1.0.0/16,192.168.7.7 [fd00::1],fd01::/17,d.example:81",
            ),
        ]);
        for url in [
            "ws://a.example/",
            "ws://x.A.example/",
            "ws://b.example/",
            "ws://x.c.example/",
            "ws://10.1.255.1/",
            "ws://192.168.7.7/",
            "ws://[fd00::1]/",
            "ws://[fd01:0:7fff::1]/",
            "ws://d.example:81/",
        ] {
            assert_eq!(chosen(&proxies, url), None, "{url}");
        }
        for url in [
            "ws://xa.example/",
            "ws://example/",
            "ws://10.2.0.1/",
            "ws://192.168.7.8/",
            "ws://[fd00::2]/",
            "ws://[fd01:8000::1]/",
            "ws://d.example/",
        ] {
            assert!(chosen(&proxies, url).is_some(), "{url}");
        }
        let nobody = environment(&[("all_proxy", "http://all:1"), ("NO_PROXY", "*")]);
        assert_eq!(chosen(&nobody, "ws://h/"), None);
        let wide = environment(&[("all_proxy", "http://all:1"), ("NO_PROXY", "0.0.0.0/0")]);
        assert_eq!((chosen(&wide, "ws://8.8.8.8/"), chosen(&wide, "ws://h/").is_some()), (None, true));
    }

    #[test]
    fn an_invalid_proxy_variable_is_reported_only_where_it_matters() {
        let proxies = environment(&[("HTTPS_PROXY", "ftp://u:secret@h:1")]);
        assert_eq!(chosen(&proxies, "wss://localhost/"), None);
        let error = proxies.choose(&Request::new("wss://h/").unwrap()).unwrap_err().to_string();
        assert_eq!(
            error,
            "HTTPS_PROXY in the environment: the scheme of a proxy is `http` or `socks5`, not `ftp`"
        );
    }
}
