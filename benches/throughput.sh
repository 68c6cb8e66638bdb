#!/usr/bin/env bash
# Sends one file over loopback by `bowline send` and by `curl -T` to nginx (dav), in turn, and compares medians.
# Usage: benches/throughput.sh [MIB=1024] [ROUNDS=5] [DIR=/dev/shm]
# Needs nginx and curl (Debian: apt-get install nginx-light curl) and GNU time.
set -euo pipefail
cd "$(dirname "$0")/.."
mib=${1:-1024} rounds=${2:-5} base=${3:-/dev/shm}
nginx=$(command -v nginx || echo /usr/sbin/nginx)

[ -n "${BOWLINE:-}" ] || cargo build --release --quiet -p bowline
bowline=${BOWLINE:-${CARGO_TARGET_DIR:-target}/release/bowline}
dir=$(mktemp -d "$base/bowline-bench.XXXXXX")
trap 'kill $serve 2>/dev/null || true; kill "$(cat "$dir/nginx.pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$dir"' EXIT
export BOWLINE_STATE_DIR=$dir/state
mkdir -p "$dir/dav/tmp" "$dir/inbox"
head -c "${mib}M" /dev/urandom >"$dir/file"

cat >"$dir/nginx.conf" <<CONF
daemon on; pid $dir/nginx.pid; error_log $dir/error.log; worker_processes 1; user root;
events {}
http {
  access_log off; client_body_temp_path $dir/dav/tmp; client_max_body_size 0;
  server { listen 127.0.0.1:9480; location / { root $dir/dav; dav_methods PUT; client_body_in_file_only off; } }
}
CONF
"$nginx" -c "$dir/nginx.conf"
/usr/bin/time -f '%M' -o "$dir/serve.mem" "$bowline" serve --listen 127.0.0.1:0 --dir "$dir/inbox" --quiet >"$dir/url" &
serve=$!
until [ -s "$dir/url" ]; do sleep 0.05; done
url=$(sed -n 's/^listening on //p' "$dir/url")

for round in $(seq "$rounds"); do
  rm -f "$dir/dav/file" && /usr/bin/time -f '%e %U %S %M' -a -o "$dir/curl" \
    curl -sS -T "$dir/file" http://127.0.0.1:9480/file
  # A new name and time each round, so that nothing is there already.
  touch "$dir/file" && rm -rf "$dir/inbox/file" && /usr/bin/time -f '%e %U %S %M' -a -o "$dir/send" \
    "$bowline" send --quiet "$dir/file" "$url"
  cmp "$dir/file" "$dir/inbox/file"
done
pkill -TERM -P "$serve" || true
wait "$serve" || true

median() { cut -d' ' -f"$2" "$dir/$1" | sort -g | sed -n "$(((rounds + 1) / 2))p"; }
echo "$mib MiB over loopback into $base, median of $rounds rounds in turn:"
printf '%-14s %8s s wall %8s s user %8s s system %8s KiB peak\n' \
  "curl to nginx" "$(median curl 1)" "$(median curl 2)" "$(median curl 3)" "$(median curl 4)" \
  "bowline send" "$(median send 1)" "$(median send 2)" "$(median send 3)" "$(median send 4)"
printf '%-14s %35s %24s KiB peak\n' "bowline serve" "" "$(tail -1 "$dir/serve.mem")"
awk -v a="$(median send 1)" -v b="$(median curl 1)" 'BEGIN { printf "bowline takes %.2f of the time of curl to nginx\n", a / b }'
