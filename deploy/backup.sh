#!/usr/bin/env bash
# backup.sh DATA BACKUP: a checked copy of a data directory, of a running server as well.
#
# What makes it right is the order. The watermark comes first: it says up to where work has been acknowledged, and all
# of that lies in the segments that are copied after it, and so do the snapshots that segments before them were removed
# for. What is written meanwhile is in the copy or is not, as after a power cut. Whether it has come out right is not a
# matter of belief: `spillway journal verify` replays the copy, and only then it gets its name. When a segment was being
# written or removed under the copy's hands, that says no, and the copy is made again.
#
# SPILLWAY names the program, if it is not on PATH. Exit codes: 0 there is a good copy in BACKUP; 1 there is none.
set -euo pipefail

fail() { printf 'backup: %s\n' "$*" >&2; exit 1; }

(($# == 2)) || { printf 'usage: %s DATA BACKUP\n' "$0" >&2; exit 2; }
data=$1 backup=$2 partial=$2.partial
spillway=${SPILLWAY:-spillway}
[[ -f $data/watermark ]] || fail "$data holds no journal"
[[ ! -e $backup ]] || fail "$backup is there already"
umask 077 # the keys are in it

for try in 1 2 3 4 5; do
  rm -rf "$partial"
  mkdir -p "$partial"
  if cp "$data"/watermark "$partial"/ &&
    find "$data" -maxdepth 1 -name 'snapshot-*.snap' -exec cp -t "$partial" {} + &&
    cp "$data"/journal-*.log "$partial"/ &&
    cp -r "$data"/keys "$partial"/ &&
    "$spillway" journal verify "$partial"; then
    sync "$partial"/* "$partial"
    mv "$partial" "$backup"
    exit 0
  fi
  printf 'backup: try %s was not good\n' "$try" >&2
done
rm -rf "$partial"
fail "no good copy of $data could be made"
