//! Command lines.

use super::*;
use clap::CommandFactory as _;
use clap::error::ErrorKind;

fn parse(line: &str) -> Result<Command, clap::Error> {
    let words = line.split_whitespace().map(Into::into).collect();
    Cli::try_parse_from(options_first(words)).map(|cli| cli.command)
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_last_word_of_a_send_is_the_url() {
    for line in [
        "bowline send a b.txt ws://h:1 --give-up-after 1s -v",
        "bowline send -v a --give-up-after 1s b.txt ws://h:1",
        "bowline send a b.txt --give-up-after=1s -v ws://h:1",
        "bowline send a b.txt -v --config c --give-up-after=1s ws://h:1",
    ] {
        let Ok(Command::Send(send)) = parse(line) else { panic!("{line} is a send") };
        assert_eq!(send.files, [PathBuf::from("a"), PathBuf::from("b.txt")]);
        assert_eq!(send.url, "ws://h:1");
        assert_eq!(send.reach.give_up_after, Some(Duration::from_secs(1)));
        assert_eq!(send.common.output.verbose, 1);
    }
}

#[test]
fn a_send_needs_a_file() {
    let error = parse("bowline send ws://h:1").expect_err("there is no file");
    assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument);
}

#[test]
fn a_server_needs_no_options() {
    let Ok(Command::Serve(serve)) = parse("bowline serve") else { panic!("it is a serve") };
    assert_eq!(serve.listen, "127.0.0.1:9000");
    assert_eq!(serve.dir, PathBuf::from("./inbox"));
    assert_eq!(serve.common.beat.heartbeat, Duration::from_secs(20));
    assert_eq!(serve.common.limit_rate, None);
}

#[test]
fn a_demo_has_a_size() {
    let Ok(Command::Demo(demo)) = parse("bowline demo --size 1.5MiB") else { panic!("it is a demo") };
    assert_eq!((demo.size, demo.seed), (1_572_864, 1));
}

#[test]
fn a_range_is_written_as_in_http() {
    let range = |line: &str| match parse(line) {
        Ok(Command::Fetch(fetch)) => Ok(fetch.range),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(range("bowline fetch ws://h:1/a").expect("all of it"), ByteRange::WHOLE);
    let part = ByteRange::new(100, 200).expect("not empty");
    assert_eq!(range("bowline fetch ws://h:1/a --range 100-199").expect("a part"), part);
    for (wrong, why) in [
        ("9-5", "the first byte, 9, comes after the last, 5"),
        ("5", "FIRST-LAST or FIRST-"),
        ("-5", "FIRST-LAST or FIRST-"),
    ] {
        let error = range(&format!("bowline fetch ws://h:1/a --range={wrong}")).expect_err(wrong);
        assert_eq!(error.exit_code(), 2, "{wrong}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_token_fits_into_a_header_and_never_into_a_log() {
    assert!(parse_token("").is_err());
    assert!(parse_token("a b").is_err());
    assert!(parse_token("a\nb").is_err());
    let token = Token { token: parse_token("s3cret").ok(), token_file: None };
    assert_eq!(format!("{token:?}"), "Token { given: true }");
}

#[test]
fn values_that_make_no_sense_are_wrong_usage() {
    for line in ["bowline serve --timeout 0s", "bowline serve --limit-rate 0", "bowline", "bowline serve -x"]
    {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
}
