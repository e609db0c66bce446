#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The four layers point one way, and each includes only the third parties it may (README, "Layers").
set -u
cd "$1"
bad=0
forbid() {  # forbid REGEX FOLDER...: no include line in these folders may match
    local pattern=$1
    shift
    local hits
    hits=$(grep -rnE "^ *# *include *[<\"]($pattern)" --include='*.hpp' --include='*.cpp' "$@" 2>/dev/null)
    if [ -n "$hits" ]; then
        printf 'layering: forbidden include (%s):\n%s\n' "$pattern" "$hits"
        bad=1
    fi
}
forbid '(quant|sim|experiments)/' models
forbid '(sim|experiments)/' quant
forbid 'experiments/' sim
forbid 'systemc|tlm' models quant experiments
forbid 'yaml-cpp' models quant sim
forbid '(dnnl|oneapi|boost/)' models
forbid '(sqlite3|CLI/|openssl/)' models quant sim
forbid '(dnnl|zip\.h|stb/)' sim experiments
forbid 'quant/' tests/support/oracle
misplaced=$(grep -rlE '^ *# *include *[<"]yaml-cpp' --include='*.hpp' --include='*.cpp' experiments | grep -v '^experiments/config/')
if [ -n "$misplaced" ]; then
    printf 'layering: yaml-cpp belongs to experiments/config:\n%s\n' "$misplaced"
    bad=1
fi
exit $bad
