// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "experiments/sweep/plan.hpp"

using namespace prelude::experiments;
using State = Schedule::State;

namespace {

/// 0 and 1 stand alone; 2 needs both; 3 needs 2; 4 needs 1.
Plan some_plan() {
    Plan plan;
    plan.tasks.resize(5);
    plan.needs = {{}, {}, {0, 1}, {2}, {1}};
    plan.users = {{2}, {2, 4}, {3}, {}, {}};
    return plan;
}

}  // namespace

TEST_CASE("Shards cover every point once, are neighbours and differ by at most one point") {
    for (const std::int64_t num_points : {0, 1, 5, 36, 1000})
        for (const int count : {1, 2, 3, 7, 36}) {
            CAPTURE(num_points, count);
            std::int64_t next = 0;
            for (int k = 1; k <= count; ++k) {
                const Shard shard{k, count};
                CHECK(shard.begin(num_points) == next);
                next = shard.end(num_points);
                const auto size = next - shard.begin(num_points);
                CHECK((size == num_points / count || size == num_points / count + 1));
            }
            CHECK(next == num_points);
        }
}

TEST_CASE("A shard is written k/n with 1 <= k <= n") {
    CHECK(parse_shard("2/3")->number == 2);
    CHECK(parse_shard("2/3")->count == 3);
    CHECK(parse_shard("1/1")->is_whole());
    for (const auto* text : {"", "1", "/", "1/", "/2", "0/2", "3/2", "-1/2", "1/2 ", " 1/2", "1/2/3", "1.5/2", "1/99999999999", "a/b"})
        CHECK_FALSE(parse_shard(text));
}

TEST_CASE("A task starts when everything it needs is done, and once") {
    const auto plan = some_plan();
    Schedule schedule(plan, std::vector<bool>(5));
    CHECK(schedule.start_next() == 0U);
    CHECK(schedule.start_next() == 1U);
    CHECK_FALSE(schedule.start_next());
    schedule.finish(1);
    CHECK(schedule.start_next() == 4U);
    CHECK_FALSE(schedule.start_next());
    schedule.finish(0);
    CHECK(schedule.start_next() == 2U);
    schedule.finish(2);
    schedule.finish(4);
    CHECK(schedule.start_next() == 3U);
    CHECK(schedule.num_open() == 1);
    schedule.finish(3);
    CHECK(schedule.num_open() == 0);
    CHECK_FALSE(schedule.start_next());
}

TEST_CASE("Results that are there already are not computed again, and release their users") {
    const auto plan = some_plan();
    Schedule schedule(plan, {true, true, false, false, true});
    CHECK(schedule.num_open() == 2);
    CHECK(schedule.start_next() == 2U);
    CHECK_FALSE(schedule.start_next());
}

TEST_CASE("What needs a failed task fails with its reason, the rest goes on") {
    const auto plan = some_plan();
    Schedule schedule(plan, std::vector<bool>(5));
    static_cast<void>(schedule.start_next());
    static_cast<void>(schedule.start_next());
    CHECK(schedule.fail(0, "no memory") == std::vector<std::uint32_t>{0, 2, 3});
    CHECK(schedule.state(3) == State::failed);
    CHECK(schedule.reason(3) == "no memory");
    CHECK(schedule.num_open() == 2);
    schedule.finish(1);
    CHECK(schedule.start_next() == 4U);
    schedule.finish(4);
    CHECK(schedule.num_open() == 0);
    CHECK_FALSE(schedule.start_next());
}

TEST_CASE("A held task starts once it is released, never when it is dropped, and counts as open until then") {
    const auto plan = some_plan();
    Schedule schedule(plan, {false, false, false, false, false}, {false, false, false, true, true});
    CHECK(schedule.num_held() == 2);
    CHECK(schedule.start_next() == 0U);
    CHECK(schedule.start_next() == 1U);
    schedule.finish(0);
    schedule.finish(1);
    CHECK(schedule.start_next() == 2U);
    schedule.finish(2);
    CHECK_FALSE(schedule.start_next());
    CHECK(schedule.num_open() == schedule.num_held());
    schedule.release(4);
    CHECK(schedule.start_next() == 4U);
    schedule.drop(3);
    CHECK(schedule.state(3) == State::dropped);
    CHECK(schedule.num_open() == 1);
    schedule.finish(4);
    CHECK(schedule.num_open() == 0);
    CHECK_FALSE(schedule.start_next());
}

TEST_CASE("A held task fails with what it needs") {
    const auto plan = some_plan();
    Schedule schedule(plan, {false, true, false, false, true}, {false, false, false, true, true});
    CHECK(schedule.num_held() == 1);  // 4 is done
    CHECK(schedule.start_next() == 0U);
    CHECK(schedule.fail(0, "why") == std::vector<std::uint32_t>{0, 2, 3});
    CHECK(schedule.num_held() == 0);
    CHECK(schedule.num_open() == 0);
}
