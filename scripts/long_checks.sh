#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long checks of `./run_tests --all`, one after the other; the first that fails ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/bootstrap.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

scripts/mutation_check.sh

# Everything under the sanitizers; the default run leaves out what sweeps from end to end.
cmake -DPRELUDE_SANITIZE_ALL=ON build/asan >/dev/null
prelude_build asan
ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 ctest --test-dir build/asan --output-on-failure -j "$(nproc)"
cmake -DPRELUDE_SANITIZE_ALL=OFF build/asan >/dev/null

# Readers of untrusted files: a minute each, from the test data as seeds.
prelude_build fuzz fuzzers
python3 tests/fuzz/seeds.py "$work/seeds"
for reader in safetensors pth coco yaml report dump; do
    seeds=("$work/seeds/$reader")
    [ "$reader" = yaml ] && seeds=(arch_configs tests/data/bad/configs)
    [ "$reader" = report ] && seeds=(tests/data/reports)
    mkdir -p "$work/corpus/$reader"
    "build/fuzz/tests/fuzz/fuzz_$reader" -max_total_time=60 -print_final_stats=0 "$work/corpus/$reader" "${seeds[@]}" 2>"$work/$reader.log" ||
        { tail -n 30 "$work/$reader.log"; echo "fuzz_$reader found a defect"; exit 1; }
    echo "fuzz_$reader: 60 s clean"
done

# The quickest configuration of every unit of the study of resources, synthesized again.
python3 tests/calibration/synthesize.py --check 13

tests/experiments/report/check_in_browser.sh build/release/tests/fake_explore arch_configs/quickstart.yaml
# The hand-off: every fault of the example kernel, and dumps of a gigabyte.
build/release/tests/test_experiments '[faults]'
build/release/tests/test_experiments '[large]'

build/release/tests/test_experiments '[readme-long]'
