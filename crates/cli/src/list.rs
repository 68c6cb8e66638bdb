//! `bowline list`: what can be fetched from a server.
//!
//! A server lists a folder with everything below it, so one request is enough for a whole tree. Only one level of it is
//! shown, as for a local folder, unless the user asks for everything.

use crate::args::List;
use crate::courier::Courier;
use crate::exit::Trouble;
use crate::identity::Identity;
use crate::news::{News, Subject};
use crate::plain::{columns, plain};
use crate::queue::Queue;
use crate::report::json::Line;
use crate::report::{self, Report, print_line};
use crate::signals::Orders;
use crate::story::Story;
use crate::units::{Size, count, utc};
use crate::{stdout, url};
use bowline_core::transfer::listing::{Entry, Totals};
use bowline_core::transfer::{ByteRange, Kind, Listing, SafeName};
use bowline_store::{Config, DiskStore};
use bowline_tokio::Download;
use console::Term;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};
use tokio::sync::mpsc;

/// With fewer columns than this, times are left out, because names need the room.
const NARROW: usize = 60;

/// The beginning of the year 10000: later times are mistakes or lies.
const LATEST_MS: u64 = 253_402_300_800_000;

pub(crate) async fn run(args: List, orders: Orders) -> Result<(), Trouble> {
    url::check(&args.url)?;
    let (base, name) = asked_for(&args)?;
    let server = args.way.server(&base);
    let title = name.as_ref().map_or_else(|| server.clone(), |name| name.as_str().to_owned());
    let story = Story::new(&args.record, "list", title.clone(), &server)?;
    let courier = Courier::new(&base, &args.reach, &args.way, &args.common)?;
    let courier = courier.keeping_nothing(|_| Trouble::interrupted_listing());
    let output = args.common.output;
    let subject = Subject { name: title.clone(), bytes: 0, folder: false };
    let report = Report::new(report::LIST, output, story, vec![subject], 0);
    // A store needs a folder. Nothing is written to this one, because a listing stays in memory.
    let place = Path::new("/");
    let store = DiskStore::open(place, config()).map_err(Trouble::failed)?;
    // No other process resumes it.
    let identity = Identity::passing().map_err(Trouble::failed)?;
    let id = identity.of_fetch(courier.server(), &title, ByteRange::WHOLE, place);
    let (tell, news) = mpsc::channel(1);
    let (ended, mut ends) = mpsc::unbounded_channel();
    let client = courier.client();
    let queue = Queue::begin(news, async move {
        let result = client.fetch(&store, Download::listing(id, name)).await;
        // The receiver may be gone.
        let _ = tell.send(News::Begun { index: 0, result }).await;
    });
    courier.follow(queue, ended, report, orders).await?;
    if let Some(listing) = ends.try_recv().ok().and_then(|ended| ended.listing) {
        let rows = rows(&listing, args.recursive);
        if output.json {
            stdout::print(lines(&rows, listing.totals()).as_bytes());
        } else {
            stdout::print(table(&rows, room(&Term::stdout())).as_bytes());
        }
        if !output.json && !output.quiet {
            print_line(&sentence(listing.totals()));
        }
    }
    Ok(())
}

/// For a store that only receives a listing, which no other process resumes.
fn config() -> Config {
    let mut config = Config::fetching();
    config.keep_listings = false;
    config
}

/// The number of columns of a terminal. One that does not say is taken to have the usual number.
fn room(terminal: &Term) -> Option<usize> {
    terminal.is_term().then(|| columns(terminal).unwrap_or(80))
}

/// The server, and what to list of it.
fn asked_for(args: &List) -> Result<(String, Option<SafeName>), Trouble> {
    match args.name.as_deref() {
        Some("/") => Ok((args.url.clone(), None)),
        Some(name) => url::name(name)
            .map(|safe| (args.url.clone(), Some(safe)))
            .map_err(|why| Trouble::usage(format!("{name} cannot be listed: {why}"))),
        None => url::place_in(&args.url)
            .map_err(|why| Trouble::usage(format!("{}: {why}", url::shown(&args.url)))),
    }
}

/// What is shown of an entry. The size of a folder is that of everything in it.
#[derive(Debug)]
struct Row {
    entry: Entry,
    bytes: u64,
}

/// The entries of a folder: directly in it, or at any depth.
fn rows(listing: &Listing, recursive: bool) -> Vec<Row> {
    let (mut rows, mut above) = (Vec::new(), Vec::new());
    for entry in listing.entries() {
        let depth = entry.name.components().count() - 1;
        // Each entry follows the folder that it is in.
        above.truncate(depth);
        let bytes = entry.length;
        for folder in &above {
            let folder: &mut Row = &mut rows[*folder];
            folder.bytes = folder.bytes.saturating_add(bytes);
        }
        if recursive || depth == 0 {
            if entry.kind == Kind::Folder {
                above.push(rows.len());
            }
            rows.push(Row { entry, bytes });
        }
    }
    rows
}

/// One name per line; on a terminal of this many columns, with sizes and times.
fn table(rows: &[Row], columns: Option<usize>) -> String {
    let line = |row: &Row| {
        let (name, size) = (shown(&row.entry), Size(row.bytes));
        match columns {
            None => format!("{name}\n"),
            Some(..NARROW) => format!("{size:>10}  {name}\n"),
            Some(_) => format!("{size:>10}  {:16}  {name}\n", time(&row.entry).unwrap_or_default()),
        }
    };
    rows.iter().map(line).collect()
}

/// A name for people, always on one line.
fn shown(entry: &Entry) -> String {
    let slash = if entry.kind == Kind::Folder { "/" } else { "" };
    format!("{}{slash}", plain(entry.name.as_str()))
}

/// When it was last changed, to the minute, if that is known.
fn time(entry: &Entry) -> Option<String> {
    let millis = u64::try_from(entry.mtime_ms).ok().filter(|millis| (1..LATEST_MS).contains(millis))?;
    let mut time = utc(UNIX_EPOCH + Duration::from_millis(millis));
    time.truncate("2026-12-31 23:59".len());
    Some(time)
}

/// The same for programs: one object per entry, and one with the totals.
fn lines(rows: &[Row], totals: Totals) -> String {
    let entries = rows.iter().map(|Row { entry, bytes }| {
        Line::new("entry")
            .with("name", entry.name.as_str())
            .with("folder", entry.kind == Kind::Folder)
            .with("bytes", *bytes)
            .with("modified_ms", Some(entry.mtime_ms).filter(|millis| *millis != 0))
            .with("mode", entry.unix_mode.map(|mode| mode.to_string()))
    });
    let summary = Line::new("summary")
        .with("files", totals.files)
        .with("folders", totals.folders)
        .with("bytes", totals.bytes)
        .with("left_out", totals.skipped)
        .with("unreadable", totals.unnamed);
    entries.chain([summary]).map(Line::into_text).collect()
}

/// The totals for people, whatever was shown.
fn sentence(totals: Totals) -> String {
    let folders = match totals.folders {
        0 => String::new(),
        folders => format!("{}, ", count(folders, "folder")),
    };
    let mut parts = vec![format!("{}, {folders}{}", count(totals.files, "file"), Size(totals.bytes))];
    if totals.skipped > 0 {
        parts.push(format!("links and devices left out: {}", totals.skipped));
    }
    if totals.unnamed > 0 {
        parts.push(format!("not readable there, or with names that are not safe: {}", totals.unnamed));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::UnixMode;
    use bowline_core::transfer::listing::ListingWriter;

    fn listing() -> Listing {
        let mut writer = ListingWriter::new(0, None);
        for (kind, name, length, mtime_ms) in [
            (Kind::File, "a b", 7, 1_767_225_600_000),
            (Kind::Folder, "photos", 0, 0),
            (Kind::Folder, "photos/2026", 0, i64::MAX),
            (Kind::File, "photos/2026/beach.jpg", 2048, -5),
            (Kind::File, "photos/x", 1, 1_767_225_600_000),
            (Kind::File, "z\u{202e}文", 5, 1_767_225_600_000),
        ] {
            let (name, unix_mode) = (SafeName::parse(name).expect("safe"), Some(UnixMode::from_bits(0o640)));
            writer.push(&Entry { name, kind, length, mtime_ms, unix_mode });
        }
        Listing::parse(writer.finish(1, 2)).expect("a good one")
    }

    #[test]
    fn one_level_is_shown_unless_all_are_wanted() {
        assert_eq!(table(&rows(&listing(), false), None), "a b\nphotos/\nz\u{fffd}文\n");
        assert_eq!(
            table(&rows(&listing(), true), None),
            "a b\nphotos/\nphotos/2026/\nphotos/2026/beach.jpg\nphotos/x\nz\u{fffd}文\n"
        );
    }

    #[test]
    fn a_terminal_shows_what_folders_hold_and_times_that_can_be() {
        assert_eq!(
            table(&rows(&listing(), true), Some(80)),
            "       7 B  2026-01-01 00:00  a b\n   2.0 KiB                    photos/\n   2.0 KiB                    photos/2026/\n   \
             2.0 KiB                    photos/2026/beach.jpg\n       1 B  2026-01-01 00:00  photos/x\n       5 B  \
             2026-01-01 00:00  z\u{fffd}文\n"
        );
        let narrow = table(&rows(&listing(), false), Some(40));
        assert_eq!(narrow, "       7 B  a b\n   2.0 KiB  photos/\n       5 B  z\u{fffd}文\n");
    }

    #[test]
    fn programs_read_names_as_they_are() {
        let text = lines(&rows(&listing(), false), listing().totals());
        let expected = [
            "{\"event\":\"entry\",\"name\":\"a b\",\"folder\":false,\"bytes\":7,\"modified_ms\":1767225600000,\"mode\":\"640\"}",
            "{\"event\":\"entry\",\"name\":\"photos\",\"folder\":true,\"bytes\":2049,\"modified_ms\":null,\"mode\":\"640\"}",
            "{\"event\":\"entry\",\"name\":\"z\u{202e}文\",\"folder\":false,\"bytes\":5,\"modified_ms\":1767225600000,\"mode\":\"640\"}",
            "{\"event\":\"summary\",\"files\":4,\"folders\":2,\"bytes\":2061,\"left_out\":1,\"unreadable\":2}",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn the_last_line_sums_up_all_that_there_is() {
        assert_eq!(
            sentence(listing().totals()),
            "4 files, 2 folders, 2.0 KiB; links and devices left out: 1; not readable there, or with names that are not safe: 2"
        );
        assert_eq!(sentence(Totals::default()), "0 files, 0 B");
    }
}
