#!/usr/bin/env bash
# A small server to try vpsmon on: Debian with systemd, cgroup v2, PSI, swap, Docker and Node, as a QEMU machine. It needs
# neither KVM nor a network, and listens on loopback only.
#
#   machine.sh build             make the disk, once for each version of this file (3 minutes; root on Debian or Ubuntu)
#   machine.sh up [MIB] [CPUS]   boot a copy of it that forgets everything (default: 1024 MiB, 2 CPUs)
#   machine.sh run COMMAND...    run a shell command in it, as root
#   machine.sh put FROM TO       copy into it          machine.sh get FROM TO   copy out of it
#   machine.sh cut               pull the plug, and switch it on again
#   machine.sh reboot            shut down properly, and wait until it is back
#   machine.sh down              switch it off and forget it
#
# VPSMON_VPS_SUITE  bookworm (Debian 12, the default), or trixie (Debian 13)
# VPSMON_VPS_DIR    where the disk and the machines are kept (default ~/.cache/vpsmon-vps)
# VPSMON_VPS_NAME   more than one at a time: each has a name (default `vps`)
# VPSMON_VPS_PORT   its ssh port on 127.0.0.1 (default 2822)
# VPSMON_VPS_MIRROR Debian mirror for the build (default: this machine's, or debootstrap's own)
# VPSMON_VPS_ACCEL  `kvm` where that works (a /dev/kvm inside a virtual machine often does not); default: emulation,
#                   in which everything takes ten to twenty times as long as outside
set -euo pipefail

cache=${VPSMON_VPS_DIR:-$HOME/.cache/vpsmon-vps}
name=${VPSMON_VPS_NAME:-vps}
port=${VPSMON_VPS_PORT:-2822}
suite=${VPSMON_VPS_SUITE:-bookworm}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# A changed recipe is another disk.
image=$cache/image-$suite-$(sed '/^# --- run ---/,$d' "$here/machine.sh" | sha256sum | cut -c1-12)
machine=$cache/run-$name

fail() { echo "machine.sh: $*" >&2; exit 1; }
say() { echo "machine.sh: $*" >&2; }
alive() { [[ -f $machine/qemu.pid ]] && kill -0 "$(cat "$machine/qemu.pid")" 2>/dev/null; }

remote() { # PROGRAM ARGUMENTS...: ssh or scp with what both need
  local program=$1; shift
  "$program" -q -i "$image/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
    -o ConnectTimeout=10 -o ServerAliveInterval=30 -o "Port=$port" "$@"
}

install_missing() {
  local missing=() package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]} == 0)) && return
  [[ $(id -u) == 0 ]] || fail "these Debian packages are needed: ${missing[*]}"
  apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# --- build -----------------------------------------------------------------------------------------------------------

build() {
  [[ -f $image/done ]] && return
  [[ $(id -u) == 0 ]] || fail "building the disk needs root"
  install_missing qemu-system-x86 qemu-utils debootstrap openssh-client e2fsprogs busybox-static
  rm -rf "$image"; mkdir -p "$image"
  local root=$image/root
  trap 'umount -q "$image/root/proc" "$image/root/sys" 2>/dev/null || true' EXIT
  bootstrap "$root"
  add_packages "$root"
  configure "$root"
  add_node "$root"
  add_container_image "$root"
  say "writing the disk"
  cp "$root"/boot/vmlinuz-* "$image/vmlinuz"; cp "$root"/boot/initrd.img-* "$image/initrd"
  truncate -s 6G "$image/disk.raw"; mkfs.ext4 -q -F -d "$root" "$image/disk.raw"
  truncate -s 1G "$image/swap.raw"; chmod 600 "$image/swap.raw"; mkswap "$image/swap.raw" >/dev/null 2>&1
  rm -rf "$root"
  touch "$image/done"
  say "built in $image"
}

bootstrap() {
  local mirror=${VPSMON_VPS_MIRROR:-}
  [[ $mirror ]] || mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' |
    awk '$2 ~ /^(bookworm|trixie)$/ { print $1; exit }')
  say "debootstrap"
  local packages=systemd,systemd-sysv,dbus,udev,initramfs-tools,kmod,zstd,e2fsprogs,apparmor
  packages+=,openssh-server,ca-certificates,iproute2,procps,curl,less
  # shellcheck disable=SC2086 # without a mirror, debootstrap takes its own
  debootstrap --variant=minbase --include=$packages "$suite" "$1" $mirror >"$image/debootstrap.log" 2>&1 ||
    fail "debootstrap failed: $image/debootstrap.log says why"
}

add_packages() {
  local root=$1
  say "packages"
  mkdir "$image/apt"; cp -r "$root/etc/apt/apt.conf.d" "$image/apt/"
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/" # this machine's proxy, for the build only
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" # nothing is started in a chroot
  chmod +x "$root/usr/sbin/policy-rc.d"
  mount -t proc proc "$root/proc"; mount -t sysfs sysfs "$root/sys"
  local packages='linux-image-cloud-amd64 docker.io systemd-container'
  if [[ $suite != bookworm ]]; then packages+=' docker-cli'; fi
  chroot "$root" env PACKAGES="$packages" sh -ec '
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $PACKAGES
    apt-get clean' >"$image/apt.log" 2>&1 || fail "apt-get failed: $image/apt.log says why"
  umount "$root/proc" "$root/sys"
  rm -r "$root/usr/sbin/policy-rc.d" "$root/etc/apt/apt.conf.d"
  mv "$image/apt/apt.conf.d" "$root/etc/apt/"; rmdir "$image/apt"
}

configure() {
  local root=$1
  ssh-keygen -q -t ed25519 -N '' -f "$image/key"
  install -d -m 700 "$root/root/.ssh"
  cp "$image/key.pub" "$root/root/.ssh/authorized_keys"
  echo vps >"$root/etc/hostname"
  printf '127.0.0.1 localhost vps\n' >"$root/etc/hosts"
  tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
  printf '/dev/vda / ext4 defaults,noatime 0 1\n/dev/vdb none swap sw,nofail 0 0\n' >"$root/etc/fstab"
  printf '[Match]\nName=e*\n[Network]\nDHCP=yes\n' >"$root/etc/systemd/network/wired.network"
  chroot "$root" systemctl -q enable systemd-networkd.service
  # Nothing that wakes up by itself while something is tested.
  chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
}

add_node() {
  local root=$1 npm
  cp -L "$(command -v node)" "$root/usr/local/bin/node"
  chroot "$root" node --version >/dev/null 2>&1 ||
    fail "this machine's node does not run on $suite (shared libraries): use an official build of it"
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
}

# /opt/busybox.tar: `docker import` makes an image of it. Containers have --network none or host, as there is no iptables rule
# worth waiting for under emulation.
add_container_image() {
  local root=$1 files=$image/files command
  mkdir -p "$files/bin"
  cp /bin/busybox "$files/bin/"
  for command in sh sleep cat dd tail head httpd wget echo test true false date touch rm mkdir ls ps kill yes; do
    ln -s busybox "$files/bin/$command"
  done
  tar -C "$files" -c . >"$root/opt/busybox.tar"
  rm -r "$files"
}

# --- run -------------------------------------------------------------------------------------------------------------

# For a boot that goes well, also on a slow machine that has more to do.
MOST_SECONDS=1200

# Two at the same time must not both build the disk.
build_once() {
  mkdir -p "$cache"
  (flock 8; build; install_missing qemu-system-x86 qemu-utils openssh-client) 8>"$cache/build.lock"
}

up() {
  build_once
  alive && fail "$name is up already"
  find "$cache" -maxdepth 1 \( -name 'image-????????????' -o -name "image-$suite-*" \) ! -path "$image" -mtime +1 -exec rm -rf {} + # disks of older recipes
  rm -rf "$machine"; mkdir -p "$machine"
  echo "${1:-1024} ${2:-2}" >"$machine/size"
  # Its day begins at noon: no test of whatever hour meets midnight, or the time of the daily report. Ahead of what was built just now.
  echo $(((86400 + 43200 - $(date +%s) % 86400) % 86400)) >"$machine/ahead"
  qemu-img create -q -f qcow2 -b "$image/disk.raw" -F raw "$machine/disk.qcow2"
  qemu-img create -q -f qcow2 -b "$image/swap.raw" -F raw "$machine/swap.qcow2"
  switch_on
}

switch_on() {
  local memory cpus ahead
  read -r memory cpus <"$machine/size"
  read -r ahead <"$machine/ahead"
  qemu-system-x86_64 -accel "${VPSMON_VPS_ACCEL:-tcg,thread=multi}" -cpu max -smp "$cpus" -m "$memory" -display none -daemonize -monitor none \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" \
    -append "root=/dev/vda console=ttyS0 psi=1 panic=5 mitigations=off quiet systemd.show_status=0" \
    -drive "file=$machine/disk.qcow2,if=virtio,cache=unsafe" -drive "file=$machine/swap.qcow2,if=virtio,cache=unsafe" \
    -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=net \
    -rtc "base=$(date -u -d "@$(($(date +%s) + ahead))" +%FT%T)" \
    -pidfile "$machine/qemu.pid" -serial "file:$machine/console.log"
  wait_until_up
}

# For what runs while the machine thrashes: it is not given up for being slow. (Of an option that is there twice, ssh takes the first.) All of it
# goes over one connection: under emulation, making one takes longer than most commands.
patient=(-o ConnectTimeout=300 -o ServerAliveCountMax=20 -o ControlMaster=auto -o ControlPersist=yes -o "ControlPath=$machine/ssh")
patient_ssh() { ssh "${patient[@]}" "$@"; }
patient_scp() { scp "${patient[@]}" "$@"; }
# One that began before the machine was switched off leads nowhere: the next command makes another one.
forget_connection() { rm -f "$machine/ssh"; }

# A machine that is slow to boot is slow to shake hands, too: longer with each try.
wait_until_up() {
  local deadline=$((SECONDS + MOST_SECONDS)) patience=10
  booting_ssh() { ssh -o "ConnectTimeout=$patience" "$@"; }
  while ((SECONDS < deadline)); do
    remote booting_ssh root@127.0.0.1 'systemctl is-system-running --wait >/dev/null; true' && return
    sleep 1; patience=$((patience + 2))
  done 2>/dev/null
  fail "$name did not come up within $MOST_SECONDS s: $machine/console.log may say why"
}

cut() {
  alive || fail "$name is not up"
  local pid; pid=$(cat "$machine/qemu.pid")
  forget_connection
  kill -9 "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  switch_on
}

reboot() {
  local before now asked=$SECONDS deadline=$((SECONDS + MOST_SECONDS))
  before=$(remote patient_ssh root@127.0.0.1 'cat /proc/sys/kernel/random/boot_id')
  forget_connection
  while ((SECONDS < deadline)); do
    if ((SECONDS >= asked)); then # again where it did not hear it
      remote ssh root@127.0.0.1 "grep -q $before /proc/sys/kernel/random/boot_id && systemctl reboot" || true
      asked=$((SECONDS + 120))
    fi
    sleep 1
    now=$(remote ssh root@127.0.0.1 'cat /proc/sys/kernel/random/boot_id' 2>/dev/null) || continue
    [[ $now != "$before" ]] && wait_until_up && return
  done
  fail "$name did not come back within $MOST_SECONDS s"
}

down() {
  if alive; then kill "$(cat "$machine/qemu.pid")"; fi
  rm -rf "$machine"
}

verb=${1:-help}
(($# == 0)) || shift
case $verb in
  build) build_once ;;
  up | cut | reboot | down) "$verb" "$@" ;;
  run) remote patient_ssh root@127.0.0.1 "$@" ;;
  put) remote patient_scp -r "$1" "root@127.0.0.1:$2" ;;
  get) remote patient_scp -r "root@127.0.0.1:$1" "$2" ;;
  *) sed -n '2,/^#  *in which/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
