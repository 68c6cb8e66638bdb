//! The power fails at every step of every story, and the device keeps as little or as much as it may.

mod device;

use super::folders::{SOME_TIME, folder, mode, mtime_ms};
use super::sender::{Sender, flushed_twice, in_many_links};
use super::*;
pub(super) use device::fast_folder;
use device::{Device, Kept, Lost};

struct Story {
    config: Config,
    /// What has the name beforehand.
    before: Option<&'static [u8]>,
    far: bool,
    dies_after: Option<usize>,
    sender: fn() -> Sender,
    tell: fn(&DiskStore, &mut Sender) -> Result<(), StoreError>,
}

impl Story {
    fn new(tell: fn(&DiskStore, &mut Sender) -> Result<(), StoreError>) -> Self {
        let sender = || Sender::new("d/a", content(2 * 65_536 + 30_077));
        Self { config: Config::default(), before: None, far: false, dies_after: None, sender, tell }
    }

    /// Runs the story again and again, one step further each time, until its end.
    fn survives(&self) {
        for steps in 0.. {
            let (whole, lost) = self.survives_at(steps, Kept::ALL);
            for kept in Kept::all().filter(|kept| kept.matters(lost)) {
                self.survives_at(steps, kept);
            }
            if whole {
                assert!(steps > 3, "the story has steps");
                return;
            }
        }
    }

    /// Whether the story reached its end before the power failed, and what was lost.
    fn survives_at(&self, steps: usize, kept: Kept) -> (bool, Lost) {
        let base = fast_folder();
        let device = Arc::new(Device::new(base.path(), self, steps));
        let mut sender = (self.sender)();
        let file = sender.spec.name.as_str().to_owned();
        let path = device.served.join(&file);
        if let Some(before) = self.before {
            device.put(&file, before);
        }
        let store = DiskStore::open_with(&device.served, self.config.clone(), Faults::new(device.clone()))
            .expect("a store");
        let told = (self.tell)(&store, &mut sender);
        drop(store);
        let lost = device.lose_power(kept);
        let case = format!("{steps} steps, {kept:?}, {told:?}");

        // At any time, a reader of the name sees a complete file or none.
        if let Ok(found) = fs::read(&path) {
            assert!(Some(&*found) == self.before || found == sender.data, "half a file: {case}");
        } else {
            assert!(self.before.is_none() && !sender.done, "no file: {case}");
        }
        device.restore_power();
        let store = DiskStore::open_with(&device.served, self.config.clone(), Faults::new(device.clone()))
            .expect("a store");
        sender.finish(&store).unwrap_or_else(|e| panic!("{e}: {case}"));
        assert!(fs::read(&path).expect("the file") == sender.data, "another file: {case}");
        store.sweep(day(1000), 100).expect("swept");
        assert_eq!(files(&device.served), [file], "{case}");
        (told.is_ok(), lost)
    }
}

#[test]
fn a_long_upload_survives() {
    Story::new(flushed_twice).survives();
}

#[test]
fn a_long_upload_without_a_journal_afterwards_survives() {
    let mut story = Story::new(flushed_twice);
    story.config.keep_committed = None;
    story.survives();
}

#[test]
fn a_small_upload_survives() {
    let mut story = Story::new(|store, sender| sender.finish(store));
    story.sender = || Sender::new("a", content(1000));
    story.survives();
}

#[test]
fn a_small_upload_of_unknown_length_survives() {
    let mut story = Story::new(|store, sender| sender.finish(store));
    story.sender = || {
        let mut sender = Sender::new("a", content(1000));
        sender.spec.length = None;
        sender
    };
    story.survives();
}

#[test]
fn a_replacement_survives() {
    let mut story = Story::new(flushed_twice);
    story.config.overwrite = true;
    story.before = Some(b"what was there before");
    story.sender = || Sender::new("a", content(150_000));
    story.survives();
}

#[test]
fn an_upload_to_another_file_system_survives() {
    let mut story = Story::new(flushed_twice);
    story.far = true;
    story.survives();
}

#[test]
fn an_upload_in_many_links_survives() {
    Story::new(in_many_links).survives();
}

#[test]
fn a_restart_with_another_version_survives() {
    Story::new(|store, sender| {
        let whole = std::mem::replace(&mut sender.data, content(90_000));
        let second = std::mem::replace(&mut sender.spec, spec("d/a", 90_000));
        sender.spec.validator = None;
        let told = (|| {
            let mut partial = sender.attach(store)?.expect("nothing there yet");
            sender.write(&mut partial, 80_000)?;
            sender.flush(&mut partial)
        })();
        // From here on the sender wants the other version, whatever happened to the first.
        (sender.data, sender.spec) = (whole.iter().map(|byte| byte ^ 0x55).collect(), second);
        (sender.mode, sender.safe) = (Mode::Restart, 0);
        told?;
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_transfer_that_begins_anew_after_its_file_was_removed_survives() {
    Story::new(|store, sender| {
        sender.finish(store)?;
        fs::remove_file(store.dir().join("d/a")).map_err(StoreError::at(store.dir()))?;
        (sender.done, sender.safe) = (false, 0);
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_discarded_upload_leaves_nothing_that_matters() {
    Story::new(|store, sender| {
        let mut partial = sender.attach(store)?.expect("nothing there yet");
        sender.write(&mut partial, 80_000)?;
        sender.flush(&mut partial)?;
        sender.safe = 0;
        partial.discard()?;
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_crash_before_the_power_cut_loses_no_safe_byte() {
    let mut story = Story::new(|store, sender| {
        let mut partial = sender.attach(store)?.expect("nothing there yet");
        sender.write(&mut partial, 40_000)?;
        sender.flush(&mut partial)?;
        sender.write(&mut partial, 40_000)?;
        sender.flush(&mut partial)?;
        sender.write(&mut partial, 40_000)?;
        let told = sender.flush(&mut partial);
        drop(partial);
        match told {
            Err(e) if e.io_error().is_some_and(|e| e.kind() == io::ErrorKind::Interrupted) => {}
            told => return told,
        }
        sender.finish(store)
    });
    story.dies_after = Some(3);
    story.survives();
}

#[test]
fn an_upload_into_a_folder_that_somebody_else_has_just_made_survives() {
    Story::new(|store, sender| {
        fs::create_dir(store.dir().join("d")).map_err(StoreError::at(store.dir()))?;
        sender.finish(store)
    })
    .survives();
}

#[test]
fn a_folder_that_was_dressed_keeps_its_time_and_mode() {
    let base = fast_folder();
    let device = Arc::new(Device::new(base.path(), &Story::new(flushed_twice), usize::MAX));
    let store = DiskStore::open_with(&device.served, Config::default(), Faults::new(device.clone()))
        .expect("a store");
    store.make_folder(&folder("d/made")).expect("made");
    store.dress(SOME_TIME, folder("d").unix_mode).expect("dressed");
    device.lose_power(Kept::NOTHING);
    for path in [&device.served, &device.served.join("d/made")] {
        assert_eq!((mode(path), mtime_ms(path)), (0o750, SOME_TIME), "{}", path.display());
    }
}
