//! The real binary, in processes of its own.

#[cfg(unix)]
mod access;
mod changes;
mod claims;
mod common;
mod demo;
#[cfg(unix)]
mod descriptors;
mod encrypted;
mod figures;
mod files;
mod floods;
mod gateway;
mod headers;
#[cfg(unix)]
mod lengths;
mod listing;
mod pages;
mod path;
#[cfg(unix)]
mod permissions;
mod pipes;
mod probe;
mod progress;
mod proxies;
mod quotas;
mod ranges;
mod refusals;
mod resume;
#[cfg(unix)]
mod screens;
mod settings;
#[cfg(unix)]
mod shown;
mod space;
#[cfg(target_os = "linux")]
mod stdout;
mod story;
#[cfg(unix)]
mod terminal;
#[cfg(all(unix, target_pointer_width = "64"))]
mod threads;
mod trees;
#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
mod unread;
mod usage;
mod watch;
