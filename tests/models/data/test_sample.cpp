// SPDX-License-Identifier: Apache-2.0
#include <openssl/evp.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>
#include <string>

#include "models/data/raster.hpp"
#include "models/data/sample.hpp"

using namespace prelude::models;

namespace {

class Sha256 {
  public:
    Sha256() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
    ~Sha256() { EVP_MD_CTX_free(context_); }
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void add(const void* data, std::size_t size) { EVP_DigestUpdate(context_, data, size); }
    void add(double value) { add(&value, sizeof value); }
    std::string hex() {
        unsigned char digest[32];
        EVP_DigestFinal_ex(context_, digest, nullptr);
        std::string text;
        for (unsigned char byte : digest) {
            text += "0123456789abcdef"[byte >> 4];
            text += "0123456789abcdef"[byte & 15];
        }
        return text;
    }

  private:
    EVP_MD_CTX* context_;
};

std::string digest_of(DataKind kind, Split split, std::uint64_t seed, int count, int size) {
    Sha256 sha;
    for (int index = 0; index < count; ++index) {
        const Sample sample = generate(kind, split, seed, index, size);
        sha.add(sample.name.data(), sample.name.size());
        sha.add(sample.image.rgb.data(), sample.image.rgb.size());
        for (const auto& instance : sample.instances) {
            sha.add(instance.mask.values.data(), instance.mask.values.size());
            sha.add(instance.category.data(), instance.category.size());
            const auto& p = instance.prompts;
            for (double v :
                 {p.box.x0, p.box.y0, p.box.x1, p.box.y1, p.point.x, p.point.y, p.positive.x, p.positive.y, p.negative.x, p.negative.y})
                sha.add(v);
        }
    }
    return sha.hex();
}

bool inside(const Mask& mask, const Point& point) {
    return mask.contains(int(point.x), int(point.y));
}

}  // namespace

TEST_CASE("the same seed gives the same bytes on every machine") {
    // A change of the generator changes these; say why in the commit, and measure the shipped weights again.
    CHECK(digest_of(DataKind::scene, Split::test, 1, 20, 128) == "d60332d65d8fd0845b055c96cdbf888d605dc39c8f2615bfc84f2e804f56c584");
    CHECK(digest_of(DataKind::phantom, Split::test, 1, 20, 128) == "8d4d04f8c44a21ca0b8a90b4fe7cca7973cbe65b36422fac644a3ba34b992387");
}

TEST_CASE("any index can be asked for directly") {
    const Sample early = generate(DataKind::scene, Split::dev, 3, 7, 64);
    (void)generate(DataKind::scene, Split::dev, 3, 1'000'000'000'000, 64);
    CHECK(generate(DataKind::scene, Split::dev, 3, 7, 64).image == early.image);
}

TEST_CASE("splits, kinds, seeds and indices never share a sample") {
    std::set<std::uint64_t> keys;
    int count = 0;
    for (auto kind : {DataKind::phantom, DataKind::scene})
        for (auto split : {Split::train, Split::dev, Split::test})
            for (std::uint64_t seed = 0; seed < 3; ++seed)
                for (std::int64_t index : {0LL, 1LL, 2LL, 1000LL, (1LL << 47)}) {
                    keys.insert(sample_key(kind, split, seed, index));
                    ++count;
                }
    CHECK(keys.size() == std::size_t(count));
    CHECK(generate(DataKind::scene, Split::train, 1, 0, 64).image != generate(DataKind::scene, Split::test, 1, 0, 64).image);
}

TEST_CASE("every instance is sensible and its prompts fit it") {
    for (auto kind : {DataKind::phantom, DataKind::scene})
        for (int index = 0; index < 60; ++index) {
            const Sample sample = generate(kind, Split::test, 2, index, 128);
            CAPTURE(sample.name);
            REQUIRE(!sample.instances.empty());
            REQUIRE(sample.instances.size() <= std::size_t(kMaxInstances));
            const int width = sample.image.width;
            const int height = sample.image.height;
            REQUIRE(std::max(width, height) == 128);
            REQUIRE(sample.image.rgb.size() == std::size_t(width) * height * 3);
            for (const auto& instance : sample.instances) {
                CAPTURE(instance.category);
                REQUIRE((instance.mask.width == width && instance.mask.height == height));
                const double share = double(area(instance.mask)) / (double(width) * height);
                CHECK(share >= kMinInstanceShare);
                CHECK(share <= kMaxInstanceShare);
                CHECK(instance.box == tight_box(instance.mask));
                CHECK(double(area(connected_parts(instance.mask, 1).front())) >= 0.75 * double(area(instance.mask)));
                const auto& prompts = instance.prompts;
                CHECK(inside(instance.mask, prompts.point));
                CHECK(inside(instance.mask, prompts.positive));
                CHECK(!inside(instance.mask, prompts.negative));
                CHECK((prompts.box.x0 >= 0 && prompts.box.y0 >= 0 && prompts.box.x1 <= width && prompts.box.y1 <= height));
                const double wide = instance.box.x1 - instance.box.x0;
                const double high = instance.box.y1 - instance.box.y0;
                CHECK(std::abs(prompts.box.x0 - instance.box.x0) <= 0.1 * wide + 1e-9);
                CHECK(std::abs(prompts.box.y1 - instance.box.y1) <= 0.1 * high + 1e-9);
            }
        }
}

TEST_CASE("instances of one scene do not overlap") {
    for (int index = 0; index < 40; ++index) {
        const Sample sample = generate(DataKind::scene, Split::test, 4, index, 96);
        std::vector<int> owners(std::size_t(sample.image.width) * sample.image.height);
        for (const auto& instance : sample.instances)
            for (std::size_t i = 0; i < owners.size(); ++i) owners[i] += instance.mask.values[i];
        CHECK(*std::max_element(owners.begin(), owners.end()) == 1);
    }
}

TEST_CASE("other sizes work, from the smallest to one above training's") {
    for (int size : {32, 33, 256})
        for (auto kind : {DataKind::phantom, DataKind::scene}) {
            const Sample sample = generate(kind, Split::dev, 9, 0, size);
            CHECK(std::max(sample.image.width, sample.image.height) == size);
        }
}
