#!/usr/bin/env bash
# Runs the tests, part by part, and closes with what each part's runner said last.
#
#   scripts/test.sh [PART]...        these parts in turn; all unless some are named
#
# Every part runs, whatever became of others; the exit code is 1 if one failed.
# Each leaves its output in target/logs/PART.log.
#
# UNDERSTUDY_REQUIRE_LIVE=1 makes the parts `live`, `parquet`, `replica`, `lines`, `stores`, `cluster`, `policy` and `client` fail, rather than be skipped (`stores`: without HDFS),
# where Java and Maven are missing. CLUSTER_STORES="fs gcs" names some of the stores that `cluster` takes.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"
export QUESTDB_CACHE=${QUESTDB_CACHE:-$target_dir/questdb}

first_parts=(setup format lint docs rust)
# These two rows run beside each other, and take about as long: one compiles most of the time, the other one waits for servers.
module_parts=(sim wasm module size pkg page replica)
server_parts=(cluster live parquet lines policy client stores)
# What measures time, or has somebody wait, has the machine to itself.
last_parts=(e2e failover)
all_parts=("${first_parts[@]}" "${module_parts[@]}" "${server_parts[@]}" "${last_parts[@]}")

# The command and its tests are built once for all parts, HDFS included: with other features most libraries are built again.
with_all=(--features hdfs)

main() {
  local part
  for part in "$@"; do
    declare -F "part_$part" >/dev/null || die "no part '$part'; there are: ${all_parts[*]}"
  done
  rm -rf "$results_dir"
  mkdir -p "$results_dir"
  if [ $# -gt 0 ]; then
    in_turn "$@"
    summary "$@"
  else
    everything
    summary "${all_parts[@]}"
  fi
}

in_turn() {
  local part
  for part in "$@"; do run_part "$part"; done
}

everything() {
  local beside
  in_turn setup
  build_ahead
  in_turn "${first_parts[@]:1}"
  set -m # in a process group of its own, to be ended as one
  in_turn "${server_parts[@]}" >"$logs_dir/beside.log" 2>&1 &
  beside=$!
  set +m
  trap 'kill -- "-$beside" 2>/dev/null || true' EXIT
  in_turn "${module_parts[@]}"
  say "waiting for: ${server_parts[*]}"
  wait "$beside" || true # a part that left no result has failed: see summary
  trap - EXIT
  cat "$logs_dir/beside.log"
  in_turn "${last_parts[@]}"
}

# What is shipped takes long to build, on one core for the most part: it is begun beside the first parts, into a target folder
# of its own. Part `module` waits for it, and builds what is left.
ahead=
build_ahead() {
  scripts/page.sh --profile release >"$logs_dir/ahead.log" 2>&1 &
  ahead=$!
}

# What builds modules is set up by what is built ahead: it is compiled, too.
part_setup() {
  scripts/setup.sh chromium node
}

part_format() { cargo fmt --check; }

part_lint() {
  cargo clippy --all-targets -- -D warnings
  # The pure rooms alone, as other crates may use them; and the browser's drivers.
  cargo clippy --lib --no-default-features -- -D warnings
  cargo clippy --lib --no-default-features --features web -- -D warnings
  cargo clippy --lib --no-default-features --features web-ledger -- -D warnings
  cargo clippy --lib --no-default-features --features web-parquet -- -D warnings
  cargo clippy --lib --no-default-features --features web-sim -- -D warnings
}

part_docs() { RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items; }

# All test programs but those that need servers and the one for wasm32.
part_rust() {
  local programs=() name
  for name in $(test_programs); do
    case $name in live | replica | stores | cluster | wasm | sim) ;; *) programs+=(--test "$name") ;; esac
  done
  cargo test "${with_all[@]}" --lib --bins "${programs[@]}"
  cargo test "${with_all[@]}" --doc
}

# The bugs that the simulator has to find, and 1,000 seeds of a minute without any.
part_sim() {
  cargo test --no-default-features --features planted-bugs --test sim
  the_command "$target_dir/debug/understudy-sim"
  "$target_dir/debug/understudy-sim" --no-progress simulate --scenario tests/sim/minute.json --seeds 0..1000
}

part_wasm() { scripts/wasm.sh test --profile release node chromium; }

# What is shipped, which the browser's tests then load.
part_module() {
  while [ -n "$ahead" ] && kill -0 "$ahead" 2>/dev/null; do sleep 1; done
  scripts/page.sh --profile release
  cargo test "${with_all[@]}" --no-run --test it
}

part_size() { scripts/wasm.sh size; }

# The npm package in node, against real HTTP servers.
part_pkg() {
  [ -f pkg/understudy_bg.wasm ] || scripts/wasm.sh build
  node --test --test-reporter=spec tests/pkg/
}

part_page() {
  scripts/setup.sh node
  npm run --silent format:check
  npm run --silent lint
  npm run --silent typecheck
  npm test --silent
}

part_e2e() {
  [ -f tests/e2e/playwright.config.ts ] || skip "there are no browser tests yet"
  # Buckets as a shipper and replicas leave them, with what their tables must hold.
  rm -rf "$target_dir/e2e-buckets"
  UNDERSTUDY_BUCKETS=$target_dir/e2e-buckets cargo test "${with_all[@]}" --test it buckets_for_the_page
  have nginx || apt_install nginx-light || say "no nginx: the test with it is skipped"
  local stores=
  if scripts/stores.sh setup seaweedfs; then
    scripts/stores.sh start seaweedfs
    trap 'scripts/stores.sh stop' EXIT
    stores=$target_dir/stores/stores.json
  fi
  UNDERSTUDY_BIN=$target_dir/debug/understudy UNDERSTUDY_BUCKETS=$target_dir/e2e-buckets UNDERSTUDY_STORES=$stores \
    npm run --silent e2e
}

part_live() {
  test_programs | grep -qx live || skip "there are no live tests yet"
  needs_java
  cargo test "${with_all[@]}" --test live
}

# Our Parquet files in a real QuestDB's directory, and read by others.
part_parquet() {
  needs_java
  scripts/setup.sh readers
  local bench
  bench=$(cargo build "${with_all[@]}" --bench parquet --message-format json | python3 -c '
import json, sys
built = [json.loads(line) for line in sys.stdin]
print(next(b["executable"] for b in built if b.get("executable") and b["target"]["name"] == "parquet"))')
  python3 tests/parquet/afterlife.py --bench "$bench" --dir "$target_dir/parquet" --readers "$tools_dir/parquet-readers"
}

# Directories that the command wrote, opened by the real server.
part_replica() {
  needs_java
  cargo test "${with_all[@]}" --test replica -- --nocapture
}

# The same lines to a real server and to a node of ours, whose directory the real server then opens.
part_lines() {
  needs_java
  scripts/setup.sh client
  the_command "$target_dir/debug/understudy-lines"
  cargo build --manifest-path tests/lines/rust/Cargo.toml --target-dir "$target_dir/lines-by-questdb-rs"
  python3 tests/lines/compare.py --understudy "$target_dir/debug/understudy-lines" --client "$tools_dir/questdb-client" \
    --rust-client "$target_dir/lines-by-questdb-rs/debug/lines-by-questdb-rs" --out "$target_dir/lines"
}

# The contract of object stores, against real servers on loopback; HDFS is one of them where there is Java.
part_stores() {
  local stores=(seaweedfs azurite gcs)
  if scripts/setup.sh --check java; then
    stores+=(hdfs)
  elif [ -n "${UNDERSTUDY_REQUIRE_LIVE:-}" ]; then
    needs_java
  fi
  scripts/stores.sh setup "${stores[@]}"
  cargo test "${with_all[@]}" --no-run --test stores
  trap 'scripts/stores.sh stop' EXIT
  scripts/stores.sh start "${stores[@]}"
  UNDERSTUDY_STORES=$target_dir/stores/stores.json cargo test "${with_all[@]}" --test stores -- --nocapture
}

# A real QuestDB with clients at work, a shipper, two replicas, and each store, which fails now and then.
part_cluster() {
  local stores=()
  read -r -a stores <<<"${CLUSTER_STORES:-fs seaweedfs azurite gcs hdfs}"
  needs_java
  scripts/setup.sh client
  scripts/stores.sh setup seaweedfs azurite gcs hdfs
  the_command "$target_dir/debug/understudy-cluster"
  python3 tests/cluster/drive.py --understudy "$target_dir/debug/understudy-cluster" --tools "$tools_dir" --out "$target_dir/cluster" \
    --at-once 3 "${stores[@]}"
  python3 tests/cluster/policies.py --understudy "$target_dir/debug/understudy-cluster" --out "$target_dir/policies"
}

# Three nodes of our own: kill -9, hand-over, a zombie, with rows of QuestDB's own client.
part_failover() {
  scripts/setup.sh client
  the_command "$target_dir/debug/understudy-failover"
  PYTHONPATH=$tools_dir/questdb-client python3 tests/failover/drive.py --understudy "$target_dir/debug/understudy-failover" --out "$target_dir/failover"
}

# Storage policies enforced by three replicas, each on its own schedule, beside a real QuestDB.
part_policy() {
  needs_java
  the_command "$target_dir/debug/understudy-policy"
  python3 tests/cluster/storage.py --understudy "$target_dir/debug/understudy-policy" --out "$target_dir/storage"
}

# Rows sent to real servers that are restarted, by senders that are killed.
part_client() {
  needs_java
  the_command "$target_dir/debug/understudy-client"
  python3 tests/client/drive.py --understudy "$target_dir/debug/understudy-client" --out "$target_dir/client"
}

# The command, as it comes along with the tests, at a path of its own: whoever builds it meanwhile does so with other features.
the_command() {
  cargo test "${with_all[@]}" --no-run --test it
  cp "$target_dir/debug/understudy" "$1"
}

needs_java() {
  scripts/setup.sh --check java && return
  [ -z "${UNDERSTUDY_REQUIRE_LIVE:-}" ] || die "Java 17 and Maven are needed: scripts/setup.sh java"
  skip "needs Java 17 and Maven: scripts/setup.sh java"
}

# Names of the programs under tests/, as cargo finds them.
test_programs() {
  local path
  for path in tests/*/main.rs; do [ -f "$path" ] && basename "$(dirname "$path")"; done
  for path in tests/*.rs; do [ -f "$path" ] && basename "$path" .rs; done
  return 0
}

# --- running and summing up

skipped_code=75 # the exit code of a part that has nothing to run on this machine
skip() {
  echo "skipped: $*"
  exit $skipped_code
}

# A file for each part that has run: its state, seconds, and seconds of CPU.
results_dir=$logs_dir/results

run_part() {
  local part=$1 log=$logs_dir/$1.log begun=$SECONDS code state cpu now
  cpu_seconds cpu
  printf '\n%s=== %s%s\n' "$bold" "$part" "$plain"
  set +e
  (set -e; "part_$part") 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  set -e
  cpu_seconds now
  case $code in
    0) state=ok ;;
    "$skipped_code") state=skipped ;;
    *) state=FAILED ;;
  esac
  echo "$state $((SECONDS - begun)) $((now - cpu))" >"$results_dir/$part"
}

# cpu_seconds VARIABLE: what this script's children have used so far, in whole seconds of all cores. Children that go on behind
# their part are not among them until they end.
cpu_seconds() {
  local file=$logs_dir/times.$BASHPID
  times >"$file"
  printf -v "$1" %s "$(awk 'NR == 2 { split($1, u, /[ms]/); split($2, s, /[ms]/); printf "%d", 60 * (u[1] + s[1]) + u[2] + s[2] }' "$file")"
  rm "$file"
}

# summary PART...: those that have run.
summary() {
  local part state time cpu failed=0
  printf '\n%s=== summary%s\n' "$bold" "$plain"
  for part in "$@"; do
    read -r state time cpu 2>/dev/null <"$results_dir/$part" || state=FAILED time=0 cpu=0
    printf '%-8s %-8s %4d s %5d s of CPU  %s\n' "$part" "$state" "$time" "$cpu" "$(remark "$state" "$part")"
    [ "$state" != FAILED ] || failed=1
  done
  printf 'in all %21d s\n\n' "$SECONDS"
  for part in "$@"; do closing_lines "$part"; done | tee "$logs_dir/closing.txt"
  [ ! -s "$logs_dir/closing.txt" ] || total "$logs_dir/closing.txt"
  exit $failed
}

remark() {
  case $1 in
    skipped) sed -n 's/^skipped: //p' "$logs_dir/$2.log" | tail -n 1 ;;
    FAILED) echo "see $logs_dir/$2.log" ;;
    ok) [ "$2" != size ] || paste -sd ';' "$logs_dir/size.log" ;;
  esac
}

# The lines with which the runners (cargo test, node's, Playwright) end.
closing_lines() {
  local lines
  lines=$(sed 's/\x1b\[[0-9;]*m//g' "$logs_dir/$1.log" |
    grep -aE '^test result: |^(#|ℹ) (tests|pass|fail|skipped) [0-9]+$|^ +[0-9]+ (passed|failed|flaky|skipped)') || return 0
  printf '%s:\n%s\n' "$1" "$lines"
}

# All of them in one line.
total() {
  awk '
    /^test result: / { for (i = 4; i < NF; i++) { n = $i + 0; w = $(i + 1); sub(/;/, "", w); count[w] += n } }
    /^(#|ℹ) / { if ($2 == "pass") count["passed"] += $3; if ($2 == "fail") count["failed"] += $3
               if ($2 == "skipped") count["skipped"] += $3 }
    /^ / { count[$2] += $1 }
    END { printf "\n%d passed, %d failed, %d skipped\n", count["passed"] + count["flaky"], count["failed"],
                 count["ignored"] + count["skipped"] }' "$1"
}

main "$@"
