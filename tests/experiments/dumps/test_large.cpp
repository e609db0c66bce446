// SPDX-License-Identifier: Apache-2.0
// A gigabyte against a gigabyte: memory does not grow with dumps, and the command says how far it is.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/dumps/npy_header.hpp"
#include "experiments/hash.hpp"
#include "tests/paths.hpp"
#include "tests/support/program.hpp"

using namespace prelude;
using namespace prelude::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t kWords = 1'000'000'000;
constexpr long kMostKilobytes = 200'000;

/// 4-bit words of a fixed pattern, in `file`; `text`: hexadecimal, a word a line.
void write_words(const fs::path& file, bool text) {
    std::ofstream stream(file, std::ios::binary);
    const experiments::WordFormat word{.bits = 4, .is_signed = true};
    if (!text) stream << experiments::npy_header(word, models::Shape{1000, kWords / 1000});
    std::string block;
    for (std::int64_t i = 0; i < 1'000'000; ++i) {
        const auto value = (i * i + 7 * i) % 16 - 8;
        if (text)
            block += {"0123456789abcdef"[value & 15], '\n'};
        else
            block += static_cast<char>(value);
    }
    for (std::int64_t i = 0; i < kWords; i += 1'000'000) stream << block;
}

long peak_kilobytes_of_children() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    return usage.ru_maxrss;
}

}  // namespace

/// Some seconds, 3 GB of disk: `test_experiments [large]`.
TEST_CASE("A pair of dumps of a gigabyte is compared within 200 MB", "[.][large]") {
    const TemporaryFolder folder;
    const auto golden = folder / "golden", actual = folder / "actual";
    fs::create_directories(golden / "tensors");
    fs::create_directories(actual);
    const auto array = golden / "tensors" / "t.npy";
    write_words(array, false);
    const nlohmann::json description{{"format", "prelude.tensor/1"},
                                     {"name", "t"},
                                     {"role", "output"},
                                     {"shape", nlohmann::json::array({1000, kWords / 1000})},
                                     {"channel_axis", 1},
                                     {"coordinates", nlohmann::json::array({nlohmann::json::array({"token", 1000}), nlohmann::json::array({"channel", kWords / 1000})})},
                                     {"bits", 4},
                                     {"signed", true},
                                     {"kind", "fixed"},
                                     {"sha256", experiments::sha256_of_path(array)}};
    write_file(golden / "tensors" / "t.json", description.dump());
    nlohmann::json workload;
    for (const auto* field : {"num_prompt_tokens", "first_mask", "num_masks", "input_height", "input_width", "original_height", "original_width"}) workload[field] = 0;
    const nlohmann::json manifest{{"format", "prelude.export/1"},
                                  {"prelude", "test"},
                                  {"design", "test"},
                                  {"picture", "none"},
                                  {"prompt", "none"},
                                  {"workload", workload},
                                  {"nodes", nlohmann::json::array()},
                                  {"packing", {{"word_bits", 0}, {"element_order", "lsb_first"}}},
                                  {"tensors", nlohmann::json::array({{{"name", "t"}, {"description", "tensors/t.json"}, {"files", {{"npy", "tensors/t.npy"}}}}})}};
    write_file(golden / "manifest.json", manifest.dump());
    const auto compare = [&](const char* what, int code, const std::string& says) {
        const auto begin = std::chrono::steady_clock::now();
        const auto ended = run({EXPLORE, "verify", "--golden", golden, "--actual", actual});
        const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        INFO(ended.out << ended.err);
        CHECK(ended.code == code);
        CHECK_THAT(ended.out, Catch::Contains(says));
        CHECK_THAT(ended.err, Catch::Contains(" MB"));
        CHECK(peak_kilobytes_of_children() < kMostKilobytes);
        std::printf("%s: %.1f s, peak %.0f MB\n", what, seconds, static_cast<double>(peak_kilobytes_of_children()) / 1000);
    };
    fs::copy_file(array, actual / "t.npy");
    compare("equal arrays of 1 GB", 0, "1000000000 words: 1 equal");
    {
        std::fstream stream(actual / "t.npy", std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(128 + 899'999'872);
        stream.put(100);
    }
    compare("one word changed", 1, "first mismatch at token 899, channel 999872 (word 899999872): golden ");
    fs::remove(actual / "t.npy");
    write_words(actual / "t.hex", true);
    compare("2 GB of hexadecimal text", 0, "1000000000 words: 1 equal");
}
