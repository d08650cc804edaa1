#!/usr/bin/env bash
# Put Docker Compose 2 into a folder, for the test of docker-compose.yaml: `tools/get_compose.sh .tools/bin`.
#
# Does nothing where `docker compose` is there.  Elsewhere it unpacks (does not install) Debian's package, which needs
# only the C library.  Where that is not possible it says so and ends well: that one test is skipped then.
set -euo pipefail
target=$1
give_up() { echo "make: $1; the test of docker-compose.yaml by compose itself WILL BE SKIPPED" >&2; exit 0; }

docker compose version >/dev/null 2>&1 && exit 0
[ -x "$target/docker-compose" ] && exit 0
command -v apt-get >/dev/null && command -v dpkg >/dev/null || give_up "no docker compose, and no apt to get it with"
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null \
  | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n1 | tr -d ' ') || true
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -n "$mirror" ] && [ -f "$keys" ] || give_up "no docker compose, and this is no Debian"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$target"
echo "deb [signed-by=$keys] ${mirror%/} trixie main" > "$work/sources.list"
options=(-qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
         -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work" -o APT::Sandbox::User=root)
cd "$work"
apt-get "${options[@]}" update >/dev/null 2>&1 || give_up "no docker compose, and the package lists cannot be read"
apt-get "${options[@]}" download docker-compose >/dev/null 2>&1 || give_up "no docker compose, and its package cannot be had"
dpkg -x ./*.deb unpacked
cd - >/dev/null
install -m 755 "$work"/unpacked/usr/libexec/docker/cli-plugins/docker-compose "$target/docker-compose"
