#!/usr/bin/env bash
# Installs what the tests with real servers need, as root on Debian, and says what it did. Elsewhere it says what is missing: a test
# whose server is missing fails and names it.
set -euo pipefail

# The servers that the tests talk to for real (PostgreSQL in German, too); shells for tab completion; man for the pages; QEMU and debootstrap make the small machine of test/vps.
packages=(postgresql pgbouncer redis-server docker.io podman locales prometheus prometheus-node-exporter busybox-static zsh fish xz-utils man-db
  qemu-system-x86 qemu-utils debootstrap openssh-client openssl e2fsprogs)
if ! command -v dpkg-query >/dev/null; then
  echo "check: this is no Debian. The tests with real servers need these programs: ${packages[*]}" >&2
  exit 0
fi
# Newer Debian has the client in a package of its own.
if apt-cache show docker-cli >/dev/null 2>&1; then packages+=(docker-cli); fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo 'check: all packages that the tests need are installed.'
  exit 0
fi
if [[ $(id -u) != 0 ]]; then
  echo "check: the tests with real servers need root and: apt-get install ${missing[*]}" >&2
  exit 0
fi
echo "check: installing ${missing[*]}"
# Debian starts a server when it is installed; the tests start their own. A policy that is there already stays.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
echo "check: installed ${missing[*]}"
