#!/usr/bin/env bash
# Builds the module and the page around it into dist/; what is up to date is left alone.
#
#   scripts/page.sh [--profile fast|release]
#   scripts/page.sh parquet [--profile P]     the module with Parquet, and puts it into a page that is there
#
# What is shipped has that module from the start; else the page does without until it is put there.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh" node
cd "$root"
if [ "${1:-}" = parquet ]; then
  shift
  scripts/wasm.sh parquet "$@"
  exec node www/build.mjs --parquet
fi
scripts/wasm.sh build "$@"
case "$*" in *release*) scripts/wasm.sh parquet --profile release ;; esac
stamp=$stamps_dir/page
want="$(hash_of index.html www package-lock.json pkg Cargo.toml) $root"
if [ -f dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then exit 0; fi
say "building the page"
npm run --silent build
printf '%s\n' "$want" >"$stamp"
