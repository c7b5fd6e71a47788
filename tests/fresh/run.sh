#!/usr/bin/env bash
# run.sh [--worktree] [--only run|test] [DIRECTORY]: does a stranger's fresh clone work on a bare Debian 12?
#
# Makes one with debootstrap in DIRECTORY (default /var/tmp/spillway-fresh), with git and ca-certificates and nothing
# else, clones this repository into it (--worktree: copies the files as they lie here, committed or not), and there
# runs `./dev run` until it is ready, asks it from outside, stops it, and runs `./dev test`. Go is not in there, so
# the tests of k6 are skipped, as on a stranger's machine. Needs root, debootstrap, and a way to a Debian mirror
# ($SPILLWAY_MIRROR, default http://deb.debian.org/debian). The directory is removed at the end of a good run.
set -euo pipefail

repository=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
mirror=${SPILLWAY_MIRROR:-http://deb.debian.org/debian}
root=/var/tmp/spillway-fresh
worktree='' only=''

die() { echo "fresh: $*" >&2; exit 1; }
step() { printf '\n== [%4d s] %s\n' "$SECONDS" "$*"; }

arguments=("$@")
while (($#)); do
  case $1 in
    --worktree) worktree=1 ;;
    --only) only=${2:?--only run or test}; shift ;;
    -*) die "unknown option $1" ;;
    *) root=$1 ;;
  esac
  shift
done
((EUID == 0)) || die "must be root (debootstrap and chroot)"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"

# In name spaces of its own for mounts and processes: however this ends, no mount and no process of ours is left over.
# Ctrl-C ends it; from elsewhere kill -KILL does, because unshare passes on nothing less.
if [[ ${SPILLWAY_FRESH_INSIDE:-} != 1 ]]; then
  SPILLWAY_FRESH_INSIDE=1 exec unshare --mount --propagation private --mount-proc --pid --fork --kill-child \
    "${BASH_SOURCE[0]}" ${arguments[@]+"${arguments[@]}"}
fi

server=''
cleanup() {
  [[ -z $server ]] || kill -TERM "$server" 2>/dev/null || true
  for mount in proc dev/pts dev mnt/repository; do
    ! mountpoint -q "$root/$mount" || umount "$root/$mount"
  done
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# "${inside[@]}" SCRIPT: nothing is inherited from this machine but the network; with that goes the authority of a proxy
# that stands before it, if Node.js is told of one here. An array, no function: so `$!` is the process id of the program
# itself.
proxy_authority=/etc/ssl/proxy-authority.pem
inside=(chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 ${NODE_EXTRA_CA_CERTS:+NODE_EXTRA_CA_CERTS=$proxy_authority}
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c)

make_machine() {
  if [[ -e $root ]]; then
    [[ -e $root/.spillway-fresh ]] || die "$root exists and is not of my making"
    rm -rf --one-file-system "$root"
  fi
  mkdir -p "$root"
  touch "$root/.spillway-fresh"
  step "debootstrap Debian 12 into $root"
  debootstrap --variant=minbase --include=git,ca-certificates bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail -n 20 "$root.log" >&2; die "debootstrap failed"; }
  rm -f "$root.log"
  cat >"$root/etc/apt/sources.list" <<SOURCES
deb $mirror bookworm main
deb $mirror bookworm-updates main
SOURCES
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  [[ -z ${NODE_EXTRA_CA_CERTS:-} ]] || cp "$NODE_EXTRA_CA_CERTS" "$root$proxy_authority"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  mount --bind /dev/pts "$root/dev/pts"
}

bring_repository() {
  step "the repository"
  if [[ $worktree ]]; then
    mkdir -p "$root/root/spillway"
    tar -C "$repository" --exclude=./build --exclude=./data --exclude=./.git -c . | tar -C "$root/root/spillway" -x
  else
    mkdir -p "$root/mnt/repository"
    mount --bind -o ro "$repository" "$root/mnt/repository"
    "${inside[@]}" "git -c safe.directory='*' clone -q /mnt/repository /root/spillway"
    umount "$root/mnt/repository"
  fi
}

# `./dev run` as the README tells a stranger to, but on a port that is free here.
check_run() {
  step "./dev run"
  local line url='' output="$root/run.fifo"
  mkfifo "$output"
  "${inside[@]}" "cd /root/spillway && exec ./dev run --listen 127.0.0.1:0 --data /tmp/data" >"$output" 2>&1 &
  server=$!
  exec 3<"$output"
  while read -r line <&3; do
    echo "$line"
    if [[ $line == "ready http"* ]]; then url=${line#ready }; break; fi
  done
  [[ $url ]] || die "./dev run ended without becoming ready"
  cat <&3 &
  local reader=$!
  step "asking $url"
  local path
  for path in /livez /readyz /metrics; do
    curl -fsS -o /dev/null -w "$path %{http_code}\n" "$url$path"
  done
  local token reply
  token=$(curl -fsS "$url/auth/login" -H 'content-type: application/json' -d '{"userId":"stranger"}' |
    sed -n 's/.*"accessToken" *: *"\([^"]*\)".*/\1/p')
  [[ $token ]] || die "no token from /auth/login"
  reply=$(curl -sS -w ' %{http_code}' -X POST "$url/events/EVT-009/participations" -H "authorization: Bearer $token")
  echo "POST /events/EVT-009/participations: $reply"
  [[ $reply == *'"requestId"'*' 202' ]] || die "not a 202 with a requestId"
  kill -TERM "$server"
  wait "$server" || die "the server ended with status $?"
  server=''
  wait "$reader"
  exec 3<&-
  rm "$output"
  step "stopped as asked, status 0"
}

check_test() {
  step "./dev test"
  "${inside[@]}" "cd /root/spillway && ./dev test" | tee "$root/test.log"
  tail -n 1 "$root/test.log" | grep -Eq '^[0-9]+ passed, 0 failed, [0-9]+ skipped$' || die "not the last line hoped for"
}

make_machine
bring_repository
[[ $only == test ]] || check_run
[[ $only == run ]] || check_test
step "a fresh clone works on a bare Debian 12"
cleanup
rm -rf --one-file-system "$root"
