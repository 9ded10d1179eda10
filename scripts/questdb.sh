#!/usr/bin/env bash
# Fetches a QuestDB release with Maven and prints the directory of its jars, ready for `java -p DIR`.
#
#   scripts/questdb.sh [VERSION]        default 9.3.4
#
# Idempotent: a complete directory is printed at once and needs neither Maven nor a network.
# QUESTDB_CACHE overrides where releases are kept (default target/questdb under the checkout).
set -euo pipefail

version=${1:-9.3.4}
case $version in
  # The client is an optional companion of the server since 9.3; older releases have none.
  9.3.*) companions="org.questdb:questdb-client:1.0.1" ;;
  *) companions="" ;;
esac

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${QUESTDB_CACHE:-$top/target/questdb}
lib=$cache/$version/lib
if [ -f "$lib/.complete" ]; then
  echo "$lib"
  exit 0
fi
command -v mvn >/dev/null || {
  echo "questdb.sh: Maven is missing; install it (Debian: apt-get install maven)" >&2
  exit 69
}

mkdir -p "$cache/$version"
work=$(mktemp -d "$cache/$version/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

dependency() { # group:artifact:version
  IFS=: read -r group artifact v <<<"$1"
  echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$v</version></dependency>"
}
{
  echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
  echo '<groupId>understudy</groupId><artifactId>questdb-lib</artifactId><version>1</version><packaging>pom</packaging>'
  echo '<dependencies>'
  for gav in "org.questdb:questdb:$version" "org.jetbrains:annotations:17.0.0" $companions; do dependency "$gav"; done
  echo '</dependencies></project>'
} >"$work/pom.xml"

for attempt in 1 2 3; do
  if mvn -q -B -Dstyle.color=never -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/lib" \
    -DexcludeTransitive=true >&2; then
    break
  fi
  [ "$attempt" -lt 3 ] || { echo "questdb.sh: Maven could not fetch QuestDB $version" >&2; exit 69; }
  sleep $((attempt * 3))
done

touch "$work/lib/.complete"
rm -rf "$lib"
# Another process may have finished first: both copies are the same release.
mv -T "$work/lib" "$lib" 2>/dev/null || [ -f "$lib/.complete" ]
echo "$lib"
