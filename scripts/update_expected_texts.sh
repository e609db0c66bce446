#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rewrites docs/keys.md and the expected messages of broken inputs from what the program says now.
# Look at the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/.."
PRELUDE_UPDATE_EXPECTED=1 build/release/tests/test_models "[expected]"
PRELUDE_UPDATE_EXPECTED=1 build/release/tests/test_experiments '[expected]'
git --no-pager diff --stat -- docs/keys.md tests/data/bad
