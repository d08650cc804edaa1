#!/usr/bin/env bash
# Install a browser for the tests of Airflow's UI, where that is possible without asking: as root, by apt.
#
# Elsewhere it says that those tests will be skipped, and ends well.
set -euo pipefail
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # Other indexes of this machine may fail to update; what counts is whether the package comes.
  apt-get -qq update >/dev/null 2>&1 || true
  apt-get -qq -o DPkg::Lock::Timeout=580 install -y --no-install-recommends chromium >/dev/null 2>&1 && exit 0
fi
echo "make: no Chromium, and it cannot be installed from here; the browser tests WILL BE SKIPPED" >&2
