//! `bowline fetch`: a file, a part of one, or a folder from a server.

use crate::args::Fetch;
use crate::courier::Courier;
use crate::exit::Trouble;
use crate::folder::Gatherer;
use crate::identity::Identity;
use crate::news::Subject;
use crate::report::{self, Report};
use crate::signals::Interrupt;
use crate::story::Story;
use crate::url;
use bowline_core::transfer::{ByteRange, SafeName};
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

pub(crate) async fn run(args: Fetch, identity: Identity, interrupt: Interrupt) -> Result<(), Trouble> {
    url::check(&args.url)?;
    let (base, name) =
        url::name_in(&args.url).map_err(|why| Trouble::usage(format!("{}: {why}", url::shown(&args.url))))?;
    let local = local(&name, args.range);
    let output = output(args.output.as_deref(), &local)?;
    let story = Story::new(&args.record, "fetch", name.as_str().to_owned(), &args.way.server(&base))?;
    let courier = Courier::new(&base, &args.reach, &args.way, &args.common)?;
    let id = identity.of_fetch(courier.server(), name.as_str(), args.range, &output);
    let subject = Subject { name: name.as_str().to_owned(), bytes: 0, folder: false };
    let report = Report::new(report::FETCH, args.common.output, story, vec![subject], 0);
    let (tell, news) = mpsc::channel(1);
    let (ended, ends) = mpsc::unbounded_channel();
    let gatherer = Gatherer {
        client: courier.client(),
        server: courier.server().to_owned(),
        identity,
        place: place(args.output.as_deref(), &local)?,
        name,
        range: args.range,
        overwrite: args.overwrite,
        preserve: args.preserve,
        tell,
        ends,
    };
    tokio::spawn(gatherer.run(id, output));
    courier.follow(news, ended, report, interrupt).await
}

/// What it is called here if nobody says otherwise. A part does not pass for the whole.
fn local(name: &SafeName, range: ByteRange) -> String {
    if range.is_whole() { name.file_name().into() } else { format!("{}.{range}", name.file_name()) }
}

/// Where a folder is to stand: there is no other folder that it could be put into, or the same command would find
/// another place the second time.
fn place(wanted: Option<&Path>, local: &str) -> Result<PathBuf, Trouble> {
    let path = wanted.unwrap_or(Path::new(local));
    path.canonicalize().or_else(|_| output(Some(path), local))
}

/// Where the file is to stand, by the one path that leads there.
fn output(wanted: Option<&Path>, local: &str) -> Result<PathBuf, Trouble> {
    let mut path = wanted.unwrap_or(Path::new(local)).to_path_buf();
    if path.is_dir() {
        path.push(local);
    }
    let Some(file) = path.file_name() else {
        return Err(Trouble::usage(format!("{} names no file", path.display())));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|e| {
        Trouble::failed(format!("{}: the folder for the file is missing: {e}", folder.display()))
    })?;
    Ok(folder.join(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

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
        let here = std::env::current_dir().and_then(|dir| dir.canonicalize()).expect("a folder");
        assert_eq!(output(None, &name()), Ok(here.join("beach.jpg")));
    }

    #[test]
    fn every_way_to_a_place_gives_the_same_path() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().canonicalize().expect("it exists");
        std::fs::create_dir(dir.join("sub")).expect("writable");
        let place = dir.join("out.bin");
        assert_eq!(output(Some(&place), &name()), Ok(place.clone()));
        assert_eq!(output(Some(&dir.join("sub/../out.bin")), &name()), Ok(place));
        assert_eq!(output(Some(&dir), &name()), Ok(dir.join("beach.jpg")));
    }

    #[test]
    fn a_folder_stands_where_it_stood() {
        let dir = tempfile::tempdir().expect("a folder");
        let dir = dir.path().canonicalize().expect("it exists");
        assert_eq!(place(Some(&dir.join("new")), &name()), Ok(dir.join("new")));
        std::fs::create_dir(dir.join("new")).expect("writable");
        assert_eq!(place(Some(&dir.join("new")), &name()), Ok(dir.join("new")));
        assert_eq!(place(Some(&dir.join("new/../new/")), &name()), Ok(dir.join("new")));
    }

    #[test]
    fn a_place_must_be_possible() {
        assert_eq!(output(Some(Path::new("/nowhere/x")), &name()).expect_err("no folder").exit, Exit::Failed);
        assert_eq!(output(Some(Path::new("..x/..")), &name()).expect_err("no file").exit, Exit::Usage);
    }
}
