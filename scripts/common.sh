# Shared by the scripts, to be sourced: where things are, and how a script says what it does.
#
# Everything that is built or fetched goes under one folder, `target/` (or $CARGO_TARGET_DIR):
#   tools/   what the set-up made: wasm-bindgen, the wasm32 standard library, cargo-fuzz
#   wasm/    builds for wasm32 (their own folder: they never disturb a native build)
#   stamps/  what is known to be up to date
#   logs/    the output of each part of `make test`

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$root/$target_dir ;; esac
tools_dir=$target_dir/tools
stamps_dir=$target_dir/stamps
logs_dir=$target_dir/logs
mkdir -p "$tools_dir/bin" "$stamps_dir" "$logs_dir"
export PATH="$tools_dir/bin:$PATH"

if [ -t 2 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi

# Every line says how long the script has been at it.
say() { printf '%s[%3ds]%s %s\n' "$bold" "$SECONDS" "$plain" "$*" >&2; }
die() { printf '%serror:%s %s\n' "$bold" "$plain" "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# apt_install PACKAGE...: Debian's packages, as root or through sudo. Fails where there is no apt.
apt_install() {
  have apt-get || return 1
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    have sudo || return 1
    as_root=(sudo)
  fi
  say "apt-get install $*"
  if [ -z "${apt_updated:-}" ]; then
    "${as_root[@]}" apt-get update -qq >"$logs_dir/apt.log" 2>&1 || return 1
    apt_updated=1
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
    >>"$logs_dir/apt.log" 2>&1 || { tail -n 5 "$logs_dir/apt.log" >&2; return 1; }
}

# hash_of FILE|DIR...: one checksum over the contents of these files, for stamps.
hash_of() {
  find "$@" -type f -print0 2>/dev/null | sort -z | xargs -0 -r sha256sum | sha256sum | cut -c1-64
}
