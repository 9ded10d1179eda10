#!/usr/bin/env bash
# Builds what is shipped: the module (checked against its size limit), the page, and the
# command with the page inside it.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

"$root/scripts/page.sh" --profile release
"$root/scripts/wasm.sh" size
say "building the command (profile release)"
(cd "$root" && cargo build --release --bin understudy)
ls -l "$target_dir/release/understudy" "$root"/pkg/*_bg.wasm >&2
