//! Programs as they run in the field, on real sockets of this machine: slow links, slow receivers, busy senders, a
//! proxy that cuts idle connections, paths that fall silent, processes that are stopped.
//!
//! They take up to two minutes each, run with each adapter, and are ignored by default. `tests/interop/field` installs
//! the foreign programs that some of them talk to, and runs all of them in parallel.

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

// Also used by the tests of transfers; this program uses a part of it.
#[allow(dead_code)]
#[path = "../transfers/ends/mod.rs"]
mod files;
#[allow(dead_code)]
#[path = "../transfers/papers.rs"]
mod papers;

#[path = "../peer/mod.rs"]
mod peer;
