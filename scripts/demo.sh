#!/usr/bin/env bash
# A cluster on this machine, to watch: a real QuestDB being written to, a shipper, two replicas, and the page on their bucket.
#
#   scripts/demo.sh [--port PORT] [--dir DIR]     Ctrl-C ends all of it
#
# Without Java 17 and Maven (and where they can't be installed) there is no database to write to: a recorded one is shipped instead.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export QUESTDB_CACHE=${QUESTDB_CACHE:-$target_dir/questdb}

if [ ! -x "$target_dir/fast/understudy" ]; then
  say "first build: about ten minutes on two cores, mostly compilers; later ones take seconds"
fi
"$root/scripts/page.sh" --profile fast
say "building the command (profile fast)"
(cd "$root" && cargo build --profile fast --bin understudy)
live=()
if "$root/scripts/setup.sh" java && "$root/scripts/setup.sh" client; then
  say "fetching QuestDB, once"
  "$root/scripts/questdb.sh" >/dev/null && live=(--live)
fi
say "ready"
cd "$root"
exec python3 scripts/demo.py --understudy "$target_dir/fast/understudy" --tools "$tools_dir" --page dist "${live[@]}" "$@"
