#!/usr/bin/env bash
# The benchmarks natively and in node, side by side, and how much slower the module is:
# benches/apply (transactions in memory), benches/encode (a partition to Parquet and back) and benches/replay (a whole recording, from reading its
# files on; `scripts/bench-wasm.sh DB...` takes others than the bundled one).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

say "natively"
{
  (cd "$root" && cargo bench --quiet --no-default-features --bench apply)
  (cd "$root" && cargo bench --quiet --no-default-features --features parquet-form --bench encode)
} | tee "$logs_dir/bench-native.txt" >&2
say "in node"
"$root/scripts/wasm.sh" bench 2>&1 | tee "$logs_dir/bench-node.log" | grep -a 'rows/s' >"$logs_dir/bench-node.txt" ||
  { tail -n 20 "$logs_dir/bench-node.log" >&2; die "the benchmark did not run in node"; }

awk -F '\t' '
  function rate(text) { sub(/ .*/, "", text); return text + 0 }
  { sub(/^ +/, "", $1) }
  NR == FNR { native[$1] = rate($2); next }
  $1 in native {
    if (!headed++) printf "%-34s %14s %14s %8s\n", "workload", "native rows/s", "wasm rows/s", "slower"
    printf "%-34s %14d %14d %7.2fx\n", $1, native[$1], rate($2), native[$1] / rate($2)
  }' "$logs_dir/bench-native.txt" "$logs_dir/bench-node.txt"

"$root/scripts/wasm.sh" build --profile release
say "replaying, natively and in node in turns"
(cd "$root" && node benches/replay/node.mjs "$@")
