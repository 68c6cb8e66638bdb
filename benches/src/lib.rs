//! Benchmarks of Bowline. `cargo bench -p bowline-benches` measures the machines of the core in isolation;
//! `benches/throughput.sh` measures `bowline send` beside `curl -T` to nginx.
