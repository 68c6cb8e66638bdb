//! Takes the steps of a hot path a given number of times, for `benches/instructions`; without arguments, lists the
//! paths.

use std::process::ExitCode;

use bowline_benches::paths;

#[allow(clippy::print_stdout, clippy::print_stderr)]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [] => {
            for make in paths::all() {
                println!("{}", make().name);
            }
            ExitCode::SUCCESS
        }
        [index, times] => {
            let (Ok(index), Ok(times)) = (index.parse::<usize>(), times.parse::<usize>()) else {
                eprintln!("hot INDEX TIMES");
                return ExitCode::from(2);
            };
            let Some(make) = paths::all().get(index).copied() else { return ExitCode::FAILURE };
            let mut path = make();
            (0..times).for_each(|_| path.step());
            ExitCode::SUCCESS
        }
        _ => ExitCode::from(2),
    }
}
