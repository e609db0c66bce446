// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>

#include "experiments/dumps/tensor_description.hpp"
#include "experiments/dumps/word_reader.hpp"
#include "experiments/hls/baseline.hpp"
#include "experiments/hls/expected.hpp"
#include "models/error.hpp"

using namespace prelude::experiments;

/// A dump of any format, a side-car, expected figures or a baseline, by the first byte; the second chooses the words. Read, or refused by the reader's error.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    constexpr std::uint64_t kLimit = 1 << 20;
    if (size < 2) return 0;
    const std::string_view content(reinterpret_cast<const char*>(bytes + 2), size - 2);
    const int kind = bytes[0] % (kNumDumpFormats + 4);
    try {
        if (kind <= kNumDumpFormats) {
            const int file = ::memfd_create("dump", 0);
            if (file < 0 || ::write(file, content.data(), content.size()) != static_cast<ssize_t>(content.size())) return 0;
            DumpSource source{.word = {.bits = 1 + bytes[1] % kMaxWordBits, .is_signed = (bytes[1] & 64) != 0}, .num_words = bytes[1]};
            if (kind < kNumDumpFormats) source.format = static_cast<DumpFormat>(kind);
            if ((bytes[1] & 128) != 0)
                source.packing = {.word_bits = 8 * (bytes[1] & 63),
                                  .order = (bytes[1] & 1) != 0 ? ElementOrder::msb_first : ElementOrder::lsb_first};
            try {
                (void)read_words("/proc/self/fd/" + std::to_string(file), source, kLimit);
            } catch (const prelude::models::InputError&) {
            }
            ::close(file);
        } else if (kind == kNumDumpFormats + 1) {
            const auto json = nlohmann::json::parse(content, nullptr, false);
            if (!json.is_discarded()) (void)to_json(tensor_description_of(json, "input"));
        } else if (kind == kNumDumpFormats + 2) {
            (void)to_json(expected_of(content, "input"));
        } else {
            (void)to_json(baseline_of(content, "input"));
        }
    } catch (const prelude::models::InputError&) {
    }
    return 0;
}
