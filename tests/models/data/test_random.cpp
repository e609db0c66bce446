// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "models/data/random.hpp"

using namespace prelude::models;

TEST_CASE("elementary functions agree with the standard library to 1e-13") {
    for (int i = -2000; i <= 2000; ++i) {
        const double x = i * 0.05;
        CAPTURE(x);
        CHECK(sine(x) == Approx(std::sin(x)).margin(1e-13));
        CHECK(cosine(x) == Approx(std::cos(x)).margin(1e-13));
        CHECK(exponential(x) == Approx(std::exp(x)).epsilon(1e-13));
        if (i > 0) CHECK(logarithm(x) == Approx(std::log(x)).margin(1e-13));
    }
    CHECK(power(2.0, 10.0) == Approx(1024.0).epsilon(1e-12));
    CHECK(power(0.0, 0.3) == 0.0);
}

TEST_CASE("the generator's first words are pinned") {
    Random random(1);
    CHECK(random.next() == 0xb3f2af6d0fc710c5ULL);
    CHECK(random.next() == 0x853b559647364ceaULL);
    CHECK(mix(0) == 0xe220a8397b1dcdafULL);  // splitmix64 of seed 0, as its authors publish it
}

TEST_CASE("split generators do not depend on how much their parent was used") {
    Random used(7);
    const Random fresh(7);
    for (int i = 0; i < 100; ++i) (void)used.next();
    CHECK(used.split(3).next() == fresh.split(3).next());
    std::set<std::uint64_t> firsts;
    for (std::uint64_t stream = 0; stream < 1000; ++stream) firsts.insert(fresh.split(stream).next());
    CHECK(firsts.size() == 1000);
}

TEST_CASE("uniform, integer and normal numbers have the moments they should") {
    Random random(11);
    constexpr int kCount = 200'000;
    double sum = 0, normal_sum = 0, normal_squares = 0;
    int histogram[7] = {};
    for (int i = 0; i < kCount; ++i) {
        const double u = random.uniform();
        REQUIRE((u >= 0 && u < 1));
        sum += u;
        const double z = random.normal();
        normal_sum += z;
        normal_squares += z * z;
        ++histogram[random.integer(-3, 3) + 3];
    }
    CHECK(sum / kCount == Approx(0.5).margin(0.003));
    CHECK(normal_sum / kCount == Approx(0.0).margin(0.01));
    CHECK(normal_squares / kCount == Approx(1.0).margin(0.02));
    for (int count : histogram) CHECK(count == Approx(kCount / 7.0).epsilon(0.03));
}
