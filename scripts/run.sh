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
# The page asks for them only when the lab is opened, or storage policies are looked at.
(
  for later in sim parquet; do
    nice -n 10 scripts/page.sh $later --profile fast >"$logs_dir/$later.log" 2>&1 ||
      say "the module \`$later\` could not be built: see $logs_dir/$later.log"
  done
) &
exec "$target_dir/fast/understudy" serve --page dist "$@"
