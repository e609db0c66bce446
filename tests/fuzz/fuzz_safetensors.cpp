// SPDX-License-Identifier: Apache-2.0
#include <span>

#include "fuzz_reader.hpp"
#include "models/checkpoint/safetensors.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    try {
        prelude::fuzz::use(prelude::models::read_safetensors("input", std::as_bytes(std::span(bytes, size))));
    } catch (const prelude::models::CheckpointError&) {
    }
    return 0;
}
