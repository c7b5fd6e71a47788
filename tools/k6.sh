# shellcheck shell=bash
# Sourced by ./dev: real k6, pinned, built with Go beside the build (it takes two to three minutes of CPU, once).

K6_VERSION=1.8.1
K6_GO=1.25 # the oldest Go that can build it, from its go.mod
K6_PID=

# 0: a Go is here that can build k6, itself or by fetching a newer toolchain.
go_is_new_enough() {
  local version
  command -v go >/dev/null || return 1
  version=$(go env GOVERSION 2>/dev/null) || return 1
  version=${version#go}
  if [[ $(printf '%s\n' "$K6_GO" "$version" | sort -V | head -n 1) == "$K6_GO" ]]; then return 0; fi
  # From 1.21 on Go fetches the toolchain that a module asks for, unless it is told not to.
  [[ $(printf '%s\n' 1.21 "$version" | sort -V | head -n 1) == 1.21 && $(go env GOTOOLCHAIN) == auto ]]
}

# Begins the installation in the background where it is needed and possible.
start_k6() {
  [[ -z ${SPILLWAY_K6:-} ]] || return 0
  local directory="$HOME/.cache/spillway/k6-$K6_VERSION"
  SPILLWAY_K6="$directory/k6"
  [[ ! -x $SPILLWAY_K6 ]] || return 0
  go_is_new_enough || return 0
  GOBIN=$directory nice go install "go.k6.io/k6@v$K6_VERSION" >build/k6-install.log 2>&1 &
  K6_PID=$!
}

# Waits for it and exports SPILLWAY_K6. 1: there will be no k6, and it was said why.
await_k6() {
  if [[ -n $K6_PID ]]; then
    say "waiting for k6 v$K6_VERSION to be built"
    wait "$K6_PID" || { cat build/k6-install.log >&2; warn "go install of k6 failed, see above"; }
    K6_PID=
  fi
  if [[ -x $SPILLWAY_K6 ]]; then
    export SPILLWAY_K6
    return 0
  fi
  unset SPILLWAY_K6
  local go_url
  go_url=https://go.dev/dl/go1.25.12.linux-$(dpkg --print-architecture).tar.gz
  warn "no k6: Go $K6_GO or newer is needed to build it. What runs k6 is left out. To have it too:"
  warn "  mkdir -p ~/.cache/spillway && curl -fsSL $go_url | tar -C ~/.cache/spillway -xz && PATH=~/.cache/spillway/go/bin:\$PATH ./dev setup"
  return 1
}
