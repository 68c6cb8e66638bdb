//! What cannot be done is reported in one line, with the right exit code.

use crate::common::{Done, Process, World, bytes, nobody};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

/// The one line on stderr, without its prefix.
pub(crate) fn complaint(done: &Done, code: i32) -> &str {
    assert_eq!(done.code, Some(code), "{done:?}");
    let line = done.stderr.strip_suffix('\n').and_then(|text| text.strip_prefix("bowline: "));
    line.filter(|line| !line.contains('\n')).unwrap_or_else(|| panic!("not one line: {done:?}"))
}

#[test]
fn a_taken_name_is_refused_while_other_files_go_on() {
    let world = World::new();
    world.file("inbox/a", 500);
    world.file("a", 500);
    fs::write(world.path("a"), bytes("other", 500)).expect("writable");
    world.file("b", 800);
    let server = world.serve(&[]);

    let alone = world.run(["send", "a", &server.url]);
    assert_eq!(
        complaint(&alone, 1),
        "a: the server has another file of that name; rename yours, or serve with --overwrite"
    );
    let both = world.run(["send", "--json", "a", "b", &server.url]);
    assert_eq!(both.code, Some(1), "{both:?}");
    assert!(both.stderr.ends_with("bowline: 1 of 2 files failed: a; see above\n"), "{both:?}");
    assert!(both.stdout.contains("{\"event\":\"failed\",\"name\":\"a\""), "{both:?}");
    assert!(world.inbox("a") == bytes("inbox/a", 500) && world.inbox("b") == bytes("b", 800));
}

#[test]
fn failed_files_are_named_again_at_the_end() {
    let world = World::new();
    for n in 0..30 {
        world.file(&format!("photos/{n}"), 10);
    }
    for n in 10..22 {
        world.file(&format!("inbox/photos/{n}"), 20);
    }
    let server = world.serve(&[]);
    let sent = world.run(["send", "photos", &server.url]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    let last = sent.stderr.lines().last().expect("a line");
    let names = last.strip_prefix("bowline: 12 of 31 files and folders failed: ");
    let names = names
        .and_then(|rest| rest.strip_suffix(" and 2 more; see above"))
        .unwrap_or_else(|| panic!("{last}"));
    let names: Vec<_> = names.split(", ").collect();
    assert_eq!(names.len(), 10);
    for name in names {
        assert!(sent.stderr.contains(&format!("bowline: {name}: the server has another file")), "{sent:?}");
    }
}

#[test]
fn a_file_that_has_the_name_of_a_folder_is_named() {
    let world = World::new();
    for (name, len) in
        [("inbox/ok", 500), ("a", 100), ("photos/b", 100), ("inbox/album/c/d", 100), ("album/c", 1)]
    {
        world.file(name, len);
    }
    let server = world.serve(&["--overwrite"]);
    let why = "a file or a link stands where a folder is needed; choose another folder, or rename what stands there";
    let done = world.run(["send", "a", &server.url, "--into", "ok/deep"]);
    assert_eq!(complaint(&done, 1), format!("ok/deep/a: the other side says: {why} (ok is not a folder)"));
    let done = world.run(["send", "photos", &server.url, "--into", "ok"]);
    for name in ["ok/photos/b", "ok/photos"] {
        let line = format!("bowline: {name}: the other side says: {why} (ok is not a folder)\n");
        assert!(done.stderr.contains(&line), "{done:?}");
    }
    let fetched = world.run(["fetch", &format!("{}/album", server.url), "--overwrite"]);
    let place = Path::new("album").join("c");
    let line = format!("{}: {why} (c is not a folder)\n", place.display());
    assert!(fetched.stderr.contains(&line), "{fetched:?}");
    assert!(world.inbox("ok") == bytes("inbox/ok", 500));
}

#[test]
fn a_file_in_place_of_a_fetched_one_is_kept() {
    let world = World::new();
    world.file("inbox/a", 500);
    world.file("a", 400);
    let server = world.serve(&[]);
    let fetched = world.run(["fetch", &format!("{}/a", server.url)]);
    assert!(complaint(&fetched, 1).starts_with("a: another file stands in its place"), "{fetched:?}");
    assert!(fs::read(world.path("a")).expect("it is there") == bytes("a", 400));
}

#[test]
fn all_of_many_files_are_missing_if_the_server_is_away() {
    let (address, _kept) = nobody();
    let world = World::new();
    let names: Vec<_> = (0..100).map(|n| format!("f{n}")).collect();
    for name in &names {
        world.file(name, 10);
    }
    let url = format!("ws://{address}");
    let words = ["--give-up-after", "500ms", &url].map(str::to_owned);
    let done = world.run(["send".to_owned()].into_iter().chain(names).chain(words));
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stderr.ends_with("is back (100 of 100 files are missing)\n"), "{done:?}");
}

#[cfg(all(unix, not(target_vendor = "apple")))]
#[test]
fn overwriting_replaces_no_pipe() {
    use rustix::fs::{CWD, FileType, mknodat};
    use std::os::unix::fs::FileTypeExt as _;
    let is_pipe = |path| fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo());
    let world = World::new();
    world.file("inbox/a", 500);
    world.file("b", 500);
    for pipe in ["pipe", "inbox/b"] {
        mknodat(CWD, world.path(pipe), FileType::Fifo, 0o600.into(), 0).expect("made");
    }
    let server = world.serve(&["--overwrite"]);
    let why = "only files are ever replaced; choose another name, or move away what is there (a device, a pipe or a socket has that name)";

    let fetched = world.run(["fetch", &format!("{}/a", server.url), "-o", "pipe", "--overwrite"]);
    assert_eq!(complaint(&fetched, 1), format!("a: here: {why}"));
    let sent = world.run(["send", "b", &server.url]);
    assert_eq!(complaint(&sent, 1), format!("b: the other side says: {why}"));
    assert!(is_pipe(world.path("pipe")) && is_pipe(world.path("inbox/b")));
}

#[test]
fn secrets_are_not_repeated_where_they_are_wrong() {
    let world = World::new();
    world.file("a", 1);
    let url = "ws://127.0.0.1:9/";
    for words in [
        ["send", "a", url, "--token", "s3 cret"],
        ["send", "a", url, "--header", "Coo kie: s3cret"],
        ["send", "a", url, "--proxy", "http://ann:s3cret@h:99999"],
        ["send", "a", "ws://ann:s3cret@127.0.0.1:9/", "--token", "t"],
        ["fetch", "ws://ann:s3cret@127.0.0.1:9/a", "--quiet", "--token", "t"],
        ["watch", "ws://ann:s3cret@127.0.0.1:9/", "--quiet", "--token", "t"],
    ] {
        let done = world.run(words);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(!done.stderr.contains("cret"), "{done:?}");
    }
}

#[test]
fn a_token_is_named_once_and_the_line_wins_over_the_environment() {
    let world = World::new();
    world.file("a", 100);
    private(&world.path("right"), "right");
    let server = world.serve(&["--token", "right"]);
    let send = ["send", "a", &server.url];
    let run = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.bowline(send.iter().chain(words));
        Process::start(command.envs(variables.iter().copied())).finish()
    };
    let done = run(&["--token", "t", "--token-file", "x"], &[]);
    assert!(done.code == Some(2) && done.stderr.contains("--token-file"), "{done:?}");
    for wrong in ["wrong", "", "wr ong"] {
        let done = run(&["--token-file", "right"], &[("BOWLINE_TOKEN", wrong)]);
        assert_eq!(done.code, Some(0), "{wrong}: {done:?}");
    }
    let done = run(&["--token", "right"], &[("BOWLINE_TOKEN_FILE", "nowhere")]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let done = run(&[], &[("BOWLINE_TOKEN", "right"), ("BOWLINE_TOKEN_FILE", "right")]);
    for wrong in ["", "wr ong"] {
        let done = run(&[], &[("BOWLINE_TOKEN", wrong)]);
        assert!(complaint(&done, 2).starts_with("BOWLINE_TOKEN in the environment: "), "{done:?}");
        let done = run(&["--token", wrong], &[("BOWLINE_TOKEN", "right")]);
        assert!(done.code == Some(2) && done.stderr.contains("--token <T>"), "{done:?}");
    }
    let both = "the environment has both BOWLINE_TOKEN and BOWLINE_TOKEN_FILE, of which only one can count; unset one";
    assert_eq!(complaint(&done, 2), both);
}

/// A file that nobody else may read.
fn private(path: &Path, text: &str) {
    fs::write(path, text).expect("writable");
    #[cfg(unix)]
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn a_missing_file_does_not_hold_up_the_others() {
    let world = World::new();
    world.file("b", 800);
    let server = world.serve(&[]);
    let sent = world.run(["send", "nothing", "b", &server.url]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    assert!(sent.stderr.contains("bowline: nothing: not found"), "{sent:?}");
    assert!(world.inbox("b") == bytes("b", 800));
}

#[test]
fn a_file_that_the_server_does_not_have_is_not_fetched() {
    let world = World::new();
    let server = world.serve(&[]);
    let fetched = world.run(["fetch", &format!("{}/nothing", server.url)]);
    assert_eq!(complaint(&fetched, 1), "nothing: the server has no such file");
    assert!(!world.path("nothing").exists());
}

#[test]
fn a_wrong_token_is_refused_without_another_try() {
    let world = World::new();
    let server = world.serve(&["--token", "right"]);
    world.file("a", 100);
    let send = ["send", "a", &server.url];
    // One line: there was no second dial.
    for token in [None, Some("wrong")] {
        let mut command = world.bowline(send);
        token.map(|token| command.env("BOWLINE_TOKEN", token));
        let done = Process::start(&mut command).finish();
        assert!(complaint(&done, 1).contains("401"), "{done:?}");
    }
    let right = Process::start(world.bowline(send).env("BOWLINE_TOKEN", "right")).finish();
    assert_eq!(right.code, Some(0), "{right:?}");
}

#[test]
fn a_web_server_is_distinguished_from_a_server_of_files() {
    let world = World::new();
    world.file("a", 100);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        let read = stream.read(&mut request).expect("a request");
        assert!(request[..read].starts_with(b"GET "));
        let answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhi\x1b[2";
        stream.write_all(answer.as_bytes()).expect("it listens");
    });
    let done = world.run(["send", "a", &url]);
    let line = complaint(&done, 1);
    assert!(line.contains("200 OK") && line.ends_with("; check the URL"), "{line}");
    // Nothing that a server says reaches the terminal unchanged.
    assert!(!line.contains('\x1b'), "{line:?}");
    server.join().expect("no panic");
}

#[test]
fn a_server_that_is_not_running_is_given_up() {
    let world = World::new();
    world.file("a", 100);
    let (free, _kept) = nobody();
    let url = format!("ws://{free}");
    let done = world.run(["send", "--quiet", "--give-up-after", "5s", "a", &url]);
    let line = complaint(&done, 3);
    assert!(line.contains("nothing is listening") && line.contains("the same command resumes"), "{line}");
    let done = world.run(["fetch", "--json", "--give-up-after", "5s", &format!("{url}/a")]);
    assert_eq!(done.code, Some(3), "{done:?}");
    let last = done.stdout.lines().last().expect("a line");
    assert!(
        last.starts_with("{\"event\":\"failed\",\"name\":\"a\",\"error\":") && last.ends_with("\"exit\":3}"),
        "{last}"
    );
}

#[test]
fn what_cannot_resume_is_not_promised_to() {
    let world = World::new();
    let (free, _kept) = nobody();
    let url = format!("ws://{free}");
    for args in [&["list", &url][..], &["send", "-", &url, "--name", "piped"]] {
        let done = world.run(args.iter().chain(&["--quiet", "--give-up-after", "1s"]));
        let line = complaint(&done, 3);
        assert!(line.ends_with(&format!("; run the same command again when {url}/ is back")), "{line}");
    }
}

#[test]
fn files_are_sent_even_without_a_place_for_the_secret() {
    let world = World::new();
    world.file("a", 100);
    let server = world.serve(&[]);
    let mut command = world.bowline(["send", "a", &server.url]);
    let sent = Process::start(command.env("BOWLINE_STATE_DIR", world.path("a"))).finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(sent.stderr.starts_with("no later command can resume this: "), "{sent:?}");
}

#[test]
fn a_port_that_is_taken_cannot_be_listened_on() {
    let world = World::new();
    let server = world.serve(&[]);
    let taken = server.address().to_string();
    for (words, remedy) in [
        (&["--listen", &taken][..], "choose another --listen"),
        (&["--listen", "127.0.0.1:0", "--metrics", &taken], "choose another --metrics"),
    ] {
        let done = world.run(["serve", "--dir", "new"].iter().chain(words));
        assert!(complaint(&done, 1).ends_with(remedy), "{done:?}");
        assert!(!world.path("new").exists(), "who does not serve makes no folder");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_made_is_not_said_to_be_missing() {
    let world = World::new();
    world.file("inbox/photos/a.jpg", 10);
    let server = world.serve(&[]);
    // Nobody can create folders there, not even root.
    let done = world.run(["fetch", &format!("{}/photos", server.url), "-o", "/sys/photos"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let line = done.stderr.lines().next().expect("a line");
    // Some systems report this before anything is tried.
    let is_said =
        ["bowline: photos: /sys/photos cannot be made: ", "bowline: /sys: nothing can be put there: "];
    assert!(is_said.iter().any(|words| line.starts_with(words)), "{line}");
    assert!(line.ends_with("; choose another place with -o"), "{line}");
}

#[test]
fn whatever_is_left_out_of_a_folder_is_reported() {
    let world = World::new();
    world.file("photos/.bowline", 10);
    world.file("album/.bowline/a.jpg", 10);
    world.file("album/b/.bowline", 10);
    let server = world.serve(&[]);
    let sent = world.run(["send", "photos", &server.url]);
    assert_eq!(sent.code, Some(1), "{sent:?}");
    let in_folder = |folder: &str| Path::new(folder).join(".bowline").display().to_string();
    let line =
        format!("bowline: {}: the name is reserved for files under way; rename it\n", in_folder("photos"));
    assert!(sent.stderr.starts_with(&line), "{sent:?}");
    let sent = world.run(["send", "album", &server.url]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let line = format!("left out: {}: files under way\n", in_folder("album"));
    assert!(sent.stderr.starts_with(&line), "{sent:?}");
    assert!(world.inbox("album/b/.bowline") == bytes("album/b/.bowline", 10), "it is in no way of anybody");
}
