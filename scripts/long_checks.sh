#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long checks of `./run_tests --all`, one after the other; the first that fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/mutation_check.sh
