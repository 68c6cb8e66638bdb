//! A self-signed certificate, for trying out TLS, and for clients that pin it.
//!
//! The key is made first, and the certificate is made from the key that exists. Neither file is ever replaced. So after
//! an interruption in between the two still belong together, and a second process that starts at the same time waits
//! for its turn.

use crate::args::Papers;
use crate::exit::Trouble;
use crate::writable::may_make;
use crate::{private, state};
use rcgen::{CertificateParams, DnType, KeyPair};
use std::path::Path;
use std::{fs, io};

/// Names the files of the certificate, which is made the first time and then kept. With `check`, none is made, and
/// files are named only if they exist.
pub(crate) fn papers(check: bool) -> Result<Papers, Trouble> {
    let folder = state::folder()
        .ok_or_else(|| Trouble::failed("there is no place for a certificate; set BOWLINE_STATE_DIR"))?;
    papers_in(&folder, check)
}

fn papers_in(folder: &Path, check: bool) -> Result<Papers, Trouble> {
    let (certificate, key) = (folder.join("self-signed.pem"), folder.join("self-signed.key"));
    if !certificate.exists() || !key.exists() {
        let failed = |error: Error| {
            Trouble::failed(format!("{}: no certificate can be made: {error}", folder.display()))
        };
        if check {
            may_make(folder).map_err(|error| failed(error.into()))?;
            return Ok(Papers { cert: None, key: None, self_signed: true });
        }
        make(folder, &certificate, &key).map_err(failed)?;
    }
    Ok(Papers { cert: Some(certificate), key: Some(key), self_signed: true })
}

type Error = Box<dyn std::error::Error>;

/// Makes a key, and a certificate from it for this machine.
fn make(folder: &Path, certificate: &Path, key: &Path) -> Result<(), Error> {
    state::make_private(folder)?;
    #[cfg(unix)]
    let _turn = bowline_host::unix::turn(folder)
        .map_err(|error| format!("{error}; end that process, or set BOWLINE_STATE_DIR to another folder"))?;
    if !key.exists() {
        if certificate.exists() {
            // Nobody has its key.
            fs::remove_file(certificate)?;
        }
        write_new(key, &KeyPair::generate()?.serialize_pem())?;
    }
    let key = KeyPair::from_pem(&fs::read_to_string(key)?)?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "bowline");
    write_new(certificate, &params.self_signed(&key)?.pem())?;
    Ok(())
}

/// Writes a file, unless somebody else was faster: theirs is just as good.
fn write_new(path: &Path, text: &str) -> io::Result<()> {
    match private::write_new_durably(path, text) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_tokio::tls::ServerTls;
    use std::sync::Barrier;
    use std::thread;

    /// What a server finds that starts there.
    fn start(folder: &Path) -> (Vec<u8>, Vec<u8>) {
        // On an overloaded machine, another one may hold the lock for long.
        let mut tries = (0..20).map(|_| papers_in(folder, false));
        let papers = tries.find_map(Result::ok).expect("there is room");
        let read = |path: Option<_>| fs::read::<std::path::PathBuf>(path.expect("named")).expect("made");
        (read(papers.cert), read(papers.key))
    }

    fn belong_together((certificate, key): &(Vec<u8>, Vec<u8>)) -> bool {
        ServerTls::new(certificate, key).is_ok()
    }

    #[test]
    fn servers_that_start_at_once_have_one_certificate_and_its_key() {
        for _ in 0..20 {
            start_at_once(tempfile::tempdir().expect("a folder").path());
        }
    }

    #[test]
    #[cfg_attr(windows, ignore = "nobody waits for his turn there")]
    fn servers_that_find_half_of_a_pair_at_once_agree_on_the_other_half() {
        for lost in ["self-signed.key", "self-signed.pem"] {
            for _ in 0..20 {
                let dir = tempfile::tempdir().expect("a folder");
                start(dir.path());
                fs::remove_file(dir.path().join(lost)).expect("it was there");
                start_at_once(dir.path());
            }
        }
    }

    fn start_at_once(folder: &Path) {
        const SERVERS: usize = 4;
        let barrier = Barrier::new(SERVERS);
        let found = thread::scope(|scope| {
            let starts = [(); SERVERS].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    start(folder)
                })
            });
            starts.map(|start| start.join().expect("no panic"))
        });
        assert!(found.iter().all(|papers| *papers == found[0] && belong_together(papers)));
    }

    #[test]
    fn half_of_a_pair_gets_another_half() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = start(dir.path());
        fs::remove_file(dir.path().join("self-signed.pem")).expect("it was there");
        let second = start(dir.path());
        assert!(
            second.1 == first.1 && second.0 != first.0 && belong_together(&second),
            "another certificate"
        );
        fs::remove_file(dir.path().join("self-signed.key")).expect("it was there");
        let third = start(dir.path());
        assert!(third.0 != second.0 && third.1 != second.1 && belong_together(&third), "all is new");
        assert!(!belong_together(&(second.0, third.1)));
    }
}
