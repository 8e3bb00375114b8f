#!/bin/bash
# Holds the binaries to budget.txt: what they load, and how large they are. The size is that of a release build; without
# one only the libraries of the debug build are looked at. TWIND_TEST_LONG=1 makes the release build part of the check.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
budget=Tests/System/budget.txt
debug=.build/debug release=.build-release/release
for tool in readelf strip ldd; do
  command -v $tool > /dev/null || { echo "budget: skipped, $tool is not here (package binutils)"; exit 77; }
done
failed=0 looked=0
complain() { echo "budget: $1"; failed=1; }

# lines WORD...: the budget's lines of one kind.
lines() { grep -E "^$1 " "$budget" | cut -d' ' -f2-; }

absent() { # BINARY
  local loaded
  loaded=$(ldd "$1")
  while read -r library; do
    if grep -qE "^\s*$library\b" <<< "$loaded"; then complain "$1 loads $library, which is budgeted away"; fi
  done < <(lines absent)
}

for name in twind twinctl; do
  if [ -x "$debug/$name" ]; then
    looked=$((looked + 1))
    absent "$debug/$name"
  fi
  [ -x "$release/$name" ] || continue
  # A release binary older than its sources says nothing about them.
  if [ -n "$(find Sources Package.swift -newer "$release/$name" -print -quit)" ] && [ -z "${TWIND_TEST_LONG:-}" ]; then
    echo "budget: $release/$name is older than the sources; not looked at"
    continue
  fi
  looked=$((looked + 1))
  absent "$release/$name"
  needed=$(readelf -d "$release/$name" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
  allowed=$(lines needed | awk -v n="$name" '$1 == n || $1 == "*" { print $2 }')
  for library in $needed; do
    grep -qxF "$library" <<< "$allowed" || complain "$name needs $library, which is not in $budget"
  done
  stripped=$(mktemp)
  strip -o "$stripped" "$release/$name"
  bytes=$(stat -c %s "$stripped")
  rm -f "$stripped"
  most=$(lines size | awk -v n="$name" '$1 == n { print $2 * 1000000 }')
  if [ -z "$most" ]; then complain "$budget has no size for $name"; fi
  [ "$bytes" -le "${most:-0}" ] || complain "$name has $bytes bytes stripped, at most $most"
  echo "budget: $name: $((bytes / 1000000)).$((bytes / 100000 % 10)) MB stripped of $((most / 1000000)); needs" $needed
done
if [ $looked -eq 0 ]; then
  [ -z "${TWIND_TEST_LONG:-}" ] || { echo "budget: no binaries in $debug and $release"; exit 1; }
  echo "budget: skipped, nothing is built: make build"
  exit 77
fi
[ $failed -ne 0 ] || echo "budget: $looked binaries are within it"
exit $failed
