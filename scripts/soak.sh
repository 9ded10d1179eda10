#!/usr/bin/env bash
# Proves a replica's directories against the real QuestDB at length: random scenarios, then kills.
#
#   scripts/soak.sh                  10,000 scenarios and 500 kills, in lots
#
# Each lot that was finished leaves its result in target/soak/; run again, it goes on with the next. A lot
# that differs stops nothing: its directories are kept beside its result. The summary is target/soak/summary.json.
#
# SCENARIOS, KILLS, SEED and LOT (scenarios in a lot, a multiple of 400) change what is done.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"
export QUESTDB_CACHE=${QUESTDB_CACHE:-$target_dir/questdb}

scenarios=${SCENARIOS:-10000} kills=${KILLS:-500} seed=${SEED:-1} lot=${LOT:-1000} batch=200 kills_lot=100
out=$target_dir/soak/$seed

main() {
  scripts/setup.sh --check java || die "Java 17 and Maven are needed: scripts/setup.sh java"
  mkdir -p "$out"
  cargo build --profile fast
  # A lot is compared with one and the same command, whatever is built meanwhile.
  cp "$target_dir/fast/understudy" "$out/understudy"
  local first
  for ((first = 0; first < scenarios; first += lot)); do
    a_lot "scenarios-$(printf %05d "$first")" drive.py --batch $batch --first "$first" --scenarios "$(least "$lot" $((scenarios - first)))"
  done
  for ((first = 0; first < kills; first += kills_lot)); do
    a_lot "kills-$(printf %05d "$first")" kills.py --first "$first" --kills "$(least $kills_lot $((kills - first)))"
  done
  python3 tests/replica/summary.py "$out"/*.json | tee "$target_dir/soak/summary.json"
}

# a_lot NAME PROGRAM ARGUMENT...: unless its result is there.
a_lot() {
  local name=$1 program=$2
  shift 2
  [ ! -f "$out/$name.json" ] || return 0
  say "$name"
  # The result appears under its name once it is whole.
  if python3 "tests/replica/$program" --seed "$seed" --apply "$out/understudy" --replay "$out/understudy" --out "$out/$name.part" "$@" \
    >"$out/$name.log" 2>&1; then
    mv "$out/$name.part" "$out/$name.json"
  fi
  tail -n 1 "$out/$name.log" >&2
}

least() { echo $(($1 < $2 ? $1 : $2)); }

main "$@"
