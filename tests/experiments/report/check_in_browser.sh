#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Opens a report in headless Chromium, without network, and asserts what it shows: check_in_browser.sh FAKE_EXPLORE CONFIG
# Prints one line per report; a screenshot of each is left in $PRELUDE_SCREENSHOTS, if set.
set -euo pipefail
explore=$1
config=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { printf 'FAIL %s: %s\n' "$name" "$*"; exit 1; }

browse() { chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir="$work/profile" \
    --host-resolver-rules='MAP * ~NOTFOUND' --virtual-time-budget=20000 "$@" 2>"$work/log"; }

# count REGEX FILE: matches, also none
count() { { grep -o "$1" "$2" || true; } | wc -l; }

# check NAME PLOTS ROWS TILES TEXT [explore arguments...]     TILES: pictures with a mask
check() {
    name=$1
    local plots=$2 rows=$3 tiles=$4 text=$5
    shift 5
    "$explore" --config "$config" --out "$work/$name" --quiet "$@" >"$work/table" 2>&1 || [ $? -eq 4 ] || fail "explore: $(tail -1 "$work/table")"
    local url="file://$work/$name/report.html" dom="$work/$name.html"
    browse --dump-dom "$url" >"$dom"
    grep -q "data-ready=\"$plots\"" "$dom" || fail "not $plots plots: $(grep -o 'data-ready="[^"]*"' "$dom" || echo 'the script did not reach its end')"
    local shown
    shown=$(count '<tr data-position=[^>]*>\|<tr class="[^"]*" data-position=[^>]*>\|<tr data-position' "$dom")
    [ "$shown" = "$rows" ] || fail "$shown rows instead of $rows"
    shown=$(count '<div class="tile">' "$dom")
    [ "$shown" = "$tiles" ] || fail "$shown masks instead of $tiles"
    shown=$(count '<div class="tile"><img src="data:image/png;base64,[^"]*" alt=""><img src="data:image/png;base64,[^"]*" alt="[^"]*, grey &lt;[0-9]*&gt;"><i class="\(box\|dot\)" style="[^"]*"></i></div>' "$dom")
    [ "$shown" = "$tiles" ] || fail "$shown of $tiles masks with picture, layer and prompt"
    grep -q "$text" "$dom" || fail "does not say: $text"
    if grep -qE '(src|href)="(https?:)?//' "$dom"; then fail "refers to the network"; fi
    if [ -n "${PRELUDE_SCREENSHOTS:-}" ]; then
        mkdir -p "$PRELUDE_SCREENSHOTS"
        browse --screenshot="$PRELUDE_SCREENSHOTS/$name.png" --window-size=1300,3800 --hide-scrollbars "$url"
        browse --print-to-pdf="$PRELUDE_SCREENSHOTS/$name.pdf" --no-pdf-header-footer "$url"
    fi
    printf 'PASS %s: %s plots, %s rows, %s masks\n' "$name" "$plots" "$rows" "$tiles"
}

check sweep 2 36 12 'on the Pareto front' --set model.checkpoint=none
check compared 2 36 12 'is more than chance\|are more than chance' --set model.checkpoint=none --set sweep.compare=quant.groups
check one 0 1 6 'One design point' --set model.checkpoint=none --set quant.groups=1 --set 'quant.weight_bits=8' --set 'quant.activation_bits=8' --set quant.softmax.log_base=2
PRELUDE_FAKE_SHAPES_ONLY=1 check shapes 1 36 0 'Accuracy is unknown in this sweep: no weights' --set model.checkpoint=none
PRELUDE_FAKE_NOTHING_FITS=1 check nothing_fits 2 36 0 'infeasible' --set model.checkpoint=none
check thousand 2 1008 12 '1,008 design points' --set model.checkpoint=none --set 'sweep.axes.hw.axi.outstanding=[2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29]'
