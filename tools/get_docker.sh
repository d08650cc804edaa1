#!/usr/bin/env bash
# Install a Docker engine for what runs containers here, where that is possible without asking: as root, by apt.
#
# Starting it is the affair of tools/engine.py.  Elsewhere this says that those tests will be skipped, and ends well.
set -euo pipefail
have() { command -v dockerd >/dev/null && command -v iptables >/dev/null && [ -x /bin/busybox ]; }
if docker info >/dev/null 2>&1 && [ -x /bin/busybox ]; then exit 0; fi
have && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # Other indexes of this machine may fail to update; what counts is whether the packages come.
  apt-get -qq update >/dev/null 2>&1 || true
  apt-get -qq -o DPkg::Lock::Timeout=580 install -y --no-install-recommends docker.io iptables busybox-static \
    >/dev/null 2>&1 && exit 0
fi
echo "make: no Docker engine, and none can be installed from here; the container tests WILL BE SKIPPED" >&2
