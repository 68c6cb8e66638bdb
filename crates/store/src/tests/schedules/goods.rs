//! The files that should arrive, and what their users do about them.

use super::host::Host;
use crate::sys::model::Device;
use crate::sys::{Access, File};
use crate::tests::name;
use bowline_core::transfer::{Code, Digest, Offer, TransferId};
use bowline_core::{Instant, Rng};

/// A file, all versions that its source has had, and how its transfer ended.
pub(super) struct Goods {
    pub(super) name: String,
    pub(super) is_upload: bool,
    pub(super) versions: Vec<Vec<u8>>,
    pub(super) id: TransferId,
    pub(super) end: Option<Result<Digest, Code>>,
    /// How often a user has started.
    pub(super) begun: u32,
    /// When a user starts again.
    pub(super) again: Option<Instant>,
    /// How many bytes the receiver has reported as safe.
    pub(super) promised: u64,
}

impl Goods {
    pub(super) fn new(n: usize, rng: &mut Rng) -> Self {
        let len = [0, 1, 1000, 65_536, 65_537, 100_000, 200_000][rng.next_u32() as usize % 7];
        let is_upload = rng.next_u32() % 3 > 0;
        // No two pieces of a file are alike: it repeats a prime number of random bytes.
        let mut data = rng.bytes::<1021>().repeat(len / 1021 + 1);
        data.truncate(len);
        let name = format!("{} {n}", if is_upload { "up" } else { "down" });
        let id = short(&Digest::of(name.as_bytes()));
        Self { name, is_upload, versions: vec![data], id, end: None, begun: 0, again: None, promised: 0 }
    }

    /// Whether these are the bytes of one version, from the first to the last.
    pub(super) fn is_whole(&self, data: &[u8]) -> bool {
        self.versions.iter().any(|version| version == data)
    }

    pub(super) fn has_changed(&self) -> bool {
        self.versions.len() > 1
    }

    /// Sends it, or requests it, as the command does: under an id that the same file always leads to.
    pub(super) fn begin(&mut self, now: Instant, client: &mut Host) {
        self.begun += 1;
        assert!(self.begun < 60, "{} is begun again and again", self.name);
        let name = name(&self.name);
        if !self.is_upload {
            client.session().transfers.request(now, self.id, name).expect("a new transfer");
            return;
        }
        let source = client.store.source(&name).expect("the source");
        let id = short(&Digest::of(&[source.identity().as_bytes(), self.name.as_bytes()].concat()));
        if id != self.id {
            (self.id, self.promised) = (id, 0);
        }
        let mut offer = Offer::new(id, name, source.length());
        (offer.mtime_ms, offer.validator) = (source.mtime_ms(), Some(source.validator()));
        let session = client.session();
        session.worker.add_source(id, source);
        session.transfers.offer(now, offer).expect("a new transfer");
    }

    /// The source is replaced by another one of the same length, in place or with a new inode, perhaps with the same
    /// time.
    pub(super) fn change(&mut self, device: &Device, in_place: bool, same_time: bool) {
        let mut version = self.versions.last().expect("one").clone();
        version.rotate_left(1);
        version[0] ^= 1;
        let top = device.top(device.start_process());
        let time = top.stat(&self.name).expect("readable").expect("there").id.modified;
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(time.unsigned_abs());
        let file = if in_place {
            top.open_file(&self.name, Access::Edit).expect("the source")
        } else {
            top.open_file("new", Access::New).expect("a new file")
        };
        file.write_all_at(&version, 0).expect("written");
        if same_time {
            file.set_modified(time).expect("set");
        }
        file.sync().expect("stored");
        if !in_place {
            top.rename("new", &top, &self.name, true).expect("replaced");
        }
        top.sync().expect("stored");
        self.versions.push(version);
    }
}

/// Creates a file there that has been there for long.
pub(super) fn put(device: &Device, name: &str, data: &[u8]) {
    let top = device.top(device.start_process());
    let file = top.open_file(name, Access::New).expect("a new file");
    file.write_all_at(data, 0).expect("written");
    file.sync().expect("stored");
    top.sync().expect("stored");
}

/// What has a name.
pub(super) fn read(device: &Device, name: &str) -> Option<Vec<u8>> {
    let top = device.top(device.start_process());
    let file = File::Model(top.open_file(name, Access::Read).ok()?);
    let mut data = vec![0; crate::sys::meta(&file).expect("readable").id.len as usize];
    crate::sys::read_full_at(&file, &mut data, 0).expect("readable");
    Some(data)
}

/// Every name on a device, each folder before its contents.
pub(super) fn names(device: &Device) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), device.top(device.start_process()))];
    while let Some((path, folder)) = folders.pop() {
        for name in folder.names().expect("a folder") {
            let path = format!("{path}{name}");
            if let Ok(inner) = folder.enter(&name) {
                folders.push((format!("{path}/"), inner));
            }
            found.push(path);
        }
    }
    found
}

fn short(digest: &Digest) -> TransferId {
    TransferId::from_bytes(digest.as_bytes()[..16].try_into().expect("16 bytes"))
}
