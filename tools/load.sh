#!/usr/bin/env bash
# load.sh TARGET: what the Makefile's targets do. `make help` says what they are told by which variable.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"

say() { printf '\n== %s\n' "$*"; }
warn() { printf 'load: %s\n' "$*" >&2; }

. tools/k6.sh

BASE_URL=${BASE_URL:-http://127.0.0.1:8080}
REPORT_DIR=${REPORT_DIR:-build/load}
# k6 has options of these names, and they would take the place of the script's scenarios.
vus=${K6_VUS:-} duration=${K6_DURATION:-}
unset K6_VUS K6_DURATION

usage() {
  cat <<'TEXT'
usage: make TARGET [NAME=VALUE ...]

  install-k6                 build k6 with Go, if it is not there yet
  load-intake                everybody logs in and signs up for one event   K6_VUS=300, K6_DURATION=60s
  load-waitroom-entry        everybody enters one line at once              K6_VUS=1000 to 4000, K6_DURATION=60s
  load-waitroom-circulation  people enter, wait, stay a while and leave     K6_VUS=1000 to 4000, K6_DURATION=3m
  help                       this text

  BASE_URL     where Spillway listens, with --identity open                 http://127.0.0.1:8080
  K6_VUS       virtual users; of the waiting room's targets those made before the start and at most
  K6_DURATION  for how long                                                 see above
  REPORT_DIR   where the summary goes, as JSON and Markdown                 build/load

SPILLWAY_ADMIN_TOKEN, in the environment, is the server's admin secret: the waiting room's targets configure a line.
A script's other settings (EVENT_ID, RATE, MAX_ACTIVE ...) are taken from the environment: see the beginning of k6/*.js.
Without k6 the targets say which command of the native generator makes the same load.
TEXT
}

# The one given, else the one on PATH, else the one that install-k6 made.
find_k6() {
  if [[ -n ${SPILLWAY_K6:-} ]]; then
    echo "$SPILLWAY_K6"
  else
    command -v k6 || echo "$HOME/.cache/spillway/k6-$K6_VERSION/k6"
  fi
}

install_k6() {
  local k6
  k6=$(find_k6)
  if [[ ! -x $k6 ]]; then
    mkdir -p build
    start_k6
    await_k6 || return 1
    k6=$SPILLWAY_K6
  fi
  echo "$k6"
}

# offer PLAN WORD...: says how the native generator is told the same.
offer() {
  local words
  printf -v words ' %q' "$@" --report-dir "$REPORT_DIR"
  warn "k6 is not installed (make install-k6). The native generator needs none, and makes the same load with"
  [[ -n ${SPILLWAY_ADMIN_TOKEN:-} ]] ||
    warn "SPILLWAY_ADMIN_TOKEN in the environment, the server's admin secret, and"
  printf '  build/release/spillway load run%s\n' "$words" >&2
  [[ -x build/release/spillway ]] || warn "(there is no build/release/spillway yet: ./dev build makes it)"
}

# run_script FILE: with what is in the environment, where no list of processes shows a secret.
run_script() {
  local k6 status=0
  k6=$(find_k6)
  mkdir -p "$REPORT_DIR"
  say "$k6 run $1 against $BASE_URL"
  BASE_URL=$BASE_URL REPORT_DIR=$REPORT_DIR ADMIN_TOKEN=${SPILLWAY_ADMIN_TOKEN:-} GOGC=${GOGC:-400} \
    "$k6" run --no-usage-report "k6/$1" || status=$?
  ((status == 0)) || warn "k6 ended with exit code $status (99: a threshold failed)"
  echo "the summary, when k6 came to its end, is in $REPORT_DIR"
  return "$status"
}

load_intake() {
  vus=${vus:-${VUS:-300}} duration=${duration:-${DURATION:-60s}}
  if [[ ! -x $(find_k6) ]]; then
    offer intake --base-url "$BASE_URL" --vus "$vus" --duration "$duration"
    return 1
  fi
  VUS=$vus DURATION=$duration run_script g0_spike_participation.js
}

# load_line SCRIPT PLAN SCENARIO PEOPLE DURATION: PEOPLE are looked after by one virtual user of k6, and are each one of ours.
load_line() {
  local script=$1 words=("$2" --base-url "$BASE_URL")
  if [[ ! -x $(find_k6) ]]; then
    [[ -z $vus ]] || words+=(--vus "$((vus * $4))")
    [[ -z $duration ]] || words+=(--set "scenarios.$3.duration=$duration")
    offer "${words[@]}"
    return 1
  fi
  if [[ -z ${SPILLWAY_ADMIN_TOKEN:-} ]]; then
    warn "SPILLWAY_ADMIN_TOKEN is not set: the server's admin secret, with which the line is configured"
    return 1
  fi
  # Else the script's own, or what the environment says.
  if [[ -n $vus ]]; then export VUS=$vus MAX_VUS=$vus; fi
  DURATION=${duration:-${DURATION:-$5}} run_script "$script"
}

if [[ -n $vus && ! $vus =~ ^[1-9][0-9]{0,6}$ ]]; then
  warn "K6_VUS=$vus: must be a number of virtual users, 1 to 9999999"
  exit 2
fi
case ${1:-help} in
  help) usage ;;
  install-k6) install_k6 ;;
  load-intake) load_intake ;;
  load-waitroom-entry) load_line queue-entry-scale-test.js waitroom-entry crowd 1 60s ;;
  load-waitroom-circulation) load_line queue-circulation-test.js waitroom-circulation people 100 3m ;;
  *)
    warn "unknown target: $1"
    usage >&2
    exit 2
    ;;
esac
