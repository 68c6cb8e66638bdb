//! TLS according to the command line: whom to trust, and how to identify ourselves.

use crate::args::{Papers, Trust};
use crate::exit::Trouble;
use crate::private::warn_if_exposed;
use crate::report::print_line;
use crate::url;
use bowline_tokio::tls::{ClientTls, Fingerprint, ServerTls, TlsError};
use std::fs;
use std::path::Path;

/// Whom a client of the server at this `wss://` URL trusts; `None` means those whom the system trusts.
pub(crate) fn client(trust: &Trust, url: &str) -> Result<Option<ClientTls>, Trouble> {
    if trust.pin.is_some() && url::is_plain(url) {
        // A user who pins the server does not want an unencrypted connection to just anybody. `--ca` is different: it
        // may be in the settings for all servers.
        let url = url::shown(url);
        return Err(Trouble::usage(format!(
            "--pin says whom to trust behind wss://, but {url} is not encrypted; write wss://, or leave out --pin"
        )));
    }
    if trust.insecure {
        print_line(
            "WARNING: --insecure trusts anybody: whoever answers can read and change everything, including the token",
        );
        return Ok(Some(ClientTls::trusting_anybody()));
    }
    if let Some(fingerprint) = trust.pin {
        return Ok(Some(ClientTls::pinned(fingerprint)));
    }
    let Some(path) = &trust.ca else { return Ok(None) };
    let tls = ClientTls::trusting(&read(path, Some("--ca"))?);
    tls.map(Some).map_err(|error| unusable(path, &error))
}

/// How a server identifies itself; `None` without TLS.
pub(crate) fn server(papers: &Papers, quiet: bool) -> Result<Option<ServerTls>, Trouble> {
    let (Some(certificate), Some(key)) = (&papers.cert, &papers.key) else { return Ok(None) };
    warn_if_exposed(key, quiet);
    let (chain, secret) = pair(papers, certificate, key)?;
    let tls = ServerTls::new(&chain, &secret);
    tls.map(Some).map_err(|error| blame(certificate, key, &error))
}

/// The fingerprint that a client has to pin.
pub(crate) fn fingerprint(papers: &Papers) -> Result<Option<Fingerprint>, Trouble> {
    let Some(certificate) = papers.cert.as_deref().filter(|_| papers.self_signed) else {
        return Ok(None);
    };
    let fingerprint = Fingerprint::of(&read(certificate, None)?);
    fingerprint.map(Some).map_err(|error| unusable(certificate, &error))
}

/// Reads the files again. If they cannot be used, nothing changes.
pub(crate) fn renew(tls: &ServerTls, papers: &Papers) -> Result<(), Trouble> {
    let (Some(certificate), Some(key)) = (&papers.cert, &papers.key) else { return Ok(()) };
    let (chain, secret) = pair(papers, certificate, key)?;
    tls.replace(&chain, &secret).map_err(|error| blame(certificate, key, &error))
}

fn blame(certificate: &Path, key: &Path, error: &TlsError) -> Trouble {
    unusable(if let TlsError::NoKey = error { key } else { certificate }, error)
}

fn unusable(path: &Path, error: &TlsError) -> Trouble {
    Trouble::failed(format!("{}: {error}", path.display()))
}

/// Reads a certificate and its key. Errors name no option for those that this program has made.
fn pair(papers: &Papers, certificate: &Path, key: &Path) -> Result<(Vec<u8>, Vec<u8>), Trouble> {
    let named = |option| (!papers.self_signed).then_some(option);
    Ok((read(certificate, named("--tls-cert"))?, read(key, named("--tls-key"))?))
}

fn read(path: &Path, option: Option<&str>) -> Result<Vec<u8>, Trouble> {
    fs::read(path).map_err(|e| Trouble::unread(path, option, &e))
}
