//! A certificate that nobody has signed but its owner, for trying out TLS and for those who name it to their clients.

use crate::args::Papers;
use crate::exit::Trouble;
use crate::{private, state};
use rcgen::{CertificateParams, DnType, KeyPair};

/// Names the files of the certificate, which is made at the first time, and is the same ever after. Who only checks makes
/// none, and is told of no files where there are none.
pub(crate) fn papers(check: bool) -> Result<Papers, Trouble> {
    let folder = state::folder()
        .ok_or_else(|| Trouble::failed("there is no place for a certificate; set BOWLINE_STATE_DIR"))?;
    let (certificate, key) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    if !certificate.exists() || !key.exists() {
        if check {
            return Ok(Papers { cert: None, key: None, self_signed: true });
        }
        let failed =
            |e: String| Trouble::failed(format!("{}: no certificate can be made: {e}", folder.display()));
        let (pem, secret) = make().map_err(|e| failed(e.to_string()))?;
        let written = state::make_private(&folder)
            .and_then(|()| private::write_durably(&key, &secret))
            .and_then(|()| private::write_durably(&certificate, &pem));
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
