#!/usr/bin/env bash
# Builds the command and the page, and serves the page with the bundled recording.
#
#   scripts/run.sh [ARGUMENTS of `understudy serve`]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

if [ ! -x "$target_dir/fast/understudy" ]; then
  say "first build: about ten minutes on two cores, mostly compilers; later ones take seconds"
fi
"$root/scripts/page.sh" --profile fast
say "building the command (profile fast)"
(cd "$root" && cargo build --profile fast --bin understudy)
say "ready"
cd "$root"
# The page asks for it only when storage policies are looked at.
(
  nice -n 10 scripts/page.sh parquet --profile fast >"$logs_dir/parquet.log" 2>&1 ||
    say "the module for storage policies could not be built: see $logs_dir/parquet.log"
) &
exec "$target_dir/fast/understudy" serve --page dist "$@"
