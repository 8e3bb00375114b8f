#!/bin/bash
# The unit file: every key is known to systemd, and the sandbox leaves an exposure of at most 2.0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
exposure_max=2.0
if ! command -v systemd-analyze > /dev/null; then
  echo "units: skipped, systemd-analyze is not here (package systemd)"
  exit 77
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
failed=0

# verify wants the program to exist; which one it is does not matter to it.
sed 's|=/usr/bin/twind |=/bin/true |' systemd/twind.service > "$stage/twind.service"
if ! said=$(systemd-analyze verify --man=no "$stage/twind.service" 2>&1) || [ -n "$said" ]; then
  echo "systemd/twind.service: systemd-analyze verify: $said"
  failed=1
fi

cp systemd/twind-broker-crl.path systemd/twind-broker-crl.service "$stage"
if ! said=$(systemd-analyze verify --man=no "$stage"/twind-broker-crl.* 2>&1) || [ -n "$said" ]; then
  echo "systemd/twind-broker-crl: systemd-analyze verify: $said"
  failed=1
fi

report=$(systemd-analyze security --offline=true --no-pager systemd/twind.service 2>&1 || true)
exposure=$(sed -nE 's/.*exposure level for .*: ([0-9.]+) .*/\1/p' <<< "$report")
if [ -z "$exposure" ] || ! awk -v e="$exposure" -v m="$exposure_max" 'BEGIN { exit !(e <= m) }'; then
  echo "systemd/twind.service: exposure ${exposure:-unknown}, wanted at most $exposure_max; what is open:"
  grep '✗' <<< "$report" || true
  failed=1
fi

# The learner runs beside it, and must never be in its way.
for unit in service path timer; do
  sed 's|=/usr/bin/twind-learn |=/bin/true |' systemd/twind-learn.$unit > "$stage/twind-learn.$unit"
done
for unit in service path timer; do
  if ! said=$(systemd-analyze verify --man=no "$stage/twind-learn.$unit" 2>&1) || [ -n "$said" ]; then
    echo "systemd/twind-learn.$unit: systemd-analyze verify: $said"
    failed=1
  fi
done
report=$(systemd-analyze security --offline=true --no-pager systemd/twind-learn.service 2>&1 || true)
learner=$(sed -nE 's/.*exposure level for .*: ([0-9.]+) .*/\1/p' <<< "$report")
if [ -z "$learner" ] || ! awk -v e="$learner" -v m="$exposure_max" 'BEGIN { exit !(e <= m) }'; then
  echo "systemd/twind-learn.service: exposure ${learner:-unknown}, wanted at most $exposure_max; what is open:"
  grep '✗' <<< "$report" || true
  failed=1
fi
for line in 'CPUQuota=50%' 'Nice=19' 'IOSchedulingClass=idle' 'MemoryMax=512M' 'PrivateNetwork=yes' 'Type=oneshot'; do
  grep -qxF "$line" systemd/twind-learn.service || { echo "systemd/twind-learn.service: no line $line"; failed=1; }
done

# What the daemon depends on in the unit, each with its reason beside it there.
want() {
  grep -qxE "$1" systemd/twind.service || { echo "systemd/twind.service: no line $1"; failed=1; }
}
want 'Type=notify'
want 'Restart=always'
want 'ExecStopPost=/usr/bin/twind revert .*'
want 'RuntimeDirectoryMode=0750'
want 'StateDirectoryMode=0750'
if grep -qE '^(Wants|After|Requires)=.*network-online' systemd/twind.service; then
  echo "systemd/twind.service: waits for network-online.target"
  failed=1
fi
if grep -qE '^(ProtectClock|PrivateUsers)=yes|^ProtectProc=invisible|^ProcSubset=pid' systemd/twind.service; then
  echo "systemd/twind.service: one of the sandbox's keys that its comment excludes"
  failed=1
fi
limit=$(sed -nE 's/^TimeoutStopSec=([0-9]+)s$/\1/p' systemd/twind.service)
own=$(grep -hoE 'maximum(GracefulShutdown|Cancellation)Duration = \.seconds\([0-9]+\)' Sources/twind/*.swift |
  grep -oE '[0-9]+' | awk '{ s += $1 } END { print s + 0 }')
if [ -z "$limit" ] || [ "$limit" -le "$own" ]; then
  echo "systemd/twind.service: TimeoutStopSec=${limit:-?}s, the daemon takes up to $own s to stop"
  failed=1
fi

[ $failed -ne 0 ] || echo "units: exposure $exposure, the learner's $learner, stop limit $limit s for a daemon that takes at most $own s"
exit $failed
