#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Trains sam_nano from nothing: installs what training needs, generates the data, trains, exports, evaluates on the test split.
#
# usage: scripts/train_sam_nano.sh [--minutes N] [--work DIR] [--out FILE] [--continue WEIGHTS --start-step N]
#   --minutes N      length of training (default 480); the learning rate follows the clock
#   --work DIR       generated pictures (8 GB) and checkpoints, outside the repository (default /tmp/prelude_train);
#                    started again, the script continues from the last checkpoint there
#   --out FILE       where the weights go (default DIR/sam_nano.safetensors; the shipped ones are models/weights/)
#   --continue F     start from these weights instead of at random, with fresh optimiser moments
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
minutes=480 work=/tmp/prelude_train out="" resume=()
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || { echo "train_sam_nano.sh: $1 needs a value" >&2; exit 2; }
    case $1 in
        --minutes) minutes=$2 ;;
        --work) work=$2 ;;
        --out) out=$2 ;;
        --continue) resume+=(--resume-weights "$(realpath "$2")") ;;
        --start-step) resume+=(--start-step "$2") ;;
        *) echo "train_sam_nano.sh: unknown option $1" >&2; exit 2 ;;
    esac
    shift 2
done
out=${out:-$work/sam_nano.safetensors}

source "$root/scripts/bootstrap.sh"
prelude_install build train
prelude_build release prelude_generate

# The pictures, in folders of 2500; a finished folder is kept, a half-written one is redone.
mkdir -p "$work/data"
generate() {  # SPLIT KIND NUMBER COUNT
    local folder="$work/data/$1-$2-$(printf %03d "$3")"
    [ -d "$folder" ] && return
    rm -rf "$folder.tmp"
    "$root/build/release/models/prelude_generate" --kind "$2" --split "$1" --seed 1 --first $(($3 * $4)) --count "$4" --out "$folder.tmp"
    mv "$folder.tmp" "$folder"
}
echo "generating pictures in $work/data" >&2
for kind in scene phantom; do
    generate dev $kind 0 256
    generate test $kind 0 256
    for number in $(seq 0 $([ $kind = scene ] && echo 19 || echo 13)); do generate train $kind "$number" 2500; done
done

# glibc returns large blocks to the kernel at once and pays for it in page faults: keep them.
export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456
code=$root/models/training
if grep -q avx512_bf16 /proc/cpuinfo; then resume+=(--bf16); fi
/usr/bin/python3 "$code/train.py" --data "$work/data" --out "$work/run" --minutes "$minutes" "${resume[@]}"
/usr/bin/python3 "$code/export.py" "$work/run/checkpoint.pt" "$out"
/usr/bin/python3 "$code/evaluate.py" --weights "$out" --folder "$work/data/test-scene-000" --folder "$work/data/test-phantom-000"
