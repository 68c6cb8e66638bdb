//! The controller of chunks and window against fixed sizes without a window, over many paths, as tables.

use bowline_tests::golden;
use bowline_tests::path::{Buffers, Outcome, Scene, Weather, adaptive, fixed};
use std::fmt::Write as _;
use std::path::Path as File;
use std::time::Duration;

/// Megabits per second, and the round trip in milliseconds.
const STEADY: [(u64, u64); 9] =
    [(1, 30), (10, 30), (10, 300), (100, 1), (100, 30), (100, 300), (1000, 1), (1000, 30), (10_000, 1)];
const STRESS: [(u64, u64); 6] = [(1, 30), (10, 30), (10, 300), (100, 30), (100, 300), (1000, 30)];

/// In KiB.
const FIXED: [usize; 4] = [64, 256, 768, 1024];

/// A path, with the results of fixed sizes and of our controller.
struct Cell {
    scene: Scene,
    fixed: [Outcome; 4],
    ours: Outcome,
}

impl Cell {
    fn best_used(&self) -> f64 {
        self.fixed.iter().map(|outcome| outcome.used).fold(0.0, f64::max)
    }

    /// The cost of the usual advice of 256 KiB.
    fn usual_wait(&self) -> Duration {
        self.fixed[1].worst_wait
    }

    fn name(&self) -> String {
        let Scene { megabits, round_trip, .. } = self.scene;
        match megabits {
            1000.. => format!("{} Gbit/s, {round_trip} ms", megabits / 1000),
            _ => format!("{megabits} Mbit/s, {round_trip} ms"),
        }
    }
}

fn compare(paths: &[(u64, u64)], buffers: Buffers, weather: Weather) -> Vec<Cell> {
    let cell = |&(megabits, round_trip): &(u64, u64)| {
        let scene = Scene { megabits, round_trip, buffers, weather };
        Cell { scene, fixed: FIXED.map(|chunk| fixed(scene, chunk << 10)), ours: adaptive(scene) }
    };
    paths.iter().map(cell).collect()
}

const READING: &str = "Each cell: the part of the line that is used, and the longest that a control frame would have to wait behind data.\n\
     Fixed: messages of one size in one frame each, no window. Ours: the real machines, and how long a chunk was on\n\
     average; start-up and handshake of the transfer count.\n";

/// Compares with the golden file of this name.
fn check(name: &str, title: &str, cells: &[Cell]) {
    let drops = cells.iter().any(|cell| cell.scene.weather == Weather::Drop);
    let mut table = format!("{title}\n{READING}");
    if drops {
        table += "Calm: how long after the drop no control frame waits longer than 0.25 s, or two of the smallest chunks take,\n\
                  and a round trip of 0.25 s at most.\n";
    }
    let _ = write!(table, "\n{:<18}", "path");
    for chunk in FIXED {
        let _ = write!(table, "{:>15}", format!("fixed {chunk}K"));
    }
    let _ = writeln!(table, "{:>15}{:>8}{}", "ours", "chunk", if drops { "     calm" } else { "" });
    for cell in cells {
        let _ = write!(table, "{:<18}", cell.name());
        for outcome in cell.fixed.iter().chain([&cell.ours]) {
            let wait = wait(outcome.worst_wait);
            let _ = write!(table, "{:>15}", format!("{:.0} % {wait:>8}", outcome.used * 100.0));
        }
        let _ = write!(table, "{:>7}K", cell.ours.mean_chunk >> 10);
        if drops {
            let _ = write!(table, " {:>8}", wait(cell.ours.calm_since - cell.scene.drop()));
        }
        table += "\n";
    }
    let file = File::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    golden::check(&file, &table).unwrap_or_else(|error| panic!("{error}"));
}

fn wait(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..10_000 => format!("{millis} ms"),
        _ => format!("{} s", time.as_secs()),
    }
}

fn assert_used(cells: &[Cell], least: f64) {
    for cell in cells {
        let (ours, best) = (cell.ours.used, cell.best_used());
        assert!(ours >= least * best, "{}: {:.1} % of {:.1} %", cell.name(), ours * 100.0, best * 100.0);
    }
}

/// Neither start-up nor anything later overshoots; only what is sent before anything is known takes half a second at 1
/// Mbit/s.
fn assert_no_overshoot(cells: &[Cell]) {
    for cell in cells {
        let most = if cell.scene.megabits == 1 { Duration::from_millis(550) } else { cell.scene.calm() };
        assert!(cell.ours.worst_wait <= most, "{}: {:?}", cell.name(), cell.ours.worst_wait);
    }
}

#[test]
fn a_steady_line_is_used_as_well_as_by_any_fixed_size() {
    let cells = compare(&STEADY, Buffers::Direct, Weather::Steady);
    check("controller_direct.txt", "A steady line behind a kernel's buffer.", &cells);
    assert_used(&cells, 0.95);
    assert_no_overshoot(&cells);
}

#[test]
fn control_frames_do_not_wait_for_what_a_proxy_would_swallow() {
    let cells = compare(&STEADY, Buffers::Proxy, Weather::Steady);
    check(
        "controller_proxy.txt",
        "A steady line behind a proxy that buffers 4 MiB, and its kernel 4 MiB.",
        &cells,
    );
    assert_used(&cells, 0.95);
    assert_no_overshoot(&cells);
    for cell in &cells {
        let share = match cell.scene.megabits {
            ..=10 => 10,
            11..=100 => 2,
            _ => 1,
        };
        let (ours, usual) = (cell.ours.worst_wait, cell.usual_wait());
        assert!(ours * share <= usual, "{}: {ours:?} against {usual:?}", cell.name());
    }
}

#[test]
fn a_line_that_stalls_is_used_whenever_it_works() {
    let cells = compare(&STRESS, Buffers::Proxy, Weather::Stalls);
    let title = "Behind the proxy, a line that takes nothing for 0.2, 0.5, 1 and 2 s in turn, every 4 s.";
    check("controller_stalls.txt", title, &cells);
    assert_used(&cells, 0.90);
    for cell in &cells {
        // The longest stall, and the cost on a steady line.
        let most = Duration::from_millis(2300);
        assert!(cell.ours.worst_wait <= most, "{}: {:?}", cell.name(), cell.ours.worst_wait);
    }
}

#[test]
fn a_line_that_slows_down_to_a_twentieth_is_not_flooded() {
    let cells = compare(&STRESS, Buffers::Proxy, Weather::Drop);
    let title = "Behind the proxy, a line whose rate drops to a twentieth after a third of the time.";
    check("controller_drop.txt", title, &cells);
    assert_used(&cells, 0.90);
    for cell in &cells {
        // What is on its way at the drop cannot be called back. When it has passed, the path is measured and filled
        // again.
        let (calm, worst) = (cell.ours.calm_since - cell.scene.drop(), cell.ours.worst_wait);
        let Scene { round_trip, .. } = cell.scene;
        let anew = Duration::from_millis(2000 + round_trip + round_trip.min(250));
        assert!(calm <= worst + anew, "{}: {calm:?}, {worst:?}", cell.name());
    }
}
