#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# prelude_golden fails when it has to: damaged references, files that no case claims, nothing to test.
#   self_test.sh PROGRAM DATA
set -u
program=$1
data=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

expect() {  # expect NAME EXIT_CODE PATTERN: runs the program on $work/case
    local output code
    output=$("$program" "$work/case" 2>&1)
    code=$?
    if [ "$code" != "$2" ] || ! grep -qE "$3" <<<"$output"; then
        printf '%s: exit code %s, expected %s and a line like "%s". Output:\n%s\n' "$1" "$code" "$2" "$3" "$output"
        bad=1
    fi
}
fresh() { rm -rf "$work/case" && cp -r "$data" "$work/case"; }
# Changes the last bytes of a file: the last element of its last tensor becomes 2.0.
damage() { printf '\x00\x00\x00\x40' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") - 4)) conv=notrunc status=none; }

fresh
expect 'undamaged data' 0 '^PASS +sam-model +sam/tiny-a '

fresh
damage "$work/case/sam/tiny-a.encoder-activations.safetensors"
expect 'a damaged activation' 1 '^FAIL +sam-model +sam/tiny-a '

fresh
damage "$work/case/sam/tiny-a.pth"  # its directory: the file cannot be read any more
expect 'a damaged archive' 1 '^FAIL +- +sam/tiny-a.pth .*no case claims this file'

fresh
damage "$work/case/sam/pth-edge-cases.safetensors"
expect 'a damaged twin' 1 '^FAIL +checkpoint +sam/pth-edge-cases '

fresh
rm "$work/case/sam/tiny-a.inputs.safetensors"
expect 'missing inputs' 1 '^FAIL +sam-model +sam/tiny-a '

fresh
echo '{"some": "document"}' >"$work/case/extra.json"
expect 'a document of unknown meaning' 1 '^FAIL +- +extra.json .*no case claims this file'

fresh
mkdir "$work/case/mine" && for file in "$work/case/sam/"tiny-a.*; do mv "$file" "$work/case/mine/my model${file##*/tiny-a}"; done
sed -i 's/"tiny-a"/"my model"/' "$work/case/quant/quantized-tiny-a-w4a4.json"
expect 'other names' 0 '^PASS +sam-model +mine/my model '

fresh
damage "$work/case/quant/quantized-tiny-a-w4a4.safetensors"
expect 'a damaged output of a quantized model' 1 '^FAIL +quantized-model +quant/quantized-tiny-a-w4a4 '

fresh
damage "$work/case/quant/quantized-tiny-a-w4a4.intended-hybrid.safetensors"
expect 'a damaged output of its twin' 1 '^FAIL +quantized-model +quant/quantized-tiny-a-w4a4 '

fresh
sed -i 's/"bits": 4/"bits": 5/' "$work/case/quant/quantized-tiny-a-w4a4.json"
expect 'a quantized model of other bits' 1 '^FAIL +quantized-model +quant/quantized-tiny-a-w4a4 '

fresh
sed -i 's/"log"/"root"/' "$work/case/quant/quantized-tiny-a-w4a4.json"
expect 'a quantizer of unknown kind' 0 '^UNSUPPORTED +quantized-model +quant/quantized-tiny-a-w4a4 '

fresh
sed -i 's/"AP75": 0.4/"AP75": 0.5/' "$work/case/coco/expected.json"
expect 'another score' 1 '^FAIL +coco +coco/expected '

fresh
sed -i 's/"counts": {/"number": {"AP": 1}, "counts": {/' "$work/case/coco/expected.json"
expect 'scores of unknown meaning' 1 '^FAIL +coco +coco/expected '

fresh
rm "$work/case/coco/det_bbox.json"
expect 'missing detections' 1 '^FAIL +coco +coco/expected '

fresh
sed -i 's/"score": 0.034/"score": 0.999/' "$work/case/coco/det_segm.json"
expect 'detections in another order' 1 '^FAIL +coco +coco/expected '

fresh
for file in "$work/case/coco/"*.json; do mv "$file" "${file%/*}/my ${file##*/}"; done
expect 'COCO files of other names' 0 '^PASS +coco +coco/my expected '

rm -rf "$work/case" && mkdir "$work/case" && echo 'text is no data' >"$work/case/README.md"
expect 'no case at all' 1 'no case found'

exit $bad
