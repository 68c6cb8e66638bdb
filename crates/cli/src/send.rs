//! `bowline send`: files and folders to a server.

use crate::ahead::{Step, Steps, ahead, is_short};
use crate::args::{Send, check_order};
use crate::courier::Courier;
use crate::exit::Trouble;
use crate::identity::Identity;
use crate::nest::Nest;
use crate::news::{News, Subject};
use crate::queue::Queue;
use crate::report::{self, Report};
use crate::signals::Orders;
use crate::story::Story;
use crate::tree::{Feeder, Over, Tree};
use crate::url;
use bowline_core::transfer::{Digest, NameError, SafeName};
use bowline_store::{Pipe, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Something to send, with the name that it gets.
#[derive(Debug)]
enum Parcel {
    File { path: PathBuf, name: SafeName, bytes: u64 },
    Tree(Tree),
}

pub(crate) async fn run(args: Send, identity: Identity, orders: Orders) -> Result<(), Trouble> {
    check_order(&args.files, &args.url)?;
    let into = args.into.as_deref().map(folder).transpose()?;
    let tells_people = !args.common.output.quiet && !args.common.output.json;
    if let Some(note) = url::route(&args.url).filter(|_| tells_people && into.is_none()) {
        report::print_line(&note);
    }
    if let Some(name) = stdin(&args, into.as_ref())? {
        return send_stdin(name, args, orders).await;
    }
    let parcels = parcels(&args.files, into.as_ref())?;
    let story = Story::new(&args.record, "send", title(&parcels), &args.way.server(&args.url))?;
    let courier = Courier::new(&args.url, &args.reach, &args.way, &args.common)?;
    let files: Vec<_> = parcels.iter().filter_map(Parcel::subject).collect();
    let trees = parcels.len() - files.len();
    let next = files.len();
    let report = Report::new(report::SEND, args.common.output, story, files, trees);
    let (tell, news) = mpsc::channel(1);
    let (ended, ends) = mpsc::unbounded_channel();
    let feeder = Feeder {
        client: courier.client(),
        server: courier.server().to_owned(),
        identity: Arc::new(identity),
        preserve: args.preserve,
        tell,
        ends,
        next,
        nest: Nest::default(),
    };
    let queue = Queue::begin(news, async move {
        // If nobody is listening, the command has ended.
        let _ = feed(feeder, parcels).await;
    });
    courier.follow(queue, ended, report, orders).await
}

/// The message if the command is ended at once.
pub(crate) fn last_word(args: &Send) -> Trouble {
    if args.files.iter().any(|path| is_stdin(path)) {
        Trouble::interrupted_farewell()
    } else {
        Trouble::interrupted()
    }
}

/// The folder to put everything into.
fn folder(name: &str) -> Result<SafeName, Trouble> {
    url::name(name).map_err(|why| Trouble::usage(format!("nothing can be sent into {name}: {why}")))
}

/// The name for stdin, if that is to be sent.
fn stdin(args: &Send, into: Option<&SafeName>) -> Result<Option<SafeName>, Trouble> {
    match (&args.name, args.files.iter().any(|path| is_stdin(path))) {
        (None, false) => Ok(None),
        (Some(_), false) => Err(Trouble::usage("--name is for what comes through stdin, which is -")),
        (None, true) => Err(Trouble::usage("- has no name; use --name NAME, or ./- for a file of that name")),
        (Some(_), true) if args.files.len() > 1 => {
            Err(Trouble::usage("- is sent alone; send the files with another command"))
        }
        (Some(name), true) => name_in(into, name)
            .map(Some)
            .map_err(|why| Trouble::usage(format!("stdin cannot be sent as {name}: {why}"))),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name on the server for what is called `name` here, in this folder.
fn name_in(folder: Option<&SafeName>, name: &str) -> Result<SafeName, NameError> {
    folder.map_or_else(|| SafeName::parse(name), |folder| folder.child(name))
}

async fn send_stdin(name: SafeName, args: Send, orders: Orders) -> Result<(), Trouble> {
    let story = Story::new(&args.record, "send", name.as_str().to_owned(), &args.way.server(&args.url))?;
    let courier = Courier::new(&args.url, &args.reach, &args.way, &args.common)?
        .keeping_nothing(Trouble::interrupted_pipe);
    let pipe = Pipe::new(std::io::stdin()).map_err(|e| Trouble::failed(format!("-: {e}")))?;
    // Another process cannot resume it, so nobody needs to find it again.
    let id = Identity::passing().map_err(Trouble::failed)?.of_send(
        courier.server(),
        name.as_str(),
        &Digest::of(b""),
    );
    let subject = Subject { name: name.as_str().to_owned(), bytes: 0, folder: false };
    let report = Report::new(report::SEND, args.common.output, story, vec![subject], 0);
    let (tell, news) = mpsc::channel(1);
    let (ended, _ends) = mpsc::unbounded_channel();
    let client = courier.client();
    let queue = Queue::begin(news, async move {
        let result = client.pipe(pipe, name, id).await;
        // The receiver may be gone.
        let _ = tell.send(News::Begun { index: 0, result }).await;
    });
    courier.follow(queue, ended, report, orders).await
}

/// Queues one after the other, as there is room.
async fn feed(mut feeder: Feeder, parcels: Vec<Parcel>) -> Result<(), Over> {
    let mut files = 0;
    let mut steps = ahead_of(parcels);
    while let Some(Step { found, opened }) = steps.recv().await {
        match found {
            Parcel::File { path, name, .. } => {
                feeder.send_source(files, name, None, opened, move || Source::open(&path)).await?;
                files += 1;
            }
            Parcel::Tree(tree) => feeder.feed(tree).await?,
        }
    }
    Ok(())
}

/// One after the other, with the next short files already open.
fn ahead_of(parcels: Vec<Parcel>) -> Steps<Parcel> {
    let mut parcels = parcels.into_iter();
    ahead(move |_| parcels.next(), Parcel::open_short)
}

impl Parcel {
    fn open_short(&self) -> Option<Source> {
        match self {
            Self::File { path, bytes, .. } if is_short(*bytes) => Source::open(path).ok(),
            _ => None,
        }
    }

    /// What is known about a file; the contents of a tree are found later.
    fn subject(&self) -> Option<Subject> {
        match self {
            Self::File { name, bytes, .. } => {
                Some(Subject { name: name.as_str().to_owned(), bytes: *bytes, folder: false })
            }
            Self::Tree(_) => None,
        }
    }

    fn name(&self) -> &SafeName {
        match self {
            Self::File { name, .. } => name,
            Self::Tree(tree) => &tree.name,
        }
    }
}

/// What is sent, in a few words.
fn title(parcels: &[Parcel]) -> String {
    match parcels {
        [parcel] => parcel.name().as_str().to_owned(),
        parcels => format!("{} files and folders", parcels.len()),
    }
}

/// Checks what can be checked before anything is sent.
fn parcels(files: &[PathBuf], into: Option<&SafeName>) -> Result<Vec<Parcel>, Trouble> {
    let mut names: BTreeMap<SafeName, &Path> = BTreeMap::new();
    let mut parcels = Vec::with_capacity(files.len());
    for path in files {
        let shown = path.display();
        let meta = std::fs::metadata(path);
        let is_folder = meta.as_ref().is_ok_and(std::fs::Metadata::is_dir);
        // For a folder that is given by a path such as "..", the name is looked up.
        let found =
            if is_folder && path.file_name().is_none() { dunce::canonicalize(path).ok() } else { None };
        let name =
            found.as_ref().unwrap_or(path).file_name().map(|name| name.to_str().ok_or("it is not UTF-8"));
        let name = name.unwrap_or(Err("it ends without one"));
        let name =
            name.map_err(str::to_owned).and_then(|name| name_in(into, name).map_err(|e| e.to_string()));
        let name =
            name.map_err(|why| Trouble::usage(format!("{shown} cannot be sent under its name: {why}")))?;
        match names.insert(name.clone(), path) {
            // Named twice, it is sent once.
            Some(other) if is_same(other, path) => continue,
            Some(other) => {
                let other = other.display();
                return Err(Trouble::usage(format!(
                    "{other} and {shown} would get the same name; send one of them with another command and --into FOLDER"
                )));
            }
            None => {}
        }
        parcels.push(if is_folder {
            Parcel::Tree(Tree::open(path, name).map_err(Trouble::failed)?)
        } else {
            // A missing file is reported when its turn comes, so that the others are sent.
            Parcel::File { path: path.clone(), name, bytes: meta.map_or(0, |meta| meta.len()) }
        });
    }
    Ok(parcels)
}

/// Whether both paths lead to the same file or folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| dunce::canonicalize(path).ok();
    one == other || place(one).is_some_and(|found| place(other) == Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use crate::exit::Exit;
    use clap::Parser;

    fn check(files: &[&str]) -> Result<Vec<Parcel>, Trouble> {
        parcels(&files.iter().map(PathBuf::from).collect::<Vec<_>>(), None)
    }

    #[test]
    fn files_are_sent_under_the_last_part_of_their_path() {
        let parcels = check(&["/nowhere/a.txt", "b/día.jpg"]).expect("good names");
        let names: Vec<_> = parcels.iter().map(|parcel| parcel.name().as_str()).collect();
        assert_eq!(names, ["a.txt", "día.jpg"]);
    }

    #[test]
    fn two_files_of_one_name_are_wrong_usage() {
        let trouble = check(&["x/a", "y/a"]).expect_err("they collide");
        assert_eq!(trouble.exit, Exit::Usage);
        let text =
            "x/a and y/a would get the same name; send one of them with another command and --into FOLDER";
        assert_eq!(trouble.to_string(), text);
    }

    #[test]
    fn a_file_that_is_named_twice_is_sent_once() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("photos/2026")).expect("made");
        std::fs::write(dir.path().join("a"), "").expect("written");
        let ways = ["a", "photos", "./a", "photos/2026/..", "photos/../a", "nothing", "nothing"];
        let paths: Vec<_> = ways.map(|way| dir.path().join(way)).into();
        let parcels = parcels(&paths, None).expect("they do not collide");
        let names: Vec<_> = parcels.iter().map(|parcel| parcel.name().as_str()).collect();
        assert_eq!(names, ["a", "photos", "nothing"]);
    }

    #[test]
    fn a_file_from_stdin_goes_into_the_given_folder_too() {
        let line = "bowline send - ws://h --name photos.tar";
        let Ok(Cli { command: Command::Send(args), .. }) = Cli::try_parse_from(line.split(' ')) else {
            panic!("a command to send")
        };
        for given in ["2026/november", "2026/november/"] {
            let name =
                stdin(&args, Some(&folder(given).expect(given))).expect("a good name").expect("a name");
            assert_eq!(name.as_str(), "2026/november/photos.tar");
        }
    }

    #[test]
    fn a_folder_is_sent_under_its_last_name_however_it_is_given() {
        let dir = tempfile::tempdir().expect("a folder");
        let photos = dir.path().join("photos");
        std::fs::create_dir_all(photos.join("2026")).expect("made");
        for way in ["photos", "photos/", "photos/.", "photos/2026/.."] {
            let parcels = parcels(&[dir.path().join(way)], None).expect(way);
            assert_eq!(parcels[0].name().as_str(), "photos", "{way}");
            assert!(matches!(parcels[0], Parcel::Tree(_)), "{way}");
        }
        let trouble = check(&["/"]).expect_err("it has no name");
        assert_eq!(trouble.exit, Exit::Usage);
    }

    #[tokio::test]
    async fn short_files_are_open_when_their_turn_comes() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(dir.path().join("folder")).expect("made");
        std::fs::write(dir.path().join("short"), "a").expect("written");
        std::fs::write(dir.path().join("long"), vec![0; 100_000]).expect("written");
        let paths: Vec<_> = ["long", "short", "folder", "nothing"].map(|name| dir.path().join(name)).into();
        let mut steps = ahead_of(parcels(&paths, None).expect("good names"));
        let mut are_open = Vec::new();
        while let Some(step) = steps.recv().await {
            are_open.push(step.opened.is_some());
        }
        assert_eq!(are_open, [false, true, false, false]);
    }

    #[test]
    fn a_folder_and_a_file_of_one_name_are_wrong_usage() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join("x/a")).expect("made");
        let trouble = parcels(&[dir.path().join("x/a"), "y/a".into()], None).expect_err("they collide");
        assert_eq!(trouble.exit, Exit::Usage);
    }

    #[test]
    fn a_name_that_no_server_accepts_is_refused_before_anything_is_sent() {
        let trouble = check(&["a?b"]).expect_err("not on every system");
        assert_eq!(
            trouble.to_string(),
            "a?b cannot be sent under its name: the name holds the character '?'"
        );
    }
}
