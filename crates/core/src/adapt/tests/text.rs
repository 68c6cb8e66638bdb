//! The text form: what is refused, and what is dropped when there is too much.

use super::*;

#[test]
fn the_error_about_a_damaged_line_names_the_field() {
    for (line, error) in [
        ("", "the field `key` is missing; a line is: key lo hi time"),
        ("here", "the field `lo` is missing; a line is: key lo hi time"),
        ("here 1", "the field `hi` is missing; a line is: key lo hi time"),
        ("here 1 2", "the field `time` is missing; a line is: key lo hi time"),
        ("here x 2 3", "the field `lo` is \"x\"; expected seconds such as 45.000, or -"),
        ("here <1 2 3", "the field `lo` is \"<1\"; expected seconds such as 45.000, or -"),
        ("here 0.999 2 3", "the field `lo` is \"0.999\"; expected seconds such as 45.000, or -"),
        ("here 1.2345 2 3", "the field `lo` is \"1.2345\"; expected seconds such as 45.000, or -"),
        ("here 1. 2 3", "the field `lo` is \"1.\"; expected seconds such as 45.000, or -"),
        ("here - -2 3", "the field `hi` is \"-2\"; expected seconds such as 60.040 or <60.040, or -"),
        ("here - <- 3", "the field `hi` is \"<-\"; expected seconds such as 60.040 or <60.040, or -"),
        (
            "here - 99999999999 3",
            "the field `hi` is \"99999999999\"; expected seconds such as 60.040 or <60.040, or -",
        ),
        ("here 2 2.000 3", "the field `hi` is 2s, which is not above the 2s of `lo`"),
        ("here 2 - now", "the field `time` is \"now\"; expected whole seconds since 1970"),
        ("here 2 - 3.5", "the field `time` is \"3.5\"; expected whole seconds since 1970"),
    ] {
        assert_eq!(line.parse::<Path>().expect_err(line).to_string(), error, "{line}");
    }
}

#[test]
fn a_key_may_have_several_words_but_only_one_line() {
    assert_eq!(Path::new(" example.org:443\twifi\nhome ").key(), "example.org:443 wifi home");
    assert_eq!(Path::new("\0").key(), "-");
    let path: Path = "example.org:443  wifi home 1.5 - 7".parse().expect("a line");
    assert_eq!((path.key(), path.lo()), ("example.org:443 wifi home", Some(Duration::from_millis(1500))));
    assert_eq!(Path::new(&"ü".repeat(200)).key().len(), 254);
}

#[test]
fn the_oldest_of_too_many_paths_is_dropped() {
    let mut paths = Paths::default();
    for n in 0..64_u64 {
        // The third is the oldest.
        let learned = (n + 61) % 64;
        paths.insert(format!("path-{n} 2.000 - {learned}").parse().expect("a line"));
    }
    paths.insert(Path::new("path-5"));
    assert_eq!(paths.iter().count(), 64, "the same path in a place of its own");
    paths.insert("new 2.000 - 99".parse().expect("a line"));
    assert_eq!(paths.iter().count(), 64);
    assert_eq!(paths.path("path-5").lo(), None, "it was the oldest then");
    paths.insert("newer 2.000 - 100".parse().expect("a line"));
    assert_eq!(paths.path("path-3").lo(), None);
    assert_eq!(paths.path("path-4").lo(), Some(Duration::from_secs(2)));
    assert_eq!(Paths::read(&paths.to_string()), (paths, Vec::new()));
}
