// SPDX-License-Identifier: Apache-2.0
#pragma once

// What tests of generated C++ need: whether this machine can compile it, and the headers that go with it.

#include <filesystem>
#include <string>

#include "experiments/hls/params_header.hpp"
#include "tests/support/program.hpp"

namespace prelude::testing {

/// Why kernels cannot be compiled here; empty if they can.
inline std::string missing_for_kernels() {
    if (run({"g++", "--version"}).code != 0) return "no g++";
    if (run({"pkg-config", "--exists", "systemc"}).code != 0) return "no SystemC (pkg-config systemc)";
    return {};
}

inline void write_kernel_headers(const std::filesystem::path& folder) {
    write_file(folder / "prelude_ap_types.h", std::string(experiments::ap_types_header()));
    write_file(folder / "prelude_words.h", std::string(experiments::words_header()));
}

}  // namespace prelude::testing
