//! A token that changes while a client lives.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use bowline_handshake::client::{Request, RequestError};

/// Longer than any token: a longer file is something else.
const MOST: u64 = 64 * 1024;

/// The token in a file: its contents without surrounding whitespace.
///
/// # Errors
/// If the file cannot be read, or does not contain text.
pub fn read_token(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST).read_to_string(&mut text)?;
    Ok(text.trim().to_owned())
}

/// Checks whether this can be sent as a token.
///
/// # Errors
/// If it is not allowed in an HTTP header.
pub fn check_token(token: &str) -> Result<(), RequestError> {
    Request::new("ws://localhost/")?.with_bearer(token).map(drop)
}

/// The request with the token that its file contains now. If there is none that can be sent, the request stays as it
/// is, and the server decides.
pub fn renewed(request: &Request, token_file: Option<&Path>) -> Request {
    let token = token_file.and_then(|path| read_token(path).ok());
    let renewed = token.and_then(|token| request.clone().with_bearer(&token).ok());
    renewed.unwrap_or_else(|| request.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_the_token_that_the_file_holds_now() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let request = Request::new("ws://h/").unwrap().with_bearer("first").unwrap();
        let shown = |request: &Request| request.headers()["authorization"].to_str().unwrap().to_owned();
        assert_eq!(shown(&renewed(&request, None)), "Bearer first");
        assert_eq!(shown(&renewed(&request, Some(&path))), "Bearer first", "there is no file");
        std::fs::write(&path, "  second\n").unwrap();
        assert_eq!(shown(&renewed(&request, Some(&path))), "Bearer second");
        std::fs::write(&path, "two\nlines\n").unwrap();
        assert_eq!(shown(&renewed(&request, Some(&path))), "Bearer first", "that is no token");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read_token(&path).is_err());
    }
}
