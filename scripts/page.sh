#!/usr/bin/env bash
# Builds the module and the page around it into dist/; what is up to date is left alone.
#
#   scripts/page.sh [--profile fast|release]
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/setup.sh" node
"$root/scripts/wasm.sh" build "$@"
cd "$root"
stamp=$stamps_dir/page
want="$(hash_of index.html www package-lock.json pkg Cargo.toml) $root"
if [ -f dist/index.html ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then exit 0; fi
say "building the page"
npm run --silent build
printf '%s\n' "$want" >"$stamp"
