#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does CTest run every test the programs hold? A name CMake cannot pass on (an unbalanced bracket, a semicolon) would merge tests into one
# that matches nothing.
# usage: discovery.sh CTEST BUILD_DIR [SPEC]     SPEC: of the tests that CTest is to run, as the programs take it
set -euo pipefail
ctest=$1 build=$2 spec=${3:-} bad=0
known=$("$ctest" --test-dir "$build" -N)
for program in "$build"/tests/test_*; do
    [ -x "$program" ] && [ -f "$program" ] || continue
    name=${program##*/test_}
    held=$("$program" ${spec:+"$spec"} --list-test-names-only | grep -c . || true)
    run=$(grep -c "^ *Test *#[0-9]*: $name:" <<<"$known" || true)
    echo "$name: $held tests, CTest runs $run"
    [ "$held" = "$run" ] && [ "$held" -gt 0 ] || bad=1
done
exit $bad
