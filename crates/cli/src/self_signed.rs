//! A certificate that nobody has signed but its owner, for trying out TLS and for those who name it to their clients.

use crate::args::Papers;
use crate::exit::Trouble;
use crate::state;
use rcgen::{CertificateParams, DnType, KeyPair};
use std::io::{self, Write as _};
use std::path::Path;
use tempfile::NamedTempFile;

/// Names the files of the certificate, which is made at the first time, and is the same ever after.
pub(crate) fn papers() -> Result<Papers, Trouble> {
    let folder = state::folder()
        .ok_or_else(|| Trouble::failed("there is no place for a certificate; set BOWLINE_STATE_DIR"))?;
    let (certificate, key) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    if !certificate.exists() || !key.exists() {
        let failed =
            |e: String| Trouble::failed(format!("{}: no certificate can be made: {e}", folder.display()));
        let (pem, secret) = make().map_err(|e| failed(e.to_string()))?;
        let written = state::make_private(&folder)
            .and_then(|()| write_private(&key, &secret))
            .and_then(|()| write_private(&certificate, &pem));
        written.map_err(|e| failed(e.to_string()))?;
    }
    Ok(Papers { cert: Some(certificate), key: Some(key), self_signed: true })
}

/// A certificate for this machine, and its key.
fn make() -> Result<(String, String), rcgen::Error> {
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "bowline");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Whole or not at all, and nobody else can read it, from the first moment on.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
