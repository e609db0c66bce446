#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How far the estimates of LUT, FF, DSP and block RAM are from a synthesis (docs/resources.md).
#   scripts/resource_study.sh                the tables, from arch_configs/costs/synthesis.csv: no Yosys needed
#   scripts/resource_study.sh --rows UNIT    every configuration of a unit
#   scripts/resource_study.sh --update       writes the fitted terms to arch_configs/costs/default.yaml, the tables to the page
#   scripts/resource_study.sh --synthesize   first synthesizes what the RTL or the study changed (all of it: about a quarter of an hour)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
if [ "${1:-}" = --synthesize ]; then
    shift
    prelude_install synthesis
    python3 tests/calibration/synthesize.py
fi
prelude_install build test
prelude_build release resource_study 1>&2
exec build/release/tests/resource_study "$@"
