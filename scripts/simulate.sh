#!/usr/bin/env bash
# Many seeds of the simulator with the command as it is shipped, on all cores: scripts/simulate.sh [A..B]
#
# The run is written down now and then, in target/simulate, and goes on where it stopped.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

seeds=${1:-0..100000}
cd "$root"
mkdir -p "$target_dir/simulate"
cargo build --release --bin understudy
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
exec "$target_dir/release/understudy" simulate --seeds "$seeds" --resume "$target_dir/simulate/$commit-$seeds.json"
