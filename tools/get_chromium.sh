#!/usr/bin/env bash
# Have a Chromium, for the tests of what users see in Airflow's UI.
#
# Does nothing where there is one (Chromium or Chrome).  Elsewhere it installs Debian's package, for which it must be
# root: a browser needs some hundred libraries of the system.  Where that is not possible it says so and ends well: those
# tests are skipped then.
set -euo pipefail
give_up() { echo "make: $1; the tests of the UI WILL BE SKIPPED" >&2; exit 0; }

for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null && exit 0
done
command -v apt-get >/dev/null || give_up "no Chromium, and no apt to get it with"
[ "$(id -u)" = 0 ] || give_up "no Chromium, and only root can install it (apt-get install chromium)"
export DEBIAN_FRONTEND=noninteractive
options=(-qq -o DPkg::Lock::Timeout=580)
apt-get "${options[@]}" update >/dev/null 2>&1 || give_up "no Chromium, and the package lists cannot be read"
apt-get "${options[@]}" install -y --no-install-recommends chromium >/dev/null 2>&1 \
  || give_up "no Chromium, and its package cannot be installed"
