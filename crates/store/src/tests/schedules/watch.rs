//! Checks that what a receiver reports is true: at each promise the power is cut on a twin of its device, which is then
//! recovered.

use super::goods::{Goods, read};
use crate::sys::Folder;
use crate::sys::model::{Device, Kept};
use crate::{Attach, Attached, Config, DiskStore, Mode, Spec};
use bowline_core::Rng;
use bowline_core::transfer::wire::{self, Frame, Handle, Have};
use bowline_core::transfer::{Digest, TransferId};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

/// Looks at the frames of one link.
pub(super) struct Watch {
    /// What was offered, and how many bytes of it were called safe on this link.
    offers: BTreeMap<Handle, (wire::Offer, u64)>,
    rng: Rng,
    config: Config,
}

impl Watch {
    pub(super) fn new(rng: Rng, config: Config) -> Self {
        Self { offers: BTreeMap::new(), rng, config }
    }

    /// A new link, on which handles start again.
    pub(super) fn link_up(&mut self) {
        self.offers.clear();
    }

    /// A message leaves an end whose received files are on this device.
    pub(super) fn look(&mut self, message: &[u8], device: &Device, goods: &mut [Goods]) {
        if message[0] == 0x20 {
            return;
        }
        match wire::decode(Bytes::copy_from_slice(message)) {
            Ok(Frame::Offer(handle, offer)) => drop(self.offers.insert(handle, (offer, 0))),
            Ok(Frame::Accept(handle, accept)) => {
                let Some((offer, safe)) = self.offers.get_mut(&handle) else { return };
                if accept.have == Have::Part {
                    *safe = accept.resume;
                    let offer = offer.clone();
                    self.check_promise(&offer, accept.resume, device, goods);
                }
            }
            Ok(Frame::Ack(handle, ack)) => {
                let Some((offer, safe)) = self.offers.get_mut(&handle) else { return };
                assert!(ack.durable >= *safe, "{safe} bytes were safe, {} are", ack.durable);
                if ack.durable > *safe {
                    *safe = ack.durable;
                    let offer = offer.clone();
                    self.check_promise(&offer, ack.durable, device, goods);
                }
            }
            Ok(Frame::Done(handle, whole)) => {
                let Some((offer, _)) = self.offers.get(&handle) else { return };
                let offer = offer.clone();
                self.check_end(&offer, whole.digest, device, goods);
            }
            _ => {}
        }
    }

    /// This many bytes were reported as safe.
    fn check_promise(&mut self, offer: &wire::Offer, safe: u64, device: &Device, goods: &mut [Goods]) {
        let Some(good) = goods.iter_mut().find(|good| good.id == offer.id) else { return };
        if !good.has_changed() {
            let is_kept = safe >= good.promised || self.is_replaced(device, &good.name);
            assert!(is_kept, "{}: {} bytes were safe, {safe} are", good.name, good.promised);
            good.promised = safe;
        }
        let version = (!good.has_changed()).then(|| good.versions[0].clone());
        if safe == 0 {
            return;
        }
        match self.recover(offer, device, goods) {
            // A report from before the file was in its place may arrive after it is.
            Attached::Partial { .. } if self.is_replaced(device, offer.name.as_str()) => {}
            Attached::Partial { durable, prefix, .. } => {
                assert!(durable >= safe, "{}: {safe} bytes were promised, {durable} are left", offer.name);
                if let Some(version) = version {
                    assert_eq!(prefix, Digest::of(&version[..durable as usize]), "{}", offer.name);
                }
            }
            Attached::Committed { .. } | Attached::Present { .. } => {}
        }
    }

    /// With no record of it left, a sender that missed the confirmation replaces a finished file with itself, from the
    /// first byte.
    fn is_replaced(&self, device: &Device, name: &str) -> bool {
        self.config.overwrite && self.config.keep_committed.is_none() && read(device, name).is_some()
    }

    /// The file was reported to be in place.
    fn check_end(&mut self, offer: &wire::Offer, digest: Digest, device: &Device, goods: &[Goods]) {
        let twin = self.cut_power(device, goods);
        let found = read(&twin, offer.name.as_str()).map(|data| Digest::of(&data));
        let is_expected = found == Some(digest) || (found.is_some() && self.config.overwrite);
        assert!(is_expected, "{}: done, and gone at a power cut", offer.name);
    }

    fn recover(&mut self, offer: &wire::Offer, device: &Device, goods: &[Goods]) -> Attached {
        let twin = self.cut_power(device, goods);
        let top = Folder::Model(twin.top(twin.start_process()));
        let store = DiskStore::within(top, self.config.clone()).expect("a store");
        let wire::Offer { name, length, mtime_ms, validator, .. } = offer.clone();
        let spec = Spec { name, length, mtime_ms, validator };
        let attach = Attach { mode: Mode::AttachOrCreate, epoch_seen: 0, owner: [0; 16] };
        let id = TransferId::from_bytes(*offer.id.as_bytes());
        store.attach(id, &spec, attach, UNIX_EPOCH + Duration::from_secs(1_800_000_000)).expect("recovered")
    }

    /// A twin of the device after a power cut: every file on it is whole.
    fn cut_power(&mut self, device: &Device, goods: &[Goods]) -> Device {
        let twin = device.twin();
        let kept = if self.rng.next_u32() & 1 == 0 { Kept::Nothing } else { Kept::Some };
        twin.heal();
        twin.lose_power(kept, &mut self.rng);
        check_whole(&twin, goods);
        twin
    }
}

/// Every name refers to nothing, or to a complete file.
pub(super) fn check_whole(device: &Device, goods: &[Goods]) {
    for good in goods {
        let is_whole = read(device, &good.name).is_none_or(|data| good.is_whole(&data));
        assert!(is_whole, "{} is neither whole nor absent", good.name);
    }
}
