#!/usr/bin/env bash
# The console, which Vite builds and the program carries. npm is needed here and for the browser tests, nowhere else.
#
#   tools/web.sh build            web/console/dist, unless it is there already and of just these sources
#   tools/web.sh packages DIR     the npm packages that DIR/package-lock.json names, unless they are there already
#
# CMake calls the first, the browser tests the second. What is there is not asked of the registry again, so both work
# offline from the second time on. A registry that does not answer ends in one clear error, never in a hang.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

readonly kOldestNode=18           # Debian 12 has it
readonly kFetchTimeoutMs=30000    # of one request; npm's own five minutes, three times, look like a hang
readonly kInstallTimeout=300      # seconds, of all of them
readonly kBuildTimeout=300

die() { printf 'web: %s\n' "$*" >&2; exit 1; }

check_tools() {
  local version
  command -v node >/dev/null && command -v npm >/dev/null ||
    die "node and npm are not here, and the console needs them to be built: apt-get install nodejs npm"
  version=$(node --version)
  version=${version#v}
  ((${version%%.*} >= kOldestNode)) || die "node $version is too old: $kOldestNode or newer is needed"
}

packages() {
  local directory=$1 made=$1/node_modules/.made-of wanted status=0
  wanted=$(sha256sum <"$directory/package-lock.json")
  if [[ -f $made && $(<"$made") == "$wanted" ]]; then return 0; fi
  check_tools
  mkdir -p build
  # No scripts: nothing here needs one, and what others publish should not run for being downloaded.
  (cd "$directory" && timeout --kill-after=10 "$kInstallTimeout" npm ci --ignore-scripts --no-audit --no-fund \
    --prefer-offline --fetch-retries=1 --fetch-timeout="$kFetchTimeoutMs") >build/npm.log 2>&1 || status=$?
  if ((status != 0)); then
    grep -m 5 -E '^npm (ERR!|error)' build/npm.log >&2 || true
    die "npm could not fetch the packages of $directory from $(npm config get registry 2>/dev/null)" \
      "(status $status; build/npm.log). Is the registry within reach? Once they are here, it is not asked again."
  fi
  echo "$wanted" >"$made"
}

# Name and content of everything that the pages are made of.
sources() {
  find web/console \( -name node_modules -o -name dist \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
}

build() {
  local made=web/console/dist/.made-of wanted
  wanted=$(sources | sha256sum)
  if [[ -f $made && $(<"$made") == "$wanted" ]]; then return 0; fi
  packages web/console
  check_tools
  mkdir -p build
  (cd web/console && timeout --kill-after=10 "$kBuildTimeout" npm run build) >build/web.log 2>&1 ||
    { tail -n 40 build/web.log >&2; die "the console could not be built (build/web.log)"; }
  echo "$wanted" >"$made"
}

mkdir -p build
exec 9>build/web.lock # two builds at once would write into one another's dist
flock --timeout 900 9 || die "another build of the console has held build/web.lock for 15 minutes"
case ${1:-} in
  build) build ;;
  packages) packages "${2:?packages needs a directory}" ;;
  *) die "usage: web.sh build | packages DIRECTORY" ;;
esac
