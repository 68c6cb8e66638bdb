#!/usr/bin/env bash
# Fuzzes each target for so many seconds: fuzz/run.sh 60, or some targets: fuzz/run.sh 60 decode pair
# Or for so many executions: fuzz/run.sh 10000x decode
#
# Prints for each target how often it ran and what it found, and fails if it found anything; all else that libFuzzer
# has to say goes to fuzz/target/TARGET.log. Needs a C++ compiler for libFuzzer. With a nightly toolchain it looks for
# memory errors too (ASan); on stable it runs without, which is three times as fast and loses little: the core forbids
# unsafe code.
#
# With SEED=1 in the environment, or another number, each run takes the same way as the one before, and ends at the same
# place if executions are counted: it begins with fuzz/corpus alone, and memory lies at the same addresses (libFuzzer
# compares pointers too) where the system allows that.
#
# Other new inputs go to fuzz/target/corpus, which git does not see. An input that fails goes to fuzz/artifacts: copy it to
# fuzz/corpus/TARGET, and `cargo test -p bowline-tests --test corpora` prints what it means and replays it from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
length=${1:?how many seconds, or how many executions (1000x), for each target?}
shift
case $length in
  *x) limit=-runs=${length%x} duration= ;;
  *) limit=-max_total_time=$length duration=" in $length s" ;;
esac
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)

# What libFuzzer has to see: which branches are taken, and what is compared with what.
instrument="-Cpasses=sancov-module -Ccodegen-units=1"
for option in level=4 inline-8bit-counters pc-table trace-compares stack-depth; do
  instrument+=" -Cllvm-args=-sanitizer-coverage-$option"
done
export RUSTFLAGS="--cfg fuzzing -Cdebug-assertions $instrument -Cllvm-args=-simplifycfg-branch-fold-threshold=0"
if rustc --version | grep -q nightly; then RUSTFLAGS+=" -Zsanitizer=address"; fi
# With a target named, the flags do not apply to build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')

repeatable=()
if [ -n "${SEED:-}" ] && setarch -R true 2>/dev/null; then repeatable=(setarch -R); fi

failed=0
for target in "${targets[@]}"; do
  new="fuzz/target/${SEED:+seeded-}corpus/$target"
  [ -z "${SEED:-}" ] || rm -rf "$new"
  mkdir -p "$new" "fuzz/artifacts/$target"
  log="fuzz/target/$target.log"
  cargo build --release --manifest-path fuzz/Cargo.toml --target-dir fuzz/target --target "$host" --bin "$target" >"$log" 2>&1 ||
    { tail -40 "$log"; exit 1; }
  found=none
  "${repeatable[@]}" "fuzz/target/$host/release/$target" "$new" "fuzz/corpus/$target" -artifact_prefix="fuzz/artifacts/$target/" \
    -seed="${SEED:-0}" "$limit" ${SEED:+-reload=0} -max_len=4096 -timeout=20 -print_final_stats=1 >"$log" 2>&1 || found=something
  times=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
  coverage=$(awk '/ cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") last = $(i + 1) } END { print last }' "$log")
  echo "$target: ${times:-no} executions$duration, coverage ${coverage:-unknown}, findings: $found"
  if [ "$found" != none ]; then
    failed=1
    grep -m1 -A8 -E "panicked at|ERROR: libFuzzer" "$log" || tail -20 "$log"
    grep "Test unit written to" "$log" || true
  fi
done
exit "$failed"
