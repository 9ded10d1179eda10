#!/usr/bin/env bash
# Builds the module and the page around it into dist/; what is up to date is left alone.
#
#   scripts/page.sh [--profile fast|release]
#   scripts/page.sh parquet [--profile P]     the module with Parquet, and puts it into a page that is there
#   scripts/page.sh sim [--profile P]         the same with the simulator
#   scripts/page.sh zip FILE                  the page that is there, for any static server
#
# What is shipped has these modules from the start; else the page does without until they are put there.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh" node
cd "$root"
case ${1:-} in
  parquet | sim)
    scripts/wasm.sh "$@"
    exec node www/build.mjs --later
    ;;
  zip)
    [ -f dist/index.html ] || die "no page yet: scripts/page.sh"
    exec python3 -c 'import shutil, sys; print(shutil.make_archive(sys.argv[1].removesuffix(".zip"), "zip", "dist"))' "$2"
    ;;
esac
scripts/wasm.sh build "$@"
case "$*" in
  *release*)
    scripts/wasm.sh parquet --profile release
    scripts/wasm.sh sim --profile release
    ;;
esac
stamp=$stamps_dir/page
want="$(hash_of index.html www package-lock.json pkg Cargo.toml) $root"
if [ -f dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then exit 0; fi
say "building the page"
npm run --silent build
printf '%s\n' "$want" >"$stamp"
