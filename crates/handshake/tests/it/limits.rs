//! Nothing is read without limit.

use bowline_handshake::client::Error;
use bowline_handshake::{Config, client, server};

use crate::common::{NONCE, NOW, REQUEST, UPGRADE, finish, request};

fn config(head_bytes: usize, headers: usize) -> Config {
    let mut config = Config::default();
    (config.head_bytes, config.headers) = (head_bytes, headers);
    config
}

/// The answer of a server with these limits: the first line, and the error.
fn served(config: Config, input: &str) -> (String, Option<server::Error>) {
    let mut server = server::Handshake::new(config, NOW);
    server.handle_input(NOW, input.as_bytes());
    if server.request().is_some() {
        return (String::new(), None);
    }
    let (error, answer) = finish(&mut server);
    (answer.lines().next().unwrap().to_owned(), Some(error))
}

/// What a client with these limits reports.
fn asked(config: Config, input: &str) -> Option<Error> {
    let mut client = client::Handshake::new(&request(), NONCE, config, NOW);
    client.handle_written(NOW, client.output().len());
    client.handle_input(NOW, input.as_bytes());
    client.poll_result().unwrap().err()
}

const TOO_LARGE: &str = "HTTP/1.1 431 Request Header Fields Too Large";

#[test]
fn a_request_of_exactly_the_limit_passes() {
    let input = format!("{REQUEST}\r\n");
    assert_eq!(served(config(input.len(), 100), &input).1, None);
    let limit = input.len() - 1;
    assert_eq!(
        served(config(limit, 100), &input),
        (TOO_LARGE.to_owned(), Some(server::Error::TooLarge { limit }))
    );
}

#[test]
fn an_answer_of_exactly_the_limit_passes() {
    let input = format!("{UPGRADE}\r\n");
    assert_eq!(asked(config(input.len(), 100), &format!("{input}frames")), None);
    let limit = input.len() - 1;
    assert_eq!(asked(config(limit, 100), &input), Some(Error::TooLarge { limit }));
}

#[test]
fn headers_up_to_the_limit_pass() {
    let input = format!("{REQUEST}\r\n");
    let count = input.lines().count() - 2;
    assert_eq!(served(config(9999, count), &input).1, None);
    let limit = count - 1;
    assert_eq!(
        served(config(9999, limit), &input),
        (TOO_LARGE.to_owned(), Some(server::Error::TooManyHeaders { limit }))
    );
    let input = format!("{UPGRADE}\r\n");
    assert_eq!(asked(config(9999, 3), &input), None);
    assert_eq!(asked(config(9999, 2), &input), Some(Error::TooManyHeaders { limit: 2 }));
}

#[test]
fn the_parser_accepts_124_headers_and_no_more() {
    let input = |added: usize| format!("{UPGRADE}{}\r\n", "X: y\r\n".repeat(added));
    assert_eq!(asked(config(9999, 1000), &input(121)), None);
    assert_eq!(asked(config(9999, 1000), &input(122)), Some(Error::TooManyHeaders { limit: 124 }));
}

#[test]
fn an_endless_head_is_refused_as_soon_as_the_limit_is_reached() {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, b"GET /");
    for sent in 5..16 * 1024 {
        assert!(server.output().is_empty(), "{sent}");
        server.handle_input(NOW, b"x");
    }
    assert!(server.output().starts_with(TOO_LARGE.as_bytes()));
}

#[test]
fn endless_empty_lines_are_refused() {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, &b"\r\n".repeat(8 * 1024));
    assert!(server.output().starts_with(TOO_LARGE.as_bytes()));
}

#[test]
fn endless_interim_answers_are_refused() {
    let early = "HTTP/1.1 103 X\r\n\r\n".repeat(1000);
    assert_eq!(asked(Config::default(), &early), Some(Error::TooLarge { limit: 16 * 1024 }));
}

#[test]
fn a_large_head_in_single_bytes_is_read_in_linear_time() {
    // Parsing again at each byte would look at half a million million bytes here, which no test waits for.
    let input = format!("{REQUEST}X: {}\r\n\r\n", "x".repeat(1 << 20));
    let mut server = server::Handshake::new(config(2 << 20, 100), NOW);
    for byte in input.bytes() {
        server.handle_input(NOW, &[byte]);
    }
    assert!(server.request().is_some());
}
