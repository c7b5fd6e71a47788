#!/usr/bin/env bash
# apt-install.sh PACKAGE...: as root. Installs packages without starting the services among them: nginx and redis
# are wanted as programs for comparison and prometheus for promtool, not as daemons on somebody's machine. Debian asks policy-rc.d before it
# starts one; ours says no while this runs, and what was there before is put back.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
saved=$policy.before-spillway

restore() {
  if [[ -e $saved ]]; then mv -f "$saved" "$policy"; else rm -f "$policy"; fi
}
# Left by a run that was killed: that one's original is still the one to put back.
if [[ ! -e $saved && -e $policy ]]; then mv "$policy" "$saved"; fi
trap restore EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

printf '#!/bin/sh\n# written by %s, for the time of one installation\nexit 101\n' "$0" >"$policy"
chmod 755 "$policy"

options=(-q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
apt-get "${options[@]}" update
apt-get "${options[@]}" install -y --no-install-recommends "$@"

# Nor at the next boot: what came here only now is not to be a daemon at all.
for package in "$@"; do
  case $package in
    nginx-light) unit=nginx ;;
    redis-server) unit=redis-server ;;
    prometheus) unit=prometheus ;;
    *) continue ;;
  esac
  if command -v systemctl >/dev/null; then systemctl --quiet disable "$unit" || echo "cannot disable $unit" >&2; fi
done
