//! Frames from a link that the client has given up, which arrive after another link has taken over the session.

use super::*;

/// A session on which the server has received a little, and the two links that its client dialled after that: what it
/// asked on the first of them is still under way.
fn moved(server: &mut Server) -> (Known, LinkId, LinkId) {
    let (first, known) = server.resume(Known::new(1), 0);
    server.say(first, 1, "a");
    assert_eq!(server.taken(), "a");
    server.sessions.handle_link_down(server.now, first, false);
    let old = server.link(b"me");
    let (new, _) = server.resume(known, 0);
    while server.sessions.poll_event().is_some() {}
    (known, old, new)
}

#[test]
fn a_belated_resume_does_not_take_the_session_from_a_newer_link() {
    let mut server = Server::new(sessions_config(small()));
    let (known, old, new) = moved(&mut server);
    server.ask(old, known, 0);
    assert_eq!(server.said(old), "new session(Epoch)");
    assert_eq!(server.sessions.link(known.session), Some(new));
    assert_eq!((server.sessions.poll_end(new), server.sessions.poll_event()), (None, None));
    server.say(new, 2, "b");
    assert_eq!(server.taken(), "b");
}

#[test]
fn a_belated_request_for_a_new_session_does_not_take_it_over() {
    let mut server = Server::new(sessions_config(small()));
    let old = server.link(b"me");
    let (new, known) = server.resume(Known::new(1), 0);
    server.ask(old, Known::new(1), 0);
    assert_eq!(server.said(old), "new session(Epoch)");
    assert_eq!((server.sessions.link(known.session), server.sessions.len()), (Some(new), 1));
}

#[test]
fn a_belated_resume_does_not_take_a_session_without_a_link() {
    let mut server = Server::new(sessions_config(small()));
    let (known, old, new) = moved(&mut server);
    server.sessions.handle_link_down(server.now, new, false);
    server.ask(old, known, 0);
    assert_eq!(server.said(old), "new session(Epoch)");
    assert_eq!(server.sessions.link(known.session), None);
    server.resume(known, 0);
}

#[test]
fn a_belated_resume_that_knows_less_does_not_end_the_session() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    assert_eq!(server.said(link), "1:x");
    // The client receives the message after it has asked on the first of two links, and before it asks on the second.
    let old = server.link(b"me");
    let (new, _) = server.resume(known, 1);
    server.ask(old, known, 0);
    assert_eq!(server.said(old), "new session(Epoch)");
    assert_eq!((server.sessions.link(known.session), server.lost()), (Some(new), None));
}
