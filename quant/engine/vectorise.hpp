// SPDX-License-Identifier: Apache-2.0
#pragma once

// Loops over integers that gain from wide vectors: compiled for the level of the build and for AVX-512, chosen when the program starts. Integer results are
// the same on both.

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define PRELUDE_VECTORISED __attribute__((target_clones("arch=x86-64-v4", "default"), noinline))
#else
#define PRELUDE_VECTORISED
#endif
