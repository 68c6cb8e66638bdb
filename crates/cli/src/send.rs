//! `bowline send`: files to a server.

use crate::args::Send;
use crate::courier::{Courier, Started};
use crate::exit::Trouble;
use crate::identity::Identity;
use crate::report::{self, Report};
use crate::signals::Interrupt;
use bowline_core::transfer::SafeName;
use bowline_store::Source;
use bowline_tokio::{Client, Transfer, TransferError};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A file to send, under the name that it gets.
#[derive(Debug)]
struct Parcel {
    path: PathBuf,
    name: SafeName,
    bytes: u64,
}

pub(crate) async fn run(args: Send, identity: Identity, interrupt: Interrupt) -> Result<(), Trouble> {
    if !args.url.contains("://") {
        return Err(Trouble::usage(format!(
            "{} is no URL; the last word is the server's: ws://HOST:PORT",
            args.url
        )));
    }
    let parcels = parcels(&args.files)?;
    let courier = Courier::new(&args.url, &args.reach, &args.token, &args.common)?;
    let files = parcels.iter().map(|parcel| (parcel.name.as_str().to_owned(), parcel.bytes));
    let report = Report::new(report::SEND, args.common.output, files);
    let (tell, started) = mpsc::channel(1);
    tokio::spawn(queue(courier.client(), courier.server().to_owned(), identity, parcels, tell));
    courier.follow(started, report, interrupt).await
}

/// Queues one file after the other, as there is room.
async fn queue(
    client: Client,
    server: String,
    identity: Identity,
    parcels: Vec<Parcel>,
    tell: mpsc::Sender<Started>,
) {
    let identity = Arc::new(identity);
    for (index, Parcel { path, name, .. }) in parcels.into_iter().enumerate() {
        let transfer = begin(&client, &server, &identity, &path, name).await;
        if tell.send((index, transfer)).await.is_err() {
            return;
        }
    }
}

async fn begin(
    client: &Client,
    server: &str,
    identity: &Arc<Identity>,
    path: &Path,
    name: SafeName,
) -> Result<Transfer, TransferError> {
    let (identity, server, file, label) =
        (Arc::clone(identity), server.to_owned(), path.to_owned(), name.clone());
    // A disk may take its time.
    let id = tokio::task::spawn_blocking(move || {
        let source = Source::open(&file)?.identity();
        Ok(identity.of_send(&server, label.as_str(), &source))
    });
    let id = id.await.map_err(|_| TransferError::Closed)?.map_err(TransferError::File)?;
    client.upload(path, name, id).await
}

/// Checks what can be checked before anything is sent.
fn parcels(files: &[PathBuf]) -> Result<Vec<Parcel>, Trouble> {
    let mut names: BTreeMap<SafeName, &Path> = BTreeMap::new();
    let mut parcels = Vec::with_capacity(files.len());
    for path in files {
        let shown = path.display();
        let meta = std::fs::metadata(path);
        if meta.as_ref().is_ok_and(std::fs::Metadata::is_dir) {
            return Err(Trouble::usage(format!(
                "{shown} is a folder; send its files, or pack it into one (tar)"
            )));
        }
        let name = path.file_name().map(|name| name.to_str().ok_or("it is not UTF-8"));
        let name = name.unwrap_or(Err("it ends without one"));
        let name =
            name.map_err(str::to_owned).and_then(|name| SafeName::parse(name).map_err(|e| e.to_string()));
        let name =
            name.map_err(|why| Trouble::usage(format!("{shown} cannot be sent under its name: {why}")))?;
        if let Some(other) = names.insert(name.clone(), path) {
            let other = other.display();
            return Err(Trouble::usage(format!(
                "{other} and {shown} would get the same name; send them one by one"
            )));
        }
        // A missing file is told when its turn comes, so that the others go on.
        parcels.push(Parcel { path: path.clone(), name, bytes: meta.map_or(0, |meta| meta.len()) });
    }
    Ok(parcels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn check(files: &[&str]) -> Result<Vec<Parcel>, Trouble> {
        parcels(&files.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn files_go_under_their_last_names() {
        let parcels = check(&["/nowhere/a.txt", "b/día.jpg"]).expect("good names");
        let names: Vec<_> = parcels.iter().map(|parcel| parcel.name.as_str()).collect();
        assert_eq!(names, ["a.txt", "día.jpg"]);
    }

    #[test]
    fn two_files_of_one_name_are_wrong_usage() {
        let trouble = check(&["x/a", "y/a"]).expect_err("they collide");
        assert_eq!(trouble.exit, Exit::Usage);
        assert_eq!(trouble.to_string(), "x/a and y/a would get the same name; send them one by one");
    }

    #[test]
    fn a_folder_is_wrong_usage() {
        for folder in ["/", "/tmp", ".", ".."] {
            let trouble = check(&[folder]).expect_err(folder);
            assert_eq!(trouble.exit, Exit::Usage, "{folder}");
            assert!(trouble.to_string().contains("is a folder"), "{folder}");
        }
    }

    #[test]
    fn a_name_that_no_server_takes_is_told_before_anything_is_sent() {
        let trouble = check(&["a:b"]).expect_err("not on every system");
        assert_eq!(
            trouble.to_string(),
            "a:b cannot be sent under its name: the name holds the character ':'"
        );
    }
}
