//! What the command needs to know about a URL; parsing it properly is up to the handshake.

use crate::exit::Trouble;
use bowline_core::transfer::{NameError, SafeName};

/// The server that a URL names, in normalised form and without user and password: it may be shown, and is part of an
/// id.
pub(crate) fn server(url: &str) -> String {
    let (scheme, authority, target) = parts(url);
    let scheme = scheme.to_ascii_lowercase();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_ascii_lowercase();
    let host = host.strip_suffix(':').unwrap_or(&host);
    let default = if scheme == "wss" { ":443" } else { ":80" };
    let host = host.strip_suffix(default).filter(|host| !host.is_empty()).unwrap_or(host);
    let slash = if target.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{target}")
}

/// Checks that this is a URL at all; if not, the error says what to write instead.
pub(crate) fn check(url: &str) -> Result<(), Trouble> {
    if url.contains("://") {
        return Ok(());
    }
    // What may be a user's secret is not shown.
    let shown = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    Err(Trouble::usage(match mended(shown) {
        Some(mended) => format!("{shown} is not a URL; write {mended}"),
        None => format!("{shown} is not a URL; write ws://{shown}, or wss:// if it speaks TLS"),
    }))
}

/// The URL that somebody probably meant whose scheme lacks a colon or a slash.
pub(crate) fn mended(url: &str) -> Option<String> {
    let after = |word: &str| {
        let (scheme, rest) = url.split_at_checked(word.len())?;
        if !scheme.eq_ignore_ascii_case(word) {
            return None;
        }
        let host = rest.trim_start_matches([':', '/']);
        // A host of that name may be followed by a colon and a port.
        let is_port = host.bytes().all(|byte| byte.is_ascii_digit());
        Some(host).filter(|host| host.len() < rest.len() && !is_port)
    };
    let schemes = [("wss", "wss"), ("ws", "ws"), ("https", "wss"), ("http", "ws")];
    schemes.into_iter().find_map(|(word, scheme)| Some(format!("{scheme}://{}", after(word)?)))
}

/// Whether the connection to its server is without TLS.
pub(crate) fn is_plain(url: &str) -> bool {
    parts(url).0.eq_ignore_ascii_case("ws")
}

/// A URL for people who may not see all of it: what follows a question mark is often a secret.
pub(crate) fn without_query(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(shown, _)| format!("{shown}?..."))
}

/// What may be shown of a URL that may be wrong. A password with a character that is not percent-encoded can end
/// anywhere.
pub(crate) fn shown(url: &str) -> String {
    let (scheme, _, target) = parts(url);
    match scheme {
        _ if !scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => "...".into(),
        _ if target.contains('@') => format!("{scheme}://..."),
        _ => without_query(&server(url)),
    }
}

/// What to say about a path after the URL of a server to which files are sent; `None` if there is no path.
pub(crate) fn route(url: &str) -> Option<String> {
    let (_, _, target) = parts(url);
    let path = target.split('?').next().unwrap_or_default().trim_matches('/');
    if path.is_empty() {
        return None;
    }
    // What may be part of a password is not shown, and what a shell would interpret is not suggested.
    let name = name_in(url).ok().map(|(_, name)| name).filter(|name| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        name.as_str().bytes().all(is_plain) && !name.as_str().starts_with('-')
    });
    let folder = name.as_ref().map_or("FOLDER", SafeName::as_str);
    Some(format!(
        "the path in the URL leads to the server, and is not a folder for the files; use --into {folder} for that"
    ))
}

/// A name as people write it: many put a slash at the end of a folder.
pub(crate) fn name(text: &str) -> Result<SafeName, NameError> {
    SafeName::parse(text.strip_suffix('/').unwrap_or(text))
}

/// Splits `URL/NAME` into the server and the name, whose percent-encoding is decoded.
pub(crate) fn name_in(url: &str) -> Result<(String, SafeName), String> {
    let (server, name) = place_in(url)?;
    let name = name.ok_or(
        "the URL ends before a name; write ws://HOST:PORT/NAME, of a file or a folder; bowline list shows what there is",
    )?;
    Ok((server, name))
}

/// The same where the name may be missing.
pub(crate) fn place_in(url: &str) -> Result<(String, Option<SafeName>), String> {
    let (scheme, authority, target) = parts(url);
    let encoded = target.strip_prefix('/').unwrap_or(target);
    // Many people put a slash at the end of a folder.
    let encoded = encoded.strip_suffix('/').unwrap_or(encoded);
    let server = format!("{scheme}://{authority}/");
    if encoded.is_empty() {
        return Ok((server, None));
    }
    let name = decode(encoded).and_then(|bytes| String::from_utf8(bytes).ok());
    let name = name.ok_or("the name in the URL is not percent-encoded UTF-8; a plain % is written %25")?;
    let name = SafeName::parse(&name).map_err(|e| format!("the URL names no file: {e}"))?;
    Ok((server, Some(name)))
}

fn parts(url: &str) -> (&str, &str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    (scheme, authority, target)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                (high * 16 + low) as u8
            }
            plain => plain,
        });
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_server_is_written_in_one_way() {
        for url in ["ws://host", "WS://Host/", "ws://host:80", "ws://host:/", "ws://user:secret@host:80/"] {
            assert_eq!(server(url), "ws://host/", "{url}");
        }
        assert_eq!(server("wss://h:443/Up?x=1"), "wss://h/Up?x=1");
        assert_eq!(server("ws://[::1]:9000"), "ws://[::1]:9000/");
        assert_eq!(server("ws://h:8080/"), "ws://h:8080/");
    }

    #[test]
    fn an_incomplete_scheme_is_mended_and_a_host_is_not_taken_for_one() {
        for slip in ["ws:/h:1/a", "WS:h:1/a", "ws//h:1/a", "ws:///h:1/a", "http:/h:1/a"] {
            assert_eq!(mended(slip).as_deref(), Some("ws://h:1/a"), "{slip}");
        }
        assert_eq!(mended("wss:/h").as_deref(), Some("wss://h"));
        assert_eq!(mended("https:h").as_deref(), Some("wss://h"));
        for host in ["ws:9000", "wss", "wshost:1", "ws.example.org/a", "h:1", "", "w", "文件"] {
            assert_eq!(mended(host), None, "{host}");
        }
    }

    #[test]
    fn a_wrong_url_is_shown_without_its_secrets() {
        assert_eq!(shown("ws://ann:s3cret@h:x/a"), "ws://h:x/a");
        assert_eq!(shown("ws://h:x/a?token=s3cret"), "ws://h:x/a?...");
        // It is unclear what that is: a password with a special character, or a query.
        for url in ["ws://ann%40b:s3cret/1@h:x/a", "ws://ann:s3cret?@h:x/a", "ws://h:x/a?token=s3@cret"] {
            assert_eq!(shown(url), "ws://...");
        }
        assert_eq!(shown("ann:s3cret://@h:x/a"), "...");
    }

    #[test]
    fn the_query_of_a_url_is_not_shown() {
        assert_eq!(without_query("ws://h/up?token=s3cret"), "ws://h/up?...");
        assert_eq!(without_query("ws://h/up"), "ws://h/up");
    }

    #[test]
    fn a_path_after_a_server_is_explained_not_to_be_a_folder() {
        for url in ["ws://h", "ws://h:1/", "ws://h//", "ws://h?a/b", "ws://h/?a/b"] {
            assert_eq!(route(url), None, "{url}");
        }
        let folder = |url: &str| route(url).and_then(|text| Some(text.split_once("--into ")?.1.to_owned()));
        assert_eq!(folder("ws://h/a/b/").as_deref(), Some("a/b for that"));
        for url in
            ["ws://h/a b", "ws://h/a@b/c", "ws://h/-a", "ws://h/a?token=secret", "ws://h/../a", "ws://h/$a"]
        {
            assert_eq!(folder(url).as_deref(), Some("FOLDER for that"), "{url}");
        }
    }

    #[test]
    fn a_name_is_everything_after_the_server() {
        let split = |url| name_in(url).map(|(server, name)| (server, name.as_str().to_owned()));
        assert_eq!(split("ws://h:1/a"), Ok(("ws://h:1/".into(), "a".into())));
        assert_eq!(split("ws://u:p@h/d/e%20f.txt"), Ok(("ws://u:p@h/".into(), "d/e f.txt".into())));
        assert_eq!(split("ws://h/%E6%96%87件"), Ok(("ws://h/".into(), "文件".into())));
        assert_eq!(split("ws://h/a/b/"), Ok(("ws://h/".into(), "a/b".into())));
        assert_eq!(split("ws://h/50%25"), Ok(("ws://h/".into(), "50%".into())));
    }

    #[test]
    fn a_url_may_have_no_name_if_none_is_needed() {
        for url in ["ws://h:1", "ws://h:1/"] {
            assert_eq!(place_in(url), Ok(("ws://h:1/".into(), None)), "{url}");
        }
        // It would be lost.
        assert!(place_in("ws://h?token=x").is_err() && place_in("ws://h/?token=x").is_err());
    }

    #[test]
    fn a_url_without_a_usable_name_is_refused() {
        for url in [
            "ws://h",
            "ws://h/",
            "ws://h?x",
            "ws://h/a%2",
            "ws://h/a%zz",
            "ws://h/%ff",
            "ws://h/../x",
            "ws://h//",
            "ws://h/a//",
        ] {
            assert!(name_in(url).is_err(), "{url}");
        }
        assert!(name_in("ws://h/%2e%2e/x").unwrap_err().contains("'..'"));
    }
}
