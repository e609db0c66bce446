// SPDX-License-Identifier: Apache-2.0
#include <span>

#include "fuzz_reader.hpp"
#include "models/checkpoint/pickle.hpp"
#include "models/checkpoint/pth.hpp"

/// An input is tried as a whole archive and as the pickle inside one: the archive's checksum would stop every changed pickle.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const auto input = std::as_bytes(std::span(bytes, size));
    try {
        prelude::models::Problems problems("input");
        (void)prelude::models::read_pickled_tensors(input, problems);
    } catch (const prelude::models::CheckpointError&) {
    }
    try {
        prelude::fuzz::use(prelude::models::read_pth("input", input));
    } catch (const prelude::models::CheckpointError&) {
    }
    return 0;
}
