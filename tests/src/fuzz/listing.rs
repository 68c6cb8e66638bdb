//! The listing of a folder.

use bowline_core::transfer::listing::{Entry, Listing, ListingWriter};
use bowline_core::transfer::{Kind, SafeName, UnixMode};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Bytes as a listing, unchanged and with the first line that they need: what is accepted has each name once and in a
/// folder, and is written as it was read.
pub fn listing(data: &[u8]) {
    let head = ListingWriter::new(0, None).finish(0, 0);
    let head = &head[..=head.iter().position(|byte| *byte == b'\n').expect("a first line")];
    for text in [Bytes::copy_from_slice(data), [head, data].concat().into()] {
        let Ok(listing) = Listing::parse(text.clone()) else { continue };
        let (mut kinds, mut writer) =
            (BTreeMap::new(), ListingWriter::new(listing.mtime_ms(), listing.unix_mode()));
        for entry in listing.entries() {
            let parent = entry.name.as_str().rsplit_once('/').map(|(parent, _)| parent.to_owned());
            if let Some(parent) = parent {
                assert_eq!(kinds.get(&parent), Some(&Kind::Folder), "{parent} is no folder");
            }
            writer.push(&entry);
            assert_eq!(kinds.insert(entry.name.as_str().to_owned(), entry.kind), None, "{}", entry.name);
        }
        let totals = listing.totals();
        assert_eq!(kinds.len() as u64, totals.files + totals.folders);
        assert_eq!(writer.finish(totals.skipped, totals.unnamed), text);
    }
}

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |kind, name: &str, length, mode: Option<u32>| {
        let name = SafeName::parse(name).expect("a safe name");
        let (mtime_ms, unix_mode) = (1_767_225_600_000, mode.map(UnixMode::from_bits));
        Entry { name, kind, length, mtime_ms, unix_mode }
    };
    let text = |entries: &[Entry]| {
        let mut writer = ListingWriter::new(1_767_225_600_000, Some(UnixMode::from_bits(0o755)));
        for entry in entries {
            writer.push(entry);
        }
        writer.finish(1, 2).to_vec()
    };
    let tree = [
        entry(Kind::Folder, "2026", 0, Some(0o755)),
        entry(Kind::File, "2026/beach 1.jpg", 52_428_800, Some(0o644)),
        entry(Kind::Folder, "2026/empty", 0, Some(0o700)),
        entry(Kind::File, "2026-x", 0, None),
        entry(Kind::File, "文件", 1, None),
    ];
    let file = entry(Kind::File, "a", 1, None);
    let beneath = entry(Kind::File, "a/b", 1, None);
    vec![
        ("empty", text(&[])),
        ("tree", text(&tree)),
        ("twice", text(&[file.clone(), file.clone()])),
        ("in_a_file", text(&[file, beneath.clone()])),
        ("in_no_folder", text(&[beneath])),
        ("without_its_first_line", b"f - 0 0 a\nend 1 0 0\n".to_vec()),
    ]
}
