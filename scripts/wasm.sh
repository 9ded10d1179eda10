#!/usr/bin/env bash
# Everything that has to do with the WebAssembly module. Sets up what it needs first.
#
#   scripts/wasm.sh build [--profile fast|release] [--features F]   the first two modules and their glue, into pkg/
#   scripts/wasm.sh parquet [--profile fast|release]                the third one
#   scripts/wasm.sh sim [--profile fast|release]                    the fourth one
#   scripts/wasm.sh test [--profile P] [node|chromium]...           tests/wasm in both, or in those named
#   scripts/wasm.sh bench [apply|encode]...                         the benchmarks in node
#   scripts/wasm.sh check [ARGUMENTS]                               cargo check of the library for wasm32
#   scripts/wasm.sh size                                            gzip size of each module; over its limit fails
#
# There are four: the engine (feature `web`), the reader of buckets (`web-ledger`), which is fetched for those alone, the engine
# with Parquet and storage policies (`web-parquet`), which takes the first one's place where these are wanted, and the
# simulator (`web-sim`), which is fetched when its lab is opened.
#
# The compiler's settings are given by environment, from target/tools/wasm.env, not by a
# committed .cargo/config.toml: an ordinary toolchain needs none, Debian's several (setup.sh).
# UNDERSTUDY_WASM=debian takes Debian's compiler even where rustup's has the target.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

size_limit=409600 # 400 KiB of gzip: the limit of the module that every page load fetches
ledger_size_limit=196608 # 192 KiB of gzip
parquet_size_limit=1400000 # 1.4 MB of gzip
sim_size_limit=716800 # 700 KiB of gzip
target=wasm32-unknown-unknown

main() {
  local verb=${1:-}
  [ $# -gt 0 ] && shift
  case $verb in
    build) "$root/scripts/setup.sh" wasm; use_compiler; build "$@" ;;
    parquet) "$root/scripts/setup.sh" wasm; use_compiler; later understudy_parquet web-parquet "$@" ;;
    sim) "$root/scripts/setup.sh" wasm; use_compiler; later understudy_sim web-sim "$@" ;;
    test) "$root/scripts/setup.sh" wasm; use_compiler; run_tests "$@" ;;
    bench) "$root/scripts/setup.sh" wasm; use_compiler; bench "$@" ;;
    check) use_compiler; wasm_cargo check --lib --target $target --no-default-features "$@" ;;
    size) size ;;
    *) die "usage: wasm.sh build|parquet|sim|test|bench|check|size" ;;
  esac
}

# Makes wasm_cargo the cargo that can build for wasm32, in a target folder of its own.
use_compiler() {
  "$root/scripts/setup.sh" compiler
  wasm_rustflags=
  # shellcheck source=/dev/null
  source "$tools_dir/wasm.env"
  export CARGO_TARGET_DIR=$target_dir/wasm
  export RUSTFLAGS="${RUSTFLAGS:-} $wasm_rustflags ${UNDERSTUDY_WASM_RUSTFLAGS:-}"
}

# small_inlining PROFILE: the shipped module's threshold. 225, the usual one, makes it a tenth larger and
# no faster (docs/performance.md).
small_inlining() {
  [ "$1" != module ] || export RUSTFLAGS="$RUSTFLAGS -Cllvm-args=--inline-threshold=20"
}

# What converts partitions is fast before it is small: its module has the room.
libraries=()
fast_libraries() {
  [ "$1" != module ] || libraries=(--config 'profile.module.package."*".opt-level=3')
}

wasm_cargo() { (cd "$root" && "${wasm_cargo[@]}" "$@"); }

build() {
  local profile=fast features=web
  while [ $# -gt 0 ]; do
    case $1 in
      --profile) profile=$2; shift 2 ;;
      --features) features=$2; shift 2 ;;
      *) die "wasm.sh build does not know '$1'" ;;
    esac
  done
  if [ "$profile" = release ]; then profile=module; fi # what is shipped is held to a size
  build_module understudy "$profile" "$features"
  build_module understudy_ledger "$profile" web-ledger
}

# later NAME FEATURES [--profile P]: a module that is built behind the page.
later() {
  local profile=fast
  [ "${3:-}" != --profile ] || profile=$4
  if [ "$profile" = release ]; then profile=module; fi
  build_module "$1" "$profile" "$2"
}

# build_module NAME PROFILE FEATURES: pkg/NAME_bg.wasm and its glue.
build_module() (
  name=$1 profile=$2 features=$3
  module=$root/pkg/${name}_bg.wasm
  if [ "$name" = understudy_ledger ] && [ "$profile" = module ]; then
    # Unpacking and hashing are small loops; the rest is read once for each object.
    export CARGO_PROFILE_MODULE_OPT_LEVEL=s
  fi
  if [ "$name" = understudy_parquet ]; then fast_libraries "$profile"; else small_inlining "$profile"; fi
  # Cargo can't tell: a `cdylib` has one place for all features, so that each module would be built anew after another one.
  made="$profile $features ${CARGO_PROFILE_MODULE_OPT_LEVEL:-} $RUSTFLAGS ${libraries[*]} $(wasm_cargo --version)"
  made="$made $(cd "$root" && hash_of src Cargo.toml Cargo.lock build.rs) $root"
  stamp=$stamps_dir/$name
  if [ -f "$module" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$made" ]; then exit 0; fi
  say "building $name for the browser (profile $profile)"
  # `rlib` is all that Cargo.toml declares: link-time optimisation is off beside a `cdylib`.
  wasm_cargo rustc --lib --crate-type cdylib --target $target --profile "$profile" \
    --no-default-features --features "$features" "${libraries[@]}"
  wasm-bindgen --target web --remove-name-section --remove-producers-section \
    --out-dir "$root/pkg" --out-name "$name" "$CARGO_TARGET_DIR/$target/$profile/understudy.wasm"
  printf '%s\n' "$made" >"$stamp"
  say "pkg/${name}_bg.wasm: $(wc -c <"$module") bytes, $(gzip -9 -c "$module" | wc -c) as gzip"
)

# The same tests in both places; `run_in_browser` is chosen here, not in the tests.
run_tests() {
  local profile=fast # its libraries are those of `build`
  if [ "${1:-}" = --profile ]; then
    profile=$2
    shift 2
    if [ "$profile" = release ]; then profile=module; fi
  fi
  small_inlining "$profile"
  [ $# -gt 0 ] || set -- node chromium
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner
  export WASM_BINDGEN_TEST_TIMEOUT=${WASM_BINDGEN_TEST_TIMEOUT:-300}
  local where
  for where in "$@"; do
    case $where in
      node) have node || die "Node.js 20 or later is missing: https://nodejs.org" ;;
      chromium)
        "$root/scripts/setup.sh" chromium
        export WASM_BINDGEN_USE_BROWSER=1 WASM_BINDGEN_TEST_DRIVER_TIMEOUT=60
        CHROMEDRIVER=$(command -v chromedriver)
        export CHROMEDRIVER
        ;;
      *) die "tests run in node or chromium, not in '$where'" ;;
    esac
    say "tests of the module in $where"
    wasm_cargo test --test wasm --profile "$profile" --target $target --no-default-features \
      --features web,web-ledger,web-parquet,web-sim
  done
}

bench() {
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=wasm-bindgen-test-runner WASM_BINDGEN_TEST_TIMEOUT=600
  [ $# -gt 0 ] || set -- apply encode
  local name
  for name in "$@"; do bench_one "$name"; done
}

bench_one() (
  name=$1 features=web
  if [ "$name" = encode ]; then
    features=web-parquet
    fast_libraries module
  else
    small_inlining module
  fi
  # As a test: told that it is a benchmark, the runner looks for those of its own kind.
  wasm_cargo test --profile module --bench "$name" --target $target --no-default-features --features $features \
    "${libraries[@]}" -- --nocapture
)

size() {
  size_of understudy $size_limit
  size_of understudy_ledger $ledger_size_limit
  size_of understudy_parquet $parquet_size_limit
  size_of understudy_sim $sim_size_limit
}

size_of() {
  local module=pkg/${1}_bg.wasm limit=$2 bytes
  [ -f "$root/$module" ] || die "no module yet: scripts/wasm.sh build --profile release"
  bytes=$(gzip -9 -c "$root/$module" | wc -c)
  echo "$module: $(wc -c <"$root/$module") bytes, $bytes as gzip, limit $limit"
  [ "$bytes" -le "$limit" ] || die "the module is $((bytes - limit)) bytes over its limit"
}

main "$@"
