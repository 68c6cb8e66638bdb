//! `bowline fetch`: a file, a part of one, or a folder from a server.

use crate::args::Fetch;
use crate::claim::Claim;
use crate::courier::Courier;
use crate::exit::Trouble;
use crate::folder::Gatherer;
use crate::identity::Identity;
use crate::news::Subject;
use crate::private::folder_of;
use crate::queue::Queue;
use crate::report::{self, Place, Report};
use crate::signals::Orders;
use crate::story::Story;
use crate::url;
use crate::writable::may_write;
use bowline_core::transfer::{ByteRange, SafeName};
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::sync::mpsc;

pub(crate) async fn run(args: Fetch, identity: Identity, orders: Orders) -> Result<(), Trouble> {
    url::check(&args.url)?;
    let (base, name) = asked_for(&args)?;
    let story = Story::new(&args.record, "fetch", name.as_str().to_owned(), &args.way.server(&base))?;
    let courier = Courier::new(&base, &args.reach, &args.way, &args.common)?;
    let (wanted, local) = (args.output.as_deref(), local(&name, args.range));
    let made = make_folder(wanted)?;
    let output = output(wanted, &local)?;
    check_place(&output)?;
    let id = identity.of_fetch(courier.server(), name.as_str(), args.range, &output);
    let subject = Subject { name: name.as_str().to_owned(), bytes: 0, folder: false };
    let report = Report::new(report::FETCH, args.common.output, story, vec![subject], 0);
    let report = report.putting_it(shown(wanted, &local, &name));
    let place = place(wanted, &local)?;
    let is_meant = is_meant(&args, &name);
    let place_id = identity.of_fetch(courier.server(), name.as_str(), ByteRange::WHOLE, &place);
    let (tell, news) = mpsc::channel(1);
    let (ended, ends) = mpsc::unbounded_channel();
    let gatherer = Gatherer {
        client: courier.client(),
        server: courier.server().to_owned(),
        identity,
        claim: Claim::on(&place, is_meant, place_id),
        place,
        name,
        range: args.range,
        overwrite: args.overwrite,
        preserve: args.preserve,
        tell,
        ends,
    };
    let queue = Queue::begin(news, gatherer.run(id, output));
    let outcome = courier.follow(queue, ended, report, orders).await;
    if let Some(folder) = made.filter(|_| outcome.is_err()) {
        // Unless there is something in it, such as what the same command can resume.
        let _ = fs::remove_dir(folder);
    }
    outcome
}

/// The server, and the requested name.
fn asked_for(args: &Fetch) -> Result<(String, SafeName), Trouble> {
    match &args.name {
        Some(name) => url::name(name)
            .map(|safe| (args.url.clone(), safe))
            .map_err(|why| Trouble::usage(format!("{name} cannot be fetched: {why}"))),
        None => {
            url::name_in(&args.url).map_err(|why| Trouble::usage(format!("{}: {why}", url::shown(&args.url))))
        }
    }
}

/// Whether the contents of a folder may go into the named place, whatever is there: either the place has the folder's
/// name, or the name was written with a slash at its end.
fn is_meant(args: &Fetch, name: &SafeName) -> bool {
    let written = args.name.as_deref().unwrap_or(&args.url);
    let place = args.output.as_deref().map(Path::file_name);
    written.ends_with('/') || place.is_none_or(|place| place == Some(name.file_name().as_ref()))
}

/// Creates the wanted folder if it is written with a slash at its end and does not exist; returns it if it was created.
fn make_folder(wanted: Option<&Path>) -> Result<Option<&Path>, Trouble> {
    let Some(path) = wanted else { return Ok(None) };
    if path.as_os_str() == "-" {
        let text = "a fetch does not write to stdout, because whoever reads that would get bytes before they are confirmed; \
                    fetch it into a file, or use -o ./- for a file of that name";
        return Err(Trouble::usage(format!("-: {text}")));
    }
    if !path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir() {
        return Ok(None);
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(Some(path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Trouble::at(path, "it is not a folder; choose another place with -o"))
        }
        Err(error) => {
            Err(Trouble::at(path, format!("cannot be made: {error}; choose another place with -o")))
        }
    }
}

/// Whether something can be put in this place, as far as that can be checked without doing it.
fn check_place(output: &Path) -> Result<(), Trouble> {
    let folder = folder_of(output);
    match may_write(folder) {
        // If it exists, it may already be the wanted file.
        Err(error) if fs::symlink_metadata(output).is_err() => Err(Trouble::at(
            folder,
            format!("nothing can be put there: {error}; choose another place with -o"),
        )),
        _ => Ok(()),
    }
}

/// Where it goes, in the terms of the command line, unless that is obvious from its name.
fn shown(wanted: Option<&Path>, local: &str, name: &SafeName) -> Place {
    let (folder, file) = (wanted.unwrap_or(Path::new(local)), file(wanted, local));
    let unless_obvious =
        |path: &Path| Some(path.display().to_string()).filter(|shown| shown != name.as_str());
    let folder = unless_obvious(folder).filter(|shown| shown != ".");
    Place { file: unless_obvious(&file), folder }
}

/// The local name, unless the user chooses one. A part must not look like the whole.
fn local(name: &SafeName, range: ByteRange) -> String {
    if range.is_whole() { name.file_name().into() } else { format!("{}.{range}", name.file_name()) }
}

/// Where a folder goes. It is never put inside an existing folder, or the same command would find another place the
/// second time.
fn place(wanted: Option<&Path>, local: &str) -> Result<PathBuf, Trouble> {
    let path = wanted.unwrap_or(Path::new(local));
    dunce::canonicalize(path).or_else(|_| output(Some(path), local))
}

/// Where the file goes: into the wanted path, if that is a folder.
fn file(wanted: Option<&Path>, local: &str) -> PathBuf {
    let path = wanted.unwrap_or(Path::new(local));
    if path.is_dir() { path.join(local) } else { path.to_owned() }
}

/// Where the file goes, as a canonical path.
fn output(wanted: Option<&Path>, local: &str) -> Result<PathBuf, Trouble> {
    let path = file(wanted, local);
    let Some(file) = path.file_name() else {
        return Err(Trouble::usage(format!("{} names no file", path.display())));
    };
    let folder = folder_of(&path);
    let folder = dunce::canonicalize(folder).map_err(|e| {
        Trouble::failed(format!("{}: the folder for the file is missing: {e}", folder.display()))
    })?;
    if !folder.is_dir() {
        return Err(Trouble::at(&folder, "it is not a folder; choose another place with -o"));
    }
    Ok(folder.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use std::path::MAIN_SEPARATOR;

    fn name() -> String {
        local(&SafeName::parse("holiday/beach.jpg").expect("a good name"), ByteRange::WHOLE)
    }

    #[test]
    fn a_part_is_called_after_its_range() {
        let called = |range: &str| {
            local(
                &SafeName::parse("holiday/beach.jpg").expect("a good name"),
                range.parse().expect("a good range"),
            )
        };
        assert_eq!(called("0-999"), "beach.jpg.0-999");
        assert_eq!(called("1000-"), "beach.jpg.1000-");
        assert_eq!(called("0-"), "beach.jpg", "that is all of it");
    }

    #[test]
    fn the_last_part_of_the_name_is_the_place() {
        let here = std::env::current_dir().and_then(dunce::canonicalize).expect("a folder");
        assert_eq!(output(None, &name()), Ok(here.join("beach.jpg")));
    }

    #[test]
    fn every_way_to_a_place_gives_the_same_path() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dunce::canonicalize(dir.path()).expect("it exists");
        fs::create_dir(dir.join("sub")).expect("writable");
        let place = dir.join("out.bin");
        assert_eq!(output(Some(&place), &name()), Ok(place.clone()));
        assert_eq!(output(Some(&dir.join("sub/../out.bin")), &name()), Ok(place));
        assert_eq!(output(Some(&dir), &name()), Ok(dir.join("beach.jpg")));
    }

    #[test]
    fn the_place_of_a_folder_stays_the_same_once_it_exists() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dunce::canonicalize(dir.path()).expect("it exists");
        assert_eq!(place(Some(&dir.join("new")), &name()), Ok(dir.join("new")));
        fs::create_dir(dir.join("new")).expect("writable");
        assert_eq!(place(Some(&dir.join("new")), &name()), Ok(dir.join("new")));
        assert_eq!(place(Some(&dir.join("new/../new/")), &name()), Ok(dir.join("new")));
    }

    #[test]
    fn the_place_is_shown_only_if_it_is_not_obvious() {
        let name = SafeName::parse("holiday/beach.jpg").expect("a good name");
        let said = |wanted: Option<&str>| {
            let Place { file, folder } = shown(wanted.map(Path::new), "beach.jpg", &name);
            (file.unwrap_or_default(), folder.unwrap_or_default())
        };
        let both = |file: &str, folder: &str| (file.to_owned(), folder.to_owned());
        assert_eq!(said(None), both("beach.jpg", "beach.jpg"));
        assert_eq!(said(Some("back")), both("back", "back"));
        assert_eq!(said(Some(".")), both(&format!(".{MAIN_SEPARATOR}beach.jpg"), ""));
        assert_eq!(said(Some("holiday/beach.jpg")), both("", ""));
    }

    #[test]
    fn a_file_goes_into_a_local_folder_of_its_name_and_that_is_shown() {
        // Tests run in the folder of the package.
        let name = SafeName::parse("src").expect("a good name");
        assert_eq!(shown(None, "src", &name).file, Some(format!("src{MAIN_SEPARATOR}src")));
        assert!(output(None, "src").expect("a place").ends_with("src/src"));
    }

    #[test]
    fn a_place_must_be_possible() {
        assert_eq!(output(Some(Path::new("/nowhere/x")), &name()).expect_err("no folder").exit, Exit::Failed);
        // Windows resolves this without looking at the disk.
        #[cfg(unix)]
        assert_eq!(output(Some(Path::new("..x/..")), &name()).expect_err("no file").exit, Exit::Usage);
    }
}
