#!/usr/bin/env bash
# Fuzzes each target for so many seconds: fuzz/run.sh 60, or one target: fuzz/run.sh 60 decode
#
# Needs cargo-fuzz (cargo install cargo-fuzz --locked) and a C++ compiler for libFuzzer. With a nightly toolchain it
# looks for memory errors too (ASan); on stable it runs without, which is three times as fast and loses little: the
# core forbids unsafe code. New inputs go to fuzz/target/corpus, which git does not see; an input that fails goes to
# fuzz/artifacts. Copy that to fuzz/corpus/TARGET and the ordinary tests replay it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?how many seconds for each target?}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(decode connection pair closing differential handshake wire transfers)

sanitizer=none
rustc --version | grep -q nightly && sanitizer=address

for target in "${targets[@]}"; do
  mkdir -p "fuzz/target/corpus/$target"
  cargo fuzz run --sanitizer "$sanitizer" "$target" "fuzz/target/corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=20 -print_final_stats=1
done
