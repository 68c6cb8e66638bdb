//! How long an upload takes over different paths, as a table: a changed number is a difference in a review.

use bowline_core::{End, Role};
use bowline_tests::golden;
use bowline_tests::sim::{Link, Path, World, contents};
use std::fmt::Write as _;
use std::path::Path as File;
use std::time::Duration;

/// Megabits per second, and the round trip in milliseconds.
const PATHS: [(u64, u64); 6] = [(1, 30), (10, 30), (10, 300), (100, 2), (100, 30), (100, 300)];

/// The most that buffers on the path hold.
#[derive(Clone, Copy)]
enum Buffers {
    /// A kernel's, which grow with what is under way.
    Direct,
    /// Also a proxy's, which absorbs what it can get.
    Proxy,
}

impl Buffers {
    fn size(self, rate: u64, round_trip: u64) -> usize {
        let on_the_way = rate * round_trip / 1000;
        let kernel = ((512 << 10) + 2 * on_the_way).min(4 << 20) as usize;
        match self {
            Self::Direct => kernel,
            Self::Proxy => kernel + (8 << 20),
        }
    }
}

struct Outcome {
    took: Duration,
    /// Compared with the time that the bytes take on the line alone.
    used: f64,
    longest_wait: Duration,
    sent: u64,
}

fn upload(megabits: u64, round_trip: u64, buffers: Buffers, cuts: u64) -> Outcome {
    let rate = megabits * 125_000;
    let len = (rate * 10).min(16_000_000);
    let buffer = buffers.size(rate, round_trip);
    let path = Path {
        segment: 8 << 10,
        send_buffer: buffer,
        receive_buffer: buffer,
        ..Path::new(Duration::from_millis(round_trip) / 2, Some(rate))
    };
    let mut world = World::new(1);
    world.handshake = path.latency * 2;
    world.dialler = Box::new(move |n, now| {
        let mut link = Link::new(path.clone(), now);
        if u64::from(n) < cuts {
            link.cut_after(Role::Client, len / (cuts + 1), End::Reset);
        }
        Some(link)
    });
    let data = contents(1, len as usize);
    world.upload("file", data.clone());
    assert!(world.run(Duration::from_secs(600)), "{:?}", world.past);
    assert!(world.server_disk.file("file") == data);
    let took = world.now().since_start();
    let used = len as f64 / rate as f64 / took.as_secs_f64();
    Outcome { took, used, longest_wait: world.longest_wait.0, sent: world.sent().0 - len }
}

#[test]
fn uploads_take_as_long_as_the_table_says() {
    let mut table = String::from(
        "An upload of 10 s or 16 MB in virtual time. Wait: the longest that a ping would have had to wait for data that\n\
         buffers on the path hold. Extra: bytes sent beyond those of the file.\n\n\
         path                 buffers  cuts     took   line used    wait    extra\n",
    );
    for (megabits, round_trip) in PATHS {
        for (name, buffers, cuts) in
            [("direct", Buffers::Direct, 0), ("proxy", Buffers::Proxy, 0), ("direct", Buffers::Direct, 3)]
        {
            let Outcome { took, used, longest_wait, sent } = upload(megabits, round_trip, buffers, cuts);
            let path = format!("{megabits} Mbit/s, {round_trip} ms");
            let _ = writeln!(
                table,
                "{path:<20} {name:<8} {cuts:>4} {:>6.2} s {:>9.0} % {:>4} ms {:>5} kB",
                took.as_secs_f64(),
                used * 100.0,
                longest_wait.as_millis(),
                sent / 1000,
            );
        }
    }
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("golden/uploads.txt");
    golden::check(&file, &table).unwrap_or_else(|error| panic!("{error}"));
}
