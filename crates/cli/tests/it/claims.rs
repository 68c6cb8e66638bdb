//! What a server may put where: it says whether a name is a file or a folder, and names the contents of a folder.

use crate::common::World;
use std::fs;

/// Somebody's own folder, and a server for which `photo` is a folder, with a name in it that belongs to no photo.
fn home() -> World {
    let world = World::new();
    world.file("inbox/photo/.profile", 100);
    world.file("home/letter", 10);
    world
}

#[test]
fn a_server_that_is_asked_for_one_thing_puts_no_others_into_a_folder() {
    let world = home();
    let server = world.serve(&[]);
    let url = format!("{}/photo", server.url);
    for words in [&[&*url, "-o", "home"][..], &[&*url, "-o", "home/"], &[&*url, "-o", "."]] {
        for more in [&[][..], &["--overwrite"]] {
            let fetched = world.run(["fetch"].iter().chain(words).chain(more));
            let said = "photo: it is a folder, and ";
            assert!(fetched.code == Some(1) && fetched.stderr.contains(said), "{words:?}: {fetched:?}");
            assert!(fetched.stderr.contains("write photo/ "), "{words:?}: {fetched:?}");
        }
    }
    let named = world.run(["fetch", &server.url, "--name", "photo", "-o", "home"]);
    assert!(named.code == Some(1) && named.stderr.contains("write photo/ "), "{named:?}");
    let here = fs::read_dir(world.path("home")).expect("listed");
    assert_eq!(
        here.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect::<Vec<_>>(),
        ["letter"]
    );
    assert!(!world.path(".profile").exists());
}

#[test]
fn a_slash_after_a_name_asks_for_the_contents_of_the_folder() {
    let world = home();
    let server = world.serve(&[]);
    let url = format!("{}/photo/", server.url);
    assert_eq!(world.run(["fetch", &url, "-o", "home"]).code, Some(0));
    assert!(world.path("home/.profile").exists() && world.path("home/letter").exists());
    let named = world.run(["fetch", &server.url, "--name", "photo/", "-o", "home"]);
    assert!(named.code == Some(0) && named.stderr.contains("already there"), "{named:?}");
}

#[test]
fn a_folder_is_fetched_into_an_existing_one_of_its_name() {
    let world = home();
    world.file("photo/mine", 10);
    world.file("home/photo/mine", 10);
    let server = world.serve(&[]);
    let url = format!("{}/photo", server.url);
    assert_eq!(world.run(["fetch", &url]).code, Some(0));
    assert_eq!(world.run(["fetch", &url, "-o", "home/photo"]).code, Some(0));
    assert!(world.path("photo/.profile").exists() && world.path("home/photo/.profile").exists());
}

#[test]
fn only_the_same_command_may_use_its_folder_again() {
    let world = home();
    world.file("inbox/other/x", 1);
    let server = world.serve(&[]);
    fs::create_dir(world.path("empty")).expect("made");
    let fetch =
        |name: &str, place: &str| world.run(["fetch", &format!("{}/{name}", server.url), "-o", place]);
    for place in ["copy", "new/", "empty"] {
        for name in ["photo", "photo"] {
            let fetched = fetch(name, place);
            assert_eq!(fetched.code, Some(0), "{place}: {fetched:?}");
        }
        assert_eq!(fetch("other", place).code, Some(1), "{place}");
        assert!(!world.path(place).join("x").exists());
    }
}
