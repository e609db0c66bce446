// SPDX-License-Identifier: Apache-2.0
// Floating-point numbers and functions: equal to the oracle, close to the mathematics.
#include <catch2/catch.hpp>

#include <cmath>
#include <random>

#include "quant/float/arithmetic.hpp"
#include "quant/float/products.hpp"
#include "tests/support/oracle/floating.hpp"

using namespace prelude;
namespace floating = prelude::quant::floating;

namespace {

/// Any finite binary32 number, all magnitudes alike.
float any_number(std::mt19937& random) {
    for (;;) {
        const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
        if (std::isfinite(x)) return x;
    }
}

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }

}  // namespace

TEST_CASE("Every word of binary16 is the word of its value, and rounding keeps that value") {
    for (std::int32_t word = 0; word < 1 << 16; ++word) {
        if ((word & 0x7C00) == 0x7C00) continue;  // infinities and NaN
        const float value = floating::value_of(16, word);
        REQUIRE(floating::word_of(16, value) == word);
        REQUIRE(bits_of(floating::nearest_half(value)) == bits_of(value));
    }
    CHECK(floating::value_of(16, 0x3C00) == 1.0F);
    CHECK(floating::value_of(16, 1) == 0x1p-24F);
    CHECK(floating::value_of(16, 0x7BFF) == floating::kLargestHalf);
}

TEST_CASE("Rounding to binary16 is that of the oracle: half-way points, neighbours of every number, subnormals, saturation", "[mutation]") {
    const auto check = [](float x) {
        INFO(x);
        REQUIRE(bits_of(floating::stored(16, x)) == bits_of(oracle::stored(16, x)));
    };
    for (std::int32_t word = 0; word < 0x7BFF; ++word) {
        const float low = floating::value_of(16, word), high = floating::value_of(16, word + 1), half_way = (low + high) / 2;
        for (const float x : {half_way, std::nextafter(half_way, 0.0F), std::nextafter(half_way, 1e9F)}) check(x), check(-x);
    }
    for (const float x : {65504.0F, 65519.99F, 65520.0F, 65536.0F, 1e30F, 3.4e38F, 0.0F, 1e-45F, 0x1p-25F, 0x1.000002p-25F, 0x1p-14F}) check(x), check(-x);
    std::mt19937 random(1);
    for (int i = 0; i < 200000; ++i) check(any_number(random));
}

TEST_CASE("Sums of any length and block have the order of the oracle, cancellation included", "[mutation]") {
    std::mt19937 random(2);
    for (const int block : {1, 2, 8, 64, 256}) {
        for (const std::size_t length : {1, 2, 3, 7, 8, 63, 64, 65, 127, 129, 300}) {
            std::vector<float> entries(length);
            for (auto& x : entries) x = std::ldexp(static_cast<float>(random() % 4096) - 2048.0F, static_cast<int>(random() % 60) - 30);
            if (length > 2) entries[length / 2] = -entries[0];  // what is large goes away
            const auto entry = [&](std::int64_t k) { return entries[static_cast<std::size_t>(k)]; };
            const float sum = floating::add_blocks(0.0F, 0, static_cast<std::int64_t>(length), block, entry);
            INFO("block " << block << " length " << length);
            CHECK(bits_of(sum) == bits_of(oracle::sum(entries, block)));
            if (length <= static_cast<std::size_t>(block)) continue;  // in two parts, cut at a block
            const float first = floating::add_blocks(0.0F, 0, block, block, entry);
            CHECK(bits_of(floating::add_blocks(first, block, static_cast<std::int64_t>(length), block, entry)) == bits_of(sum));
        }
    }
}

TEST_CASE("The order of a sum is what the block says: other blocks give other bits") {
    const std::vector<float> entries{0x1p24F, 1.0F, 1.0F, -0x1p24F};
    CHECK(oracle::sum(entries, 1) == 0.0F);   // each 1 is lost beside 2^24
    CHECK(oracle::sum(entries, 4) == 1.0F);   // (2^24 + 1) + (1 - 2^24): one is lost
    CHECK(oracle::sum(std::vector<float>{0x1p24F, -0x1p24F, 1.0F, 1.0F}, 2) == 2.0F);
    CHECK(oracle::sum(std::vector<float>{0x1p24F, 1.0F, 1.0F, 1.0F}, 1) == 0x1p24F);
    CHECK(oracle::sum(std::vector<float>{0x1p24F, 1.0F, 1.0F, 1.0F}, 4) == 0x1p24F + 2.0F);
}

TEST_CASE("Matrix products are sums of products in the stated order, at prime shapes and for numbers of any size", "[mutation]") {
    std::mt19937 random(3);
    for (const int block : {1, 4, 16, 64, 128}) {
        for (const auto& [rows, outputs, depth] : {std::tuple{1, 1, 1}, {3, 5, 7}, {2, 8, 64}, {31, 13, 67}, {5, 17, 131}, {33, 9, 200}}) {
            const auto number = [&] { return std::ldexp(static_cast<float>(random() % 65536) - 32768.0F, static_cast<int>(random() % 80) - 70); };
            std::vector<float> left(static_cast<std::size_t>(rows * depth)), right(static_cast<std::size_t>(outputs * depth)), sums(static_cast<std::size_t>(rows * outputs));
            for (auto& x : left) x = number();
            for (auto& x : right) x = number();
            right.front() = 1e-44F, left.back() = -0.0F;
            const floating::PackedOperand packed(outputs, depth, block, [&](std::int64_t n, std::int64_t k) { return right[static_cast<std::size_t>(n * depth + k)]; });
            floating::multiply(left.data(), rows, packed, block, sums.data());
            INFO("block " << block << " rows " << rows << " outputs " << outputs << " depth " << depth);
            for (int m = 0; m < rows; ++m) {
                for (int n = 0; n < outputs; ++n) {
                    const float* a = left.data() + m * depth;
                    const float* b = right.data() + n * depth;
                    std::vector<float> products;
                    for (int k = 0; k < depth; ++k) products.push_back(static_cast<float>(static_cast<double>(a[k]) * static_cast<double>(b[k])));
                    const auto expected = bits_of(oracle::sum(products, block));
                    REQUIRE(bits_of(sums[static_cast<std::size_t>(m * outputs + n)]) == expected);
                    REQUIRE(bits_of(floating::add_products(0.0F, a, b, 0, depth, block)) == expected);
                }
            }
        }
    }
}

TEST_CASE("Products of binary16 numbers are exact in binary32") {
    std::mt19937 random(4);
    for (int i = 0; i < 100000; ++i) {
        const float a = floating::value_of(16, static_cast<std::int32_t>(random() % 0x7C00)), b = floating::value_of(16, static_cast<std::int32_t>(random() % 0x7C00));
        REQUIRE(static_cast<double>(a * b) == static_cast<double>(a) * static_cast<double>(b));
    }
}

TEST_CASE("Exponential, GELU and sine are those of the oracle and close to the mathematics") {
    double worst_exponential = 0, worst_gelu = 0, worst_sine = 0;
    for (int i = 0; i <= 400000; ++i) {
        const float v = -static_cast<float>(i) * (90.0F / 400000), x = -10.0F + static_cast<float>(i) * (20.0F / 400000), t = -3.0F + static_cast<float>(i) * (6.0F / 400000);
        REQUIRE(bits_of(floating::exponential(v)) == bits_of(oracle::exponential(v)));
        REQUIRE(bits_of(floating::gelu(x)) == bits_of(oracle::gelu(x)));
        REQUIRE(bits_of(floating::sine_of_turns(t)) == bits_of(oracle::sine_of_turns(t)));
        if (v >= -86) worst_exponential = std::max(worst_exponential, std::fabs(floating::exponential(v) / std::exp(static_cast<double>(v)) - 1));
        const double exact = 0.5 * static_cast<double>(x) * (1 + std::erf(static_cast<double>(x) / std::sqrt(2.0)));
        worst_gelu = std::max(worst_gelu, std::fabs(static_cast<double>(floating::gelu(x)) - exact));
        worst_sine = std::max(worst_sine, std::fabs(static_cast<double>(floating::sine_of_turns(t)) - std::sin(6.283185307179586 * static_cast<double>(t))));
    }
    INFO("exponential " << worst_exponential << " gelu " << worst_gelu << " sine " << worst_sine);
    CHECK(worst_exponential < 3e-7);
    CHECK(worst_gelu < 1e-6);
    CHECK(worst_sine < 3e-7);
    CHECK(floating::exponential(0) == 1.0F);
    CHECK(floating::exponential(-86.5F) == 0.0F);
    for (const float x : {1e-44F, -1e-44F, 0.0F, -0.0F, 1e30F, -1e30F, 65504.0F, -65504.0F}) CHECK(bits_of(floating::gelu(x)) == bits_of(oracle::gelu(x)));
    CHECK(floating::gelu(40.0F) == 40.0F);
    CHECK(floating::gelu(-40.0F) == 0.0F);
}
