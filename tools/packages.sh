# shellcheck shell=bash
# Sourced by ./dev: which Debian packages a command needs, and how they get here.

# Python from Debian, because its modules (pytest, yaml) come from Debian as well.
# shellcheck disable=SC2034  # used by the others
PYTHON=/usr/bin/python3

packages_of() {
  case $1 in
    build)
      echo build-essential cmake ninja-build ccache mold libboost1.81-dev libboost-json1.81-dev libssl-dev \
        libcurl4-openssl-dev libfmt-dev libspdlog-dev libcli11-dev libisal-dev libsodium-dev liburing-dev libxxhash-dev \
        libtomlplusplus-dev
      # Node from elsewhere brings its own npm, and Debian's would throw it out.
      command -v npm >/dev/null || echo nodejs npm
      ;;
    test)
      echo libgtest-dev libgmock-dev python3 python3-pytest python3-yaml python3-cryptography curl openssl \
        ca-certificates procps chromium zsh fish \
        prometheus # for the tests of rules and dashboard; its service is neither started nor enabled (apt-install.sh)
      ;;
    bench) echo nginx-light redis-server redis-tools wrk python3 ;;
    lint) echo clang-format-14 clang-tidy-14 python3 libgtest-dev libgmock-dev ;;
    fuzz) echo clang-14 libclang-rt-14-dev ;;
  esac
}

# need SET...: installs what is missing of the sets, and does nothing else when nothing is.
need() {
  local set package wanted=() missing=() installed
  for set in "$@"; do
    # shellcheck disable=SC2207  # names of packages hold no spaces
    wanted+=($(packages_of "$set"))
  done
  if ! command -v dpkg-query >/dev/null; then
    warn "this is not Debian: make sure that you have the like of: ${wanted[*]}"
    return 0
  fi
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${wanted[@]}" 2>/dev/null |
    sed -n 's/ installed$//p' || true)
  installed=" ${installed//$'\n'/ } "
  for package in "${wanted[@]}"; do
    if [[ $installed != *" $package "* ]]; then
      missing+=("$package")
      installed+="$package " # a package may be in two sets
    fi
  done
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

install_packages() {
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      die "these packages are missing, and I am neither root nor is there sudo. As root: apt-get install $*"
    as_root=(sudo)
  fi
  say "installing (build/apt.log): $*"
  mkdir -p build
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive bash tools/apt-install.sh "$@" >build/apt.log 2>&1 || {
    tail -n 30 build/apt.log >&2
    die "apt-get could not install: $*"
  }
}
