// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "experiments/process/frame.hpp"

using namespace prelude::experiments;

TEST_CASE("Frames come out as they went in, however the bytes are cut") {
    const std::vector<Frame> frames{
        {Frame::Kind::job, 7, "seven"}, {Frame::Kind::result, 0, ""}, {Frame::Kind::failure, ~std::uint64_t{0}, std::string(3000, '\0')}};
    std::string bytes;
    for (const auto& frame : frames) bytes += encode(frame);
    for (const std::size_t cut : {1U, 2U, 19U, 20U, 21U, 1000U, 100000U}) {
        CAPTURE(cut);
        FrameReader reader;
        std::vector<Frame> read;
        for (std::size_t at = 0; at < bytes.size(); at += cut) {
            reader.feed(std::string_view(bytes).substr(at, cut));
            while (auto frame = reader.next()) read.push_back(*frame);
        }
        CHECK(read == frames);
        CHECK(reader.num_pending_bytes() == 0);
        CHECK_FALSE(reader.is_broken());
    }
}

TEST_CASE("A frame reader gives up for good on bytes that cannot begin a frame") {
    const auto good = encode({Frame::Kind::result, 1, "value"});
    auto wrong_mark = good, wrong_kind = good, too_long = good;
    wrong_mark[0] = 'x';
    wrong_kind[4] = 9;
    too_long[19] = '\x7f';  // the top byte of the length: almost 2 GiB
    for (const auto& bytes : {wrong_mark, wrong_kind, too_long}) {
        FrameReader reader;
        reader.feed(bytes);
        CHECK_FALSE(reader.next());
        CHECK(reader.is_broken());
        reader.feed(good);
        CHECK_FALSE(reader.next());
        CHECK(reader.num_pending_bytes() == 0);
    }
}
