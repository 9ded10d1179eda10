#!/usr/bin/env bash
# Sets up what a fresh machine lacks; what is there already is left alone.
#
#   scripts/setup.sh PART...
#   scripts/setup.sh --check java     only says, by its exit code, whether it is there
#
#   wasm      a compiler for wasm32 and wasm-bindgen; writes target/tools/wasm.env, which wasm.sh reads
#   compiler  only the compiler
#   chromium  Chromium and its WebDriver, for the tests in a browser
#   node      checks that Node 20 or later is there, and installs the page's packages
#   java      Java 17 and Maven, for the tests against a live QuestDB
#   client    QuestDB's own client for Python, for the tests of a whole cluster
#   readers   DuckDB and pyarrow, for the tests of Parquet files
#   fuzz      cargo-fuzz
#
# With UNDERSTUDY_NO_SETUP=1 nothing is installed: what is missing ends the script with code 75.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The bindings in Cargo.toml and the tool that reads them must be of the same version.
bindgen_version=$(sed -n 's/^wasm-bindgen = .*version = "=\([0-9.]*\)".*/\1/p' "$root/Cargo.toml")
sysroot=$tools_dir/sysroot

main() {
  [ $# -gt 0 ] || die "name what to set up: wasm, chromium, node, java, client, readers, fuzz"
  if [ "$*" = "--check java" ]; then
    java_is_17 && have mvn
    return
  fi
  for part in "$@"; do
    case $part in
      wasm) setup_compiler; setup_bindgen ;;
      compiler) setup_compiler ;;
      chromium) setup_chromium ;;
      node) setup_node ;;
      java) setup_java ;;
      client) setup_wheels questdb-client tests/cluster/client.txt "QuestDB's client for Python" ;;
      readers) setup_wheels parquet-readers tests/parquet/readers.txt "DuckDB and pyarrow" ;;
      fuzz) setup_fuzz ;;
      *) die "nothing called '$part' to set up" ;;
    esac
  done
}

# A compiler that can build for wasm32: the toolchain at hand if it has the target or can fetch
# it, else Debian's compiler with a standard library that we build once.
setup_compiler() {
  have cargo || die "Rust is missing: install it with rustup, see https://rustup.rs"
  local env_file=$tools_dir/wasm.env want
  [ -f "$env_file" ] || may_install "a compiler for wasm32"
  if [ "${UNDERSTUDY_WASM:-}" != debian ] && can_build_wasm cargo; then
    want="# The toolchain at hand."$'\n''wasm_cargo=(cargo)'
  elif [ "${UNDERSTUDY_WASM:-}" != debian ] && fetch_wasm_target && can_build_wasm cargo; then
    want="# The toolchain at hand."$'\n''wasm_cargo=(cargo)'
  else
    setup_debian_compiler
    want="# Debian's compiler with our own standard library."
    want+=$'\n''wasm_cargo=(/usr/bin/cargo)'
    want+=$'\n''export RUSTC=/usr/bin/rustc'
    want+=$'\n'"export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22"
    want+=$'\n'"export CC_wasm32_unknown_unknown=clang-22 AR_wasm32_unknown_unknown=llvm-ar-22"
    want+=$'\n'"wasm_rustflags=--sysroot=$sysroot"
  fi
  # Written only when it changes, so that it can serve as a stamp.
  [ -f "$env_file" ] && [ "$(cat "$env_file")" = "$want" ] || printf '%s\n' "$want" >"$env_file"
}

# Ends the script where nothing may be installed.
may_install() {
  [ -z "${UNDERSTUDY_NO_SETUP:-}" ] || { say "$1 is missing"; exit 75; }
}

fetch_wasm_target() {
  [ -z "${UNDERSTUDY_NO_SETUP:-}" ] && have rustup || return 1
  say "rustup target add wasm32-unknown-unknown"
  (cd "$root" && timeout 300 rustup target add wasm32-unknown-unknown) >"$logs_dir/rustup.log" 2>&1 && return 0
  say "the target could not be downloaded; falling back on Debian's compiler"
  return 1
}

# A target may be listed and yet not work, so this compiles something.
can_build_wasm() {
  local dir=$tools_dir/probe
  mkdir -p "$dir"
  echo 'pub fn probe() -> String { String::new() }' >"$dir/probe.rs"
  (cd "$root" && rustc --edition 2024 --crate-type cdylib --target wasm32-unknown-unknown \
    -o "$dir/probe.wasm" "$dir/probe.rs") >"$dir/probe.log" 2>&1
}

setup_debian_compiler() {
  local packages=(rustc-web cargo-web rust-web-src lld-22 clang-22 llvm-22)
  if ! { [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && have wasm-ld-22 && have clang-22; }; then
    may_install "a compiler for wasm32"
    apt_install "${packages[@]}" ||
      die "no wasm32 target: run 'rustup target add wasm32-unknown-unknown' or 'apt-get install ${packages[*]}'"
  fi
  build_sysroot
}

# Debian has no standard library for wasm32, only its source. An empty crate is built together
# with it, and the libraries are kept as a sysroot, so that no later build repeats it.
build_sysroot() {
  local version stamp=$sysroot/.version dir=$tools_dir/std-build lib=$sysroot/lib/rustlib
  version="$(/usr/bin/rustc -vV) with bitcode"
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$version" ] && return 0
  may_install "a standard library for wasm32"
  say "building the standard library for wasm32 (once, 1-3 minutes)"
  # What was built with another standard library can't be used with this one.
  rm -rf "$sysroot" "$dir" "$target_dir/wasm"
  mkdir -p "$lib/wasm32-unknown-unknown/lib" "$dir/src"
  printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n' >"$dir/Cargo.toml"
  printf '[profile.release]\ndebug = 0\n' >>"$dir/Cargo.toml"
  echo '#![no_std]' >"$dir/src/lib.rs"
  # Bitcode: link-time optimisation goes through the standard library too.
  (cd "$dir" && env -u CARGO_TARGET_DIR RUSTFLAGS=-Cembed-bitcode=yes RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-22 \
    /usr/bin/cargo build --release --target wasm32-unknown-unknown \
    -Zbuild-std=std,panic_abort,proc_macro,test) >"$logs_dir/std.log" 2>&1 ||
    { tail -n 20 "$logs_dir/std.log" >&2; die "the standard library did not build"; }
  cp "$dir"/target/wasm32-unknown-unknown/release/deps/*.rlib "$lib/wasm32-unknown-unknown/lib/"
  rm -f "$lib"/wasm32-unknown-unknown/lib/libempty-*.rlib
  local host_lib
  host_lib=$(/usr/bin/rustc --print sysroot)/lib/rustlib
  for entry in "$host_lib"/*; do
    [ "$(basename "$entry")" = wasm32-unknown-unknown ] || ln -sfn "$entry" "$lib/$(basename "$entry")"
  done
  printf '%s\n' "$version" >"$stamp"
  rm -rf "$dir"
}

setup_bindgen() {
  [ -n "$bindgen_version" ] || die "Cargo.toml pins no wasm-bindgen version"
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $bindgen_version" ] && have wasm-bindgen-test-runner && return 0
  may_install "wasm-bindgen $bindgen_version"
  say "cargo install wasm-bindgen-cli $bindgen_version (once, 2-5 minutes)"
  # Built for quick building: it works for a second on each build of the page. Its own lock
  # file is not used, it names a version that was withdrawn.
  (cd "$tools_dir" && env -u RUSTFLAGS CARGO_TARGET_DIR="$tools_dir/bindgen-build" \
    cargo install --quiet wasm-bindgen-cli --version "$bindgen_version" --root "$tools_dir" --force \
    --profile dev --config profile.dev.debug=0 --config profile.dev.opt-level=1) >"$logs_dir/bindgen.log" 2>&1 ||
    { tail -n 20 "$logs_dir/bindgen.log" >&2; die "wasm-bindgen-cli did not install"; }
  rm -rf "$tools_dir/bindgen-build"
}

setup_chromium() {
  have chromium && have chromedriver && return 0
  apt_install chromium chromium-driver ||
    die "Chromium is missing: apt-get install chromium chromium-driver"
}

setup_node() {
  have node || die "Node.js 20 or later is missing: https://nodejs.org"
  local major
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || die "Node.js 20 or later is needed, this is $(node --version)"
  [ -f "$root/package-lock.json" ] || return 0
  local stamp=$root/node_modules/.understudy want
  want=$(hash_of "$root/package.json" "$root/package-lock.json")
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && return 0
  say "npm ci"
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error) >&2
  printf '%s\n' "$want" >"$stamp"
}

setup_java() {
  local packages=()
  if ! java_is_17; then packages+=(openjdk-17-jdk-headless); fi
  if ! have mvn; then packages+=(maven); fi
  [ ${#packages[@]} = 0 ] && return 0
  apt_install "${packages[@]}" || die "Java 17 and Maven are missing: apt-get install ${packages[*]}"
}

java_is_17() {
  have java && java -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])'
}

# Into a folder of its own rather than a virtual environment, which Debian's Python can't make without another package.
# Python packages of a list with hashes: setup_wheels FOLDER LIST WHAT
setup_wheels() {
  local dir=$tools_dir/$1 list=$root/$2 what=$3 version
  version=$(hash_of "$list")
  [ "$(cat "$dir/.installed" 2>/dev/null)" = "$version" ] && return 0
  may_install "$what"
  say "installing $what"
  rm -rf "$dir"
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --target "$dir" -r "$list" >"$logs_dir/$1.log" 2>&1 ||
    { tail -n 5 "$logs_dir/$1.log" >&2; die "$what did not install"; }
  printf '%s\n' "$version" >"$dir/.installed"
}

setup_fuzz() {
  have cargo-fuzz && return 0
  say "cargo install cargo-fuzz (once, about a minute)"
  (cd "$tools_dir" && env -u RUSTFLAGS CARGO_TARGET_DIR="$tools_dir/fuzz-build" \
    cargo install --quiet cargo-fuzz --root "$tools_dir" --profile dev) >"$logs_dir/cargo-fuzz.log" 2>&1 ||
    { tail -n 20 "$logs_dir/cargo-fuzz.log" >&2; die "cargo-fuzz did not install"; }
  rm -rf "$tools_dir/fuzz-build"
}

main "$@"
