//! Programs as they run in the field, on real sockets of this machine: slow links, slow receivers, busy senders, a proxy
//! that cuts what is idle, paths that fall silent, processes that stand still.
//!
//! They take up to two minutes each, are run over each adapter, and are ignored. `tests/interop/field` installs the
//! foreign programs that some of them talk to, and runs all of them side by side.

#![allow(clippy::print_stdout)]

/// Makes a test of each of these for each adapter.
macro_rules! over {
    ($($test:ident)*) => {
        over!(@over over_tokio Tokio $($test)*);
        over!(@over over_blocking Blocking $($test)*);
    };
    (@over $name:ident $adapter:ident $($test:ident)*) => {
        mod $name {
            $(#[tokio::test]
            #[ignore = "real sockets against the clock: tests/interop/field runs it"]
            async fn $test() {
                super::$test(crate::files::Adapter::$adapter).await;
            })*
        }
    };
}

mod busy;
mod ends;
mod lost;
mod proxy;
mod relay;
mod stopped;
mod storm;

// Whom the tests of transfers talk of, too: this program uses its part of them.
#[allow(dead_code)]
#[path = "../transfers/ends/mod.rs"]
mod files;
#[allow(dead_code)]
#[path = "../transfers/papers.rs"]
mod papers;

#[path = "../peer/mod.rs"]
mod peer;
