#!/usr/bin/env bash
# Runs the fuzz targets, each for a minute.
#
#   scripts/fuzz.sh [TARGET]...        all unless some are named; SECONDS_EACH=60
#
# What a target finds is kept under fuzz/artifacts/, with the command that runs it again.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh" fuzz
cd "$root"
# cargo-fuzz asks for options that a stable compiler only takes like this.
rustc --version | grep -q nightly || export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR=$target_dir/fuzz

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
# No sanitizer: there is no unsafe code, and what goes wrong panics.
cargo fuzz build --sanitizer none
failed=()
for name in "${targets[@]}"; do
  say "fuzzing $name for ${SECONDS_EACH:-60} s"
  mkdir -p "fuzz/corpus/$name"
  seeds=()
  [ ! -d "fuzz/seeds/$name" ] || seeds=("fuzz/seeds/$name")
  cargo fuzz run --sanitizer none "$name" "fuzz/corpus/$name" "${seeds[@]}" -- \
    -max_total_time="${SECONDS_EACH:-60}" -max_len=65536 -rss_limit_mb=1024 -malloc_limit_mb=256 -timeout=10 \
    -print_final_stats=1 || failed+=("$name")
done
[ ${#failed[@]} = 0 ] || die "found something: ${failed[*]}"
say "${#targets[@]} targets, nothing found"
