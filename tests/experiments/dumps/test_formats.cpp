// SPDX-License-Identifier: Apache-2.0
// Dumps of every format: words come back as they were written, bytes lie where they should, broken files are refused by what is wrong with them.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "experiments/dumps/npy_header.hpp"
#include "experiments/dumps/tensor_description.hpp"
#include "experiments/dumps/word_reader.hpp"
#include "experiments/dumps/word_writer.hpp"
#include "models/error.hpp"
#include "tests/paths.hpp"
#include "tests/support/adversarial.hpp"

using namespace prelude;
using namespace prelude::experiments;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

/// A file that goes with its scope.
class TemporaryFile {
  public:
    TemporaryFile(const std::string& name, std::string_view content)
        : path_(fs::temp_directory_path() / fmt::format("prelude_{}_{}", ::getpid(), name)) {
        std::ofstream(path_, std::ios::binary) << content;
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { fs::remove(path_); }
    [[nodiscard]] const fs::path& path() const { return path_; }

  private:
    fs::path path_;
};

constexpr std::array kFormats{DumpFormat::npy,     DumpFormat::binary, DumpFormat::hex,
                              DumpFormat::decimal, DumpFormat::cosim,  DumpFormat::header};

/// Ends, zero, ends of the other sign, and anything between.
std::vector<std::int64_t> words_of(const WordFormat& word, std::int64_t count, std::uint64_t seed) {
    tests::Random random(seed);
    std::vector<std::int64_t> words;
    for (std::int64_t i = 0; i < count; ++i) {
        switch (random.in(0, 5)) {
            case 0: words.push_back(word.lowest()); break;
            case 1: words.push_back(word.highest()); break;
            case 2: words.push_back(std::clamp<std::int64_t>(random.in(-1, 1), word.lowest(), word.highest())); break;
            default: words.push_back(random.in(word.lowest(), word.highest()));
        }
    }
    return words;
}

std::vector<std::int64_t> read(std::string_view content, const std::string& name, const DumpSource& source) {
    const TemporaryFile file(name, content);
    return read_words(file.path(), source, 1 << 20);
}

}  // namespace

TEST_CASE("Words of 1 to 63 bits of odd shapes come back from every format, told or recognised") {
    std::uint64_t seed = 1;
    for (const int bits : {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
                           20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 40, 48, 62, 63}) {
        for (const bool is_signed : {false, true}) {
            const WordFormat word{.bits = bits, .is_signed = is_signed};
            for (const auto& shape : {models::Shape{}, models::Shape{1}, models::Shape{7}, models::Shape{3, 1, 5}, models::Shape{1, 13, 11},
                                      models::Shape{2, 3, 1, 7}}) {
                const auto words = words_of(word, shape.num_elements(), ++seed);
                for (const auto format : kFormats) {
                    const auto text = dump_text(format, {.name = "words", .word = word, .shape = shape, .words = words});
                    INFO(name_of(format) << " of " << bits << " bits, signed " << is_signed << ", shape " << shape.to_string());
                    CHECK(read(text, "told", {.word = word, .format = format}) == words);
                    // Digits alone do not tell whether a text is decimal: its name does, as far as a name can.
                    CHECK(read(text, fmt::format("recognised{}", extension_of(format)), {.word = word}) == words);
                }
            }
        }
    }
}

TEST_CASE("Packed hexadecimal words come back in either order, only a last word is filled, and its filling does not count") {
    std::uint64_t seed = 1000;
    for (const int word_bits : {8, 16, 31, 32, 64, 100, 128, 512, 4096}) {
        for (const int bits : {2, 3, 4, 5, 7, 8, 12, 16, 31, 32}) {
            for (const auto order : {ElementOrder::lsb_first, ElementOrder::msb_first}) {
                for (const bool is_signed : {false, true}) {
                    const WordFormat word{.bits = bits, .is_signed = is_signed};
                    const Packing packing{.word_bits = word_bits, .order = order};
                    const models::Shape shape{3, 17};
                    const auto words = words_of(word, shape.num_elements(), ++seed);
                    const auto text = dump_text(DumpFormat::hex, {.name = "w", .word = word, .shape = shape, .words = words}, packing);
                    INFO(bits << " bits in words of " << word_bits);
                    CHECK(read(text, "packed.hex", {.word = word, .packing = packing, .num_words = words.size()}) == words);
                    const auto per_word = static_cast<std::size_t>(packing.elements_per_word(bits));
                    CHECK(std::ranges::count(text, '\n') == static_cast<std::ptrdiff_t>((words.size() + per_word - 1) / per_word));
                }
            }
        }
    }
    // A padding that is not zero is an extra word.
    CHECK(read("21\n03\n", "p.hex", {.word = {4, false}, .packing = {.word_bits = 8}, .num_words = 3}) ==
          std::vector<std::int64_t>{1, 2, 3});
    CHECK(read("21\n43\n", "p.hex", {.word = {4, false}, .packing = {.word_bits = 8}, .num_words = 3}) ==
          std::vector<std::int64_t>{1, 2, 3, 4});
}

TEST_CASE("Bytes and digits lie where the formats say") {
    const WordFormat nibble{.bits = 4, .is_signed = true}, wide{.bits = 12, .is_signed = true};
    const std::vector<std::int64_t> small{-8, 7, -1, 0, 3}, large{-2048, 2047, -1, 1, 0};
    const DumpTensor nibbles{.name = "w", .word = nibble, .shape = {5}, .words = small},
        twelve{.name = "w", .word = wide, .shape = {5}, .words = large};
    CHECK(dump_text(DumpFormat::binary, nibbles) == std::string("\xf8\x07\xff\x00\x03", 5));
    CHECK(dump_text(DumpFormat::binary, twelve) == std::string("\x00\xf8\xff\x07\xff\xff\x01\x00\x00\x00", 10));
    CHECK(dump_text(DumpFormat::hex, nibbles) == "8\n7\nf\n0\n3\n");
    CHECK(dump_text(DumpFormat::hex, twelve) == "800\n7ff\nfff\n001\n000\n");
    CHECK(dump_text(DumpFormat::hex, nibbles, {.word_bits = 16}) == "0f78\n0003\n");
    CHECK(dump_text(DumpFormat::hex, nibbles, {.word_bits = 16, .order = ElementOrder::msb_first}) == "87f0\n3000\n");
    CHECK(dump_text(DumpFormat::hex, twelve, {.word_bits = 32}) == "007ff800\n00001fff\n00000000\n");
    CHECK(dump_text(DumpFormat::decimal, {.name = "w", .word = wide, .shape = {2, 2}, .words = std::span(large).first(4)}) ==
          "-2048 2047\n-1 1\n");
    CHECK(dump_text(DumpFormat::cosim, twelve) ==
          "[[[runtime]]]\n[[transaction]]           0\n0xf800\n0x07ff\n0xffff\n0x0001\n0x0000\n[[/transaction]]\n[[[/runtime]]]\n");
    CHECK(dump_text(DumpFormat::header, {.name = "w", .word = wide, .shape = {2, 2}, .words = std::span(large).first(4)}) ==
          "#pragma once\n#include <stdint.h>\n// 4 words of 12 bits, signed.\nstatic const int16_t w[2][2] = {{-2048,2047},\n{-1,1}};\n");
    const auto npy = dump_text(DumpFormat::npy, nibbles);
    CHECK(npy.size() == 128 + 5);
    CHECK(npy.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
    CHECK(npy.substr(10, 59) == "{'descr': '|i1', 'fortran_order': False, 'shape': (5,), }  ");
    CHECK(npy.substr(127) == std::string("\n\xf8\x07\xff\x00\x03", 6));
}

TEST_CASE("Dumps in real units give the words back, channel by channel, and what lies between two words is refused") {
    TensorDescription tensor{.name = "t", .node = "n", .shape = {2, 3}, .channel_axis = 1, .coordinates = {{"token", 2}, {"channel", 3}}, .word = {8, false}, .kind = "code", .sha256 = {}};
    tensor.has_meaning = true;
    tensor.meaning.scale = {0.1, 0.0078125};
    tensor.meaning.zero_point = {7, 200};
    tensor.meaning.group_of = {0, 1, 0};
    REQUIRE(tensor.has_real_values());
    const auto read_real = [&](std::string_view text) {
        return read(text, "real.dat", {.word = tensor.word, .word_of = [&](std::uint64_t i, double value) { return tensor.word_of(i, value); }});
    };
    const std::vector<std::int64_t> words{0, 0, 255, 7, 201, 8};
    const auto text = dump_text(DumpFormat::real, {.name = "t", .word = tensor.word, .shape = tensor.shape, .words = words, .real = [&](std::uint64_t i, std::int64_t w) { return *tensor.real_value(i, w); }});
    CHECK(text == "-0.7000000000000001 -1.5625 24.8\n0 0.0078125 0.1\n");
    CHECK(read_real(text) == words);
    CHECK(read_real("-0.7 -1.5625 24.80001\n0 0.0078125 0.1\n") == words);  // six digits, as streams print them
    CHECK_THROWS_WITH(read_real("-0.7 -1.5625\n0.26 0"), Contains("real.dat:2: found '0.26'; no word of this tensor has that value"));
    CHECK_THROWS_WITH(read_real("-0.7 nan"), Contains("a number was expected"));
    tensor.meaning.values = {0.0, 0.5, 0.25, 0.5};  // two codes of one value cannot be told apart
    CHECK_FALSE(tensor.has_real_values());
    CHECK_THROWS_WITH(read("0.5", "real.dat", {.word = tensor.word}), Contains("have no real values"));
}

TEST_CASE("What simulators and people write is read: comments, addresses, separators, wide words, undefined digits") {
    const WordFormat word{.bits = 4, .is_signed = true};
    const auto hex = [&](std::string_view text) { return read(text, "x.hex", {.word = word}); };
    CHECK(hex("// memory image\n@0\n8 7 /* two\nlines */ F // end\n@3 0x3") == std::vector<std::int64_t>{-8, 7, -1, 3});
    CHECK(hex("0_8\nfffffff8\n00000007\n") == std::vector<std::int64_t>{-8, -8, 7});
    CHECK(hex("x\n1\n@4\n2") == std::vector<std::int64_t>{kUndefinedWord, 1, kUndefinedWord, kUndefinedWord, 2});
    CHECK(hex("18\n") == std::vector<std::int64_t>{0x18});  // digits beyond the format that are no copies of its sign
    CHECK(hex("").empty());
    const auto decimal = [&](std::string_view text) { return read(text, "x.dat", {.word = word}); };
    CHECK(decimal("# saved\n1, 2,3\n+4 -5\t6.0 7e0 x\n") == std::vector<std::int64_t>{1, 2, 3, 4, -5, 6, 7, kUndefinedWord});
    const auto header = [&](std::string_view text) { return read(text, "x.h", {.word = word}); };
    CHECK(header("/* = { 9 } */ #define A\nconst ap_int<4> w[2][2]={{1,-2},\n{0x3u, -0x4}}; // end\n#endif\n") ==
          std::vector<std::int64_t>{1, -2, 3, -4});
    const auto vectors = [&](std::string_view text) { return read(text, "x.dat", {.word = word}); };
    CHECK(
        vectors("[[[runtime]]]\n[[transaction]] 0\n0xF8\n[[/transaction]]\n[[transaction]] 1\n0x07\n[[/transaction]]\n[[[/runtime]]]\n") ==
        std::vector<std::int64_t>{-8, 7});
    const std::string trailer("\x5a\x5a\xa5\xa5\x0f\x0f\xf0\xf0", 8);
    CHECK(vectors(std::string("\xf8\x07", 2) + trailer) == std::vector<std::int64_t>{-8, 7});
}

TEST_CASE("NumPy files of any width and byte order are read, floats that are whole numbers too") {
    const auto npy = [](const std::string& descriptor, const std::string& shape, const std::string& data,
                        const std::string& order = "False") {
        auto literal = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descriptor, order, shape);
        return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(literal.size()) + '\0' + literal + data;
    };
    const auto words = [&](const std::string& content) { return read(content, "x.npy", {.word = {16, true}}); };
    CHECK(words(npy(">i2", "(2,)", std::string("\xff\xfe\x01\x00", 4))) == std::vector<std::int64_t>{-2, 256});
    CHECK(words(npy("<u2", "(2,)", std::string("\xff\xfe\x01\x00", 4))) == std::vector<std::int64_t>{0xfeff, 1});
    CHECK(words(npy("<f4", "(1, 1)", std::string("\x00\x00\x40\xc0", 4))) == std::vector<std::int64_t>{-3});
    CHECK(words(npy("|b1", "()", std::string("\x01", 1))) == std::vector<std::int64_t>{1});
    CHECK_THROWS_WITH(words(npy("<f4", "(1,)", std::string("\x00\x00\xc0\x7f", 4))), Contains("element 0 is nan; words are whole numbers"));
    CHECK_THROWS_WITH(words(npy("<f4", "(1,)", std::string("\x00\x00\x20\x40", 4))), Contains("element 0 is 2.5; words are whole numbers"));
    CHECK_THROWS_WITH(words(npy("|O", "(1,)", "xxxxxxxx")), Contains("elements of type '|O'"));
    CHECK_THROWS_WITH(words(npy("<i2", "(2,)", "abc")), Contains("bytes, but its header says") && Contains("2 elements of 2 bytes"));
    CHECK_THROWS_WITH(words(npy("<i2", "(2,)", "abcdef")), Contains("bytes, but its header says"));
    CHECK_THROWS_WITH(words(npy("<i2", "(1099511627776, 1099511627776)", "")), Contains("more than 1099511627776 elements"));
    CHECK_THROWS_WITH(words(npy("<i2", "(-1,)", "")), Contains("a shape is a tuple of integers"));
    CHECK_THROWS_WITH(words(npy("<i2", "(1,1,1,1,1,1,1,1,1)", "ab")), Contains("more than 8 axes"));
    CHECK_THROWS_WITH(words(npy("<i2", "(1,)", "ab", "True")), Contains("fortran_order is True") && Contains("ascontiguousarray"));
    CHECK_THROWS_WITH(words(std::string("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12)), Contains("up to 65524 are read"));
    CHECK_THROWS_WITH(words(std::string("\x93NUMPY\x01\x00\x10", 9)), Contains("cut inside its header"));
    CHECK_THROWS_WITH(words("hello"), Contains("not a NumPy file"));
}

TEST_CASE("A broken dump is refused with its line") {
    const auto fails = [](const std::string& name, const std::string& content, const std::string& message) {
        INFO(name << ": " << content.substr(0, 60));
        CHECK_THROWS_WITH(read(content, name, {.word = {8, true}}), Contains(message));
    };
    fails("a.hex", "12\n3g\n", "a.hex:2: found '3g'; a word of hexadecimal digits");
    fails("a.hex", "1\n@0\n", "a.hex:2: found '@0'; addresses ascend, and 1 words were already read");
    fails("a.hex", "@fffffffffffffff\n1", "an address that far behind");
    fails("a.hex", "@g", "an address is @ and hexadecimal digits");
    fails("a.hex", "/* never", "a.hex:1: a comment that does not end");
    fails("a.hex", std::string(3000, '1'), "is longer than 2048 characters");
    fails("a.hex", "1" + std::string(1500, '0'), "of up to 4096 bits was expected");
    fails("a.dat", "1\n2\nnan\n", "a.dat:3: found 'nan'; words are whole numbers");
    fails("a.dat", "1 2.5\n", "words of this tensor have no real values");
    fails("a.dat", "1e300\n", "words are whole numbers of up to 2^53");
    fails("a.dat", "1 2 hello\n", "a number was expected");
    fails("a.dat", std::string(5000, '7'), "is longer than 2048 characters");
    fails("a.dat", "[[[runtime]]]\n[[transaction]] 0\n0x00\n", "a.dat:4: ends inside a transaction");
    fails("a.dat", "[[[runtime]]]\n[[transaction]] 0\n0x00\n[[/transaction]]\n", "ends without [[[/runtime]]]");
    fails("a.dat", "[[[runtime]]]\n[[transaction]] zero\n", "the number of a transaction was expected");
    fails("a.dat", "[[[runtime]]]\n[[transaction]] 0\n12\n", "a word 0x... or [[/transaction]] was expected");
    fails("a.dat", std::string("\0\1\2", 3), "neither a text nor a NumPy file");
    fails("a.dat", std::string("PK\x03\x04 bomb"), "an archive; dumps are read as plain files");
    fails("a.h", "int x;\n", "no array initialiser");
    fails("a.h", "int x[] = {1, 2", "ends inside an array initialiser");
    fails("a.h", "int x[] = {1}; int y[] = {2};", "more than one array");
    CHECK_THROWS_WITH(read("ab", "a.bin", {.word = {24, true}}), Contains("no whole number of elements of 4 bytes"));
    CHECK_THROWS_WITH(open_words("/nowhere/a.bin", {.word = {8, true}}), Contains("/nowhere/a.bin"));
    CHECK_THROWS_WITH(open_words(fs::temp_directory_path(), {.word = {8, true}}), Contains("not a file"));
}

TEST_CASE("Dumps of co-simulation in the public repositories are read") {
    const char* given = std::getenv("PRELUDE_HLS_REPORTS");
    const auto folder = given ? fs::path(given) : fs::path(PRELUDE_SOURCE_DIR).parent_path() / "shared" / "hls_reports";
    if (!fs::is_directory(folder)) {
        WARN("no reports at " << folder << ": skipped");
        return;
    }
    CHECK(read_words(folder / "vitis2022.2_cosim_cdatafile_autotvin_attn.dat", {.word = {32, false}}, 100) ==
          std::vector<std::int64_t>{0x00030300});
    const auto words = read_words(folder / "vitis2022.2_cosim_cdatafile_autotvin_inout3.dat", {.word = {8, false}}, 1 << 20);
    CHECK(words.size() == 99088 - 8);
    CHECK(std::vector(words.begin() + 4, words.begin() + 8) == std::vector<std::int64_t>{0, 0, 0x0c, 0x18});
}

TEST_CASE("NumPy reads the arrays that are written, and what it saves is read") {
    std::string python;
    for (const std::string candidate : {"python3", "/usr/bin/python3"})
        if (python.empty() && std::system((candidate + " -c 'import numpy' 2>/dev/null").c_str()) == 0) python = candidate;
    if (python.empty()) {
        WARN("no NumPy: skipped");
        return;
    }
    std::uint64_t seed = 5000;
    for (const auto& [bits, type] :
         {std::pair{4, "uint8"}, {8, "int8"}, {12, "uint16"}, {16, "int16"}, {24, "int32"}, {31, "uint32"}, {48, "int64"}}) {
        const WordFormat word{.bits = bits, .is_signed = std::string(type).starts_with("int")};
        const models::Shape shape{3, 5, 7};
        const auto words = words_of(word, shape.num_elements(), ++seed);
        const TemporaryFile array("numpy.npy", dump_text(DumpFormat::npy, {.name = "w", .word = word, .shape = shape, .words = words})),
            text("numpy.dat", ""), saved("numpy_saved.npy", "");
        const auto script = fmt::format(
            "import numpy; a = numpy.load('{}'); assert a.dtype == numpy.{} and a.shape == (3, 5, 7), (a.dtype, a.shape); "
            "numpy.savetxt('{}', a.reshape(-1), fmt='%d'); "
            "numpy.save('{}', a.astype(numpy.int64))",
            array.path().string(), type, text.path().string(), saved.path().string());
        REQUIRE(std::system(fmt::format("{} -c \"{}\"", python, script).c_str()) == 0);
        CHECK(read_words(text.path(), {.word = word, .format = DumpFormat::decimal}, 1000) == words);
        CHECK(read_words(saved.path(), {.word = word}, 1000) == words);
    }
}
