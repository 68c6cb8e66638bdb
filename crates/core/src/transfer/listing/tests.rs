//! Valid and invalid listings.

use super::*;
use crate::transfer::NameError;
use alloc::format;
use proptest::prelude::*;
use std::vec;

fn parse(body: &str) -> Result<Listing, ListingError> {
    Listing::parse(Bytes::from(format!("{HEAD}- 0\n{body}")))
}

fn wrong(body: &str) -> (u64, Wrong) {
    let error = parse(body).expect_err(body);
    (error.line, error.why)
}

fn entry(kind: Kind, name: &str) -> Entry {
    let name = SafeName::parse(name).expect("a safe name");
    Entry { name, kind, length: 0, mtime_ms: 0, unix_mode: None }
}

fn name(text: &str) -> SafeName {
    SafeName::parse(text).expect("a safe name")
}

#[test]
fn a_written_listing_reads_back_unchanged() {
    let beach = Entry {
        length: 52_428_800,
        mtime_ms: -1,
        unix_mode: Some(UnixMode::from_bits(0o640)),
        ..entry(Kind::File, "2026/beach 1 🏖.jpg")
    };
    let entries = [
        entry(Kind::Folder, "2026"),
        beach,
        entry(Kind::Folder, "2026/empty"),
        // In ascending order within its folder, though "2026-x" as a whole comes before "2026/…".
        entry(Kind::File, "2026-x"),
        entry(Kind::File, "文件"),
    ];
    let mut writer = ListingWriter::new(-7, Some(UnixMode::from_bits(0o711)));
    for entry in &entries {
        writer.push(entry);
    }
    let written = writer.written();
    let text = writer.finish(7, 1);
    assert_eq!(written, text.len() - "end 5 7 1\n".len());
    let listing = Listing::parse(text.clone()).expect("a good listing");
    assert_eq!(listing.entries().collect::<Vec<_>>(), entries);
    assert_eq!((listing.mtime_ms(), listing.unix_mode()), (-7, Some(UnixMode::from_bits(0o711))));
    let totals = Totals { files: 3, folders: 2, bytes: 52_428_800, skipped: 7, unnamed: 1 };
    assert_eq!(listing.totals(), totals);
    let lines: Vec<_> = str::from_utf8(&text).expect("text").lines().collect();
    assert_eq!(lines[0], "bowline listing 1 711 -7");
    assert_eq!(lines[2], "f 640 -1 52428800 2026/beach 1 🏖.jpg");
    assert_eq!(lines[6], "end 5 7 1");
}

#[test]
fn an_empty_folder_has_a_listing() {
    let listing = Listing::parse(ListingWriter::new(0, None).finish(0, 0)).expect("a good listing");
    assert_eq!((listing.entries().next(), listing.totals()), (None, Totals::default()));
}

#[test]
fn names_that_are_not_safe_are_refused() {
    for bad in ["../x", "/etc/passwd", "a/../b", "a//b", "C:\\x", "nul", "a.", ""] {
        let (line, why) = wrong(&format!("f - 0 0 {bad}\nend 1 0 0\n"));
        assert!(line == 2 && matches!(why, Wrong::Name(_)), "{bad}: {why}");
    }
    assert_eq!(wrong("f - 0 0 a\0\nend 1 0 0\n").1, Wrong::Name(NameError::Character('\0')));
}

#[test]
fn names_that_repeat_or_are_out_of_order_are_refused() {
    let twice = "f - 0 1 a\nf - 0 2 a\nend 2 0 0\n";
    assert_eq!(wrong(twice), (3, Wrong::Order(name("a"))));
    assert_eq!(wrong("d - 0 0 a\nd - 0 0 a\nend 2 0 0\n"), (3, Wrong::Order(name("a"))));
    assert_eq!(wrong("f - 0 0 b\nf - 0 0 a\nend 2 0 0\n"), (3, Wrong::Order(name("a"))));
    let twice_beneath = "d - 0 0 a\nf - 0 0 a/x\nd - 0 0 a/y\nf - 0 0 a/x\nend 4 0 0\n";
    assert_eq!(wrong(twice_beneath), (5, Wrong::Order(name("a/x"))));
    let left_and_entered_again = "d - 0 0 a\nf - 0 0 b\nf - 0 0 a/x\nend 3 0 0\n";
    assert_eq!(wrong(left_and_entered_again), (4, Wrong::NoFolder(name("a/x"))));
}

#[test]
fn entries_inside_a_file_or_an_unlisted_folder_are_refused() {
    assert_eq!(wrong("f - 0 0 a\nf - 0 0 a/b\nend 2 0 0\n"), (3, Wrong::NoFolder(name("a/b"))));
    assert_eq!(wrong("f - 0 0 a/b\nend 1 0 0\n"), (2, Wrong::NoFolder(name("a/b"))));
    let similar = "d - 0 0 ab\nf - 0 0 a/c\nend 2 0 0\n";
    assert_eq!(wrong(similar), (3, Wrong::NoFolder(name("a/c"))));
}

#[test]
fn every_field_has_one_form() {
    for line in [
        "",
        "x - 0 0 a",
        "f - 0 0",
        "f 0 0 0 a",
        "f 7777 0 0 a",
        "f 888 0 0 a",
        "f +77 0 0 a",
        "f - x 0 a",
        "f - 0 -1 a",
        "f - 0 +1 a",
        "f - 0 01 a",
        "f - -0 0 a",
        "f - 0 99999999999999999999 a",
        "d - 0 5 a",
        "end",
        "end 0",
        "end 0 0",
        "end 0 0 0 0",
        "end 0 0 0 ",
        "end -1 0 0",
    ] {
        assert_eq!(wrong(&format!("{line}\nend 1 0 0\n")), (2, Wrong::Form), "{line}");
    }
}

#[test]
fn an_incomplete_listing_is_refused() {
    let good = format!("{HEAD}- 0\nd - 0 0 a\nf - 0 9 a/文\nend 2 0 0\n");
    Listing::parse(Bytes::from(good.clone())).expect("a good listing");
    for cut in 0..good.len() {
        assert!(Listing::parse(Bytes::copy_from_slice(&good.as_bytes()[..cut])).is_err(), "{cut}");
    }
    assert_eq!(wrong("end 0 0 0\nf - 0 0 a\n"), (2, Wrong::Form));
    assert_eq!(wrong("f - 0 0 a\nend 2 0 0\n"), (3, Wrong::Count { counted: 2, found: 1 }));
    for head in [
        "",
        "bowline listing 1",
        "bowline listing 2 - 0",
        "bowline listing 1 -",
        "bowline listing 1 - x",
        "bowline listing 1 - 00",
        "bowline listing 1 9 0",
        "bowline listing 1 - 0 ",
    ] {
        let error = Listing::parse(Bytes::from(format!("{head}\nend 0 0 0\n"))).expect_err(head);
        assert_eq!(error, ListingError { line: 1, why: Wrong::Form }, "{head}");
    }
    assert!(Listing::parse(Bytes::from_static(b"bowline listing 1 - 0\nf - 0 0 \xff\nend 1 0 0\n")).is_err());
}

#[test]
fn absurd_lengths_do_no_harm() {
    let huge = format!("f - 0 {0} a\nf - 0 {0} b\nend 2 0 0\n", u64::MAX);
    assert_eq!(parse(&huge).expect("only numbers").totals().bytes, u64::MAX);
    assert!(parse(&format!("f - {} 0 a\nend 1 0 0\n", i64::MIN)).is_ok());
}

proptest! {
    /// Of names and folders in any order, only those whose entries are in the right place are accepted.
    #[test]
    fn accepted_listings_have_unique_names_in_listed_folders(lines in proptest::collection::vec((any::<bool>(), "[ab](/[ab]){0,2}"), 0..8)) {
        let mut writer = ListingWriter::new(0, None);
        for (folder, name) in &lines {
            writer.push(&entry(if *folder { Kind::Folder } else { Kind::File }, name));
        }
        let Ok(listing) = Listing::parse(writer.finish(0, 0)) else { return Ok(()) };
        let mut folders = vec![String::new()];
        let mut names = Vec::new();
        for entry in listing.entries() {
            let text = entry.name.as_str();
            let parent = text.rsplit_once('/').map_or("", |(parent, _)| parent);
            prop_assert!(folders.iter().any(|folder| folder == parent), "{text} is in no folder");
            prop_assert!(!names.contains(&String::from(text)), "{text} stands twice");
            names.push(text.into());
            if entry.kind == Kind::Folder {
                folders.push(text.into());
            }
        }
        prop_assert_eq!(names.len(), lines.len());
    }

    #[test]
    fn no_text_panics(text in "(bowline listing 1 - 0\n)?([df] (-|[0-7]{3}) 0 0 [a/]{1,5}\n){0,5}(end [0-9] 0 0\n)?") {
        let _ = Listing::parse(Bytes::from(text));
    }
}
