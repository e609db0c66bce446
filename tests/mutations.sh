#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every edit of scripts/mutations.txt still finds its line: scripts/mutation_check.sh runs only in the long checks, refactoring every day.
set -euo pipefail
cd "$(dirname "$0")/.."
FILE='' perl -ne '
    $file = $1 if /^file\s+(.*)$/;
    if (/^old\s+(.*)$/) {
        open my $in, "<", $file or die "$file: $!\n";
        local $/; my $text = <$in>; my $count = () = $text =~ /\Q$1\E/g; $total++;
        if ($count != 1) { print "$file: found $count times: $1\n"; $wrong = 1 }
    }
    END { print "$total edits\n"; exit(1) if $wrong || $total < 30 }' scripts/mutations.txt
