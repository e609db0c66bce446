#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Do the tests notice when the arithmetic is wrong? Applies the edits of scripts/mutations.txt one at a time to a scratch copy
# of quant/, rebuilds the objects that see the edited file, links them with those of the release build and runs the tests tagged
# [mutation]. Prints caught or SURVIVED for each and the count; exit 1 if one survives.
#   scripts/mutation_check.sh [LIST]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
list=${1:-$root/scripts/mutations.txt}
build=$root/build/release
. "$root/scripts/bootstrap.sh"
prelude_build release test_quant

scratch=$root/build/mutation
rm -rf "$scratch"
mkdir -p "$scratch/source/tests" "$scratch/objects"
trap 'rm -rf "$scratch"' EXIT
cp -r "$root/models" "$root/quant" "$scratch/source/"
cp -r "$root/tests/quant" "$root/tests/support" "$scratch/source/tests/"
mkdir -p "$scratch/source/build/release/tests"
cp "$build/tests/paths.hpp" "$scratch/source/build/release/tests/"  # generated
ninja -C "$build" -t commands test_quant >"$scratch/commands"
ninja -C "$build" -t deps >"$scratch/deps"

run_tests() {  # run_tests PROGRAM: the fast subset, up to the first failure
    OMP_NUM_THREADS=1 timeout 300 "$1" --abort '[mutation]' >"$scratch/log" 2>&1
}

affected_objects() {  # objects of quant/ and its tests that include FILE
    awk -v file="/$1" '
        /^[^ ]/ { object = $1; sub(/:$/, "", object); next }
        object ~ /^(quant|tests)\// && substr($1, length($1) - length(file) + 1) == file { print object }' "$scratch/deps" |
        grep -E '^(quant/|tests/CMakeFiles/test_quant\.dir/)' | sort -u
}

compile() {  # compile OBJECT from the scratch source
    mkdir -p "$scratch/objects/$(dirname "$1")"
    (cd "$scratch/objects" && grep -F -- " -o $1 " "$scratch/commands" | sed "s|$root|$scratch/source|g" | bash)
}
export -f compile
export scratch root

link() {  # link OBJECT...: the test program with these objects in place of the release build's
    local line object library_objects=''
    line=$(grep -F -- ' -o tests/test_quant ' "$scratch/commands" | sed 's|^: && ||; s| && .*||')
    for object in "$@"; do
        case $object in
            tests/*) line=${line//" $object "/" $scratch/objects/$object "} ;;
            *) library_objects+=" $scratch/objects/$object" ;;
        esac
    done
    (cd "$build" && eval "${line/" -o tests/test_quant "/"$library_objects -o $scratch/test_quant "}")
}

if ! run_tests "$build/tests/test_quant"; then
    cat "$scratch/log"
    echo "mutation_check: the tests fail without any mutation" >&2
    exit 2
fi

caught=0 total=0
while read -r key value; do
    case $key in
        breaks) breaks=$value ;;
        file) file=$value ;;
        old) old=$value ;;
        new)
            total=$((total + 1))
            cp "$root/$file" "$scratch/source/$file"
            FILE=$scratch/source/$file OLD=$old NEW=$value perl -e '
                local $/; open my $in, "<", $ENV{FILE}; my $text = <$in>; close $in;
                my $count = () = $text =~ /\Q$ENV{OLD}\E/g;
                die "mutation_check: found $count times in $ENV{FILE}: $ENV{OLD}\n" if $count != 1;
                $text =~ s/\Q$ENV{OLD}\E/$ENV{NEW}/;
                open my $out, ">", $ENV{FILE}; print $out $text;' || exit 2
            mapfile -t objects < <(affected_objects "$file")
            if [ "${#objects[@]}" = 0 ] || ! printf '%s\n' "${objects[@]}" | xargs -P "$(nproc)" -I{} bash -c 'compile {}' >"$scratch/log" 2>&1 ||
                ! link "${objects[@]}" >>"$scratch/log" 2>&1; then
                cat "$scratch/log"
                echo "mutation_check: $file does not build with: $value" >&2
                exit 2
            fi
            if run_tests "$scratch/test_quant"; then
                verdict=SURVIVED
            else
                verdict=caught
                caught=$((caught + 1))
            fi
            printf '%-8s  %s: %s\n' "$verdict" "$file" "$breaks"
            cp "$root/$file" "$scratch/source/$file"
            ;;
    esac
done <"$list"
echo "caught $caught/$total"
[ "$caught" = "$total" ]
