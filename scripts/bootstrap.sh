#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs packages and builds, under a lock; sourced by ./explore and ./run_tests.
#
# Contract
#   prelude_install GROUP...   installs the missing packages of these groups (scripts/packages.txt);
#                              with PRELUDE_NO_INSTALL=1 a missing package ends the program with exit 3
#   prelude_build PRESET TARGET...   configures once and builds; everything it prints goes to stderr
prelude_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

prelude_packages() {  # the package names of the groups given
    local group
    for group in "$@"; do
        awk -v want="[$group]" '/^#/ {next} /^\[/ {inside = ($0 == want); next} inside {print}' \
            "$prelude_root/scripts/packages.txt"
    done | tr -s ' \n' '\n' | sed '/^$/d'
}

prelude_missing() {
    local wanted installed
    wanted=$(prelude_packages "$@" | sort -u)
    # shellcheck disable=SC2086
    installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | awk '$2 == "installed" {print $1}' | sort -u)
    comm -23 <(printf '%s\n' "$wanted") <(printf '%s\n' "$installed")
}

prelude_install() {
    local missing
    missing=$(prelude_missing "$@")
    [ -z "$missing" ] && return 0
    if [ "${PRELUDE_NO_INSTALL:-0}" = 1 ]; then
        printf 'prelude: missing packages (PRELUDE_NO_INSTALL=1 forbids installing them):\n' >&2
        printf '  %s\n' $missing >&2
        exit 3
    fi
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || { echo "prelude: not root and no sudo; install: $(echo $missing)" >&2; exit 3; }
        sudo=(sudo)
    fi
    echo "prelude: installing $(echo "$missing" | wc -l) packages: $(echo $missing)" >&2
    "${sudo[@]}" apt-get update -qq >&2 &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >&2 || {
        echo "prelude: the installation failed (see above)" >&2
        exit 3
    }
}

prelude_build() {
    local preset=$1
    shift
    local dir="$prelude_root/build/$preset"
    mkdir -p "$dir"
    (
        flock 9
        if [ ! -f "$dir/build.ninja" ]; then
            cmake --preset "$preset" -S "$prelude_root" >"$dir/configure.log" 2>&1 || { cat "$dir/configure.log"; exit 1; }
        fi
        cmake --build "$dir" ${1:+--target "$@"}
    ) 9>"$dir/.lock" >&2
}
