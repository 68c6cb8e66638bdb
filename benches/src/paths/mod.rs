//! The hot paths of the machines, each as a step that is repeated: for time by criterion, and for the number of
//! instructions by callgrind.

mod frames;
mod machines;
mod transfer;

use std::fmt;

/// A hot path that is ready to run.
pub struct HotPath {
    /// What it does, with its size: `parse/server/1024`.
    pub name: String,
    /// How many bytes of payload a step moves.
    pub bytes: u64,
    step: Box<dyn FnMut()>,
}

impl HotPath {
    fn new(name: impl Into<String>, bytes: usize, step: impl FnMut() + 'static) -> Self {
        Self { name: name.into(), bytes: bytes as u64, step: Box::new(step) }
    }

    /// Takes one step.
    pub fn step(&mut self) {
        (self.step)();
    }
}

impl fmt::Debug for HotPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HotPath")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// Makes a path; nothing is prepared before it is called.
pub type Make = fn() -> HotPath;

/// All of them.
pub fn all() -> Vec<Make> {
    [frames::PATHS, machines::PATHS, transfer::PATHS].concat()
}
