// SPDX-License-Identifier: Apache-2.0
#include "experiments/sweep/plan.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "models/error.hpp"

namespace prelude::experiments {

namespace {

constexpr int kMaxShards = 10'000;

std::int64_t share(std::int64_t num_points, std::int64_t part, std::int64_t count) {
    return num_points / count * part + std::min(part, num_points % count);  // the first parts take the remainder
}

}  // namespace

std::int64_t Shard::begin(std::int64_t num_points) const noexcept {
    return share(num_points, number - 1, count);
}
std::int64_t Shard::end(std::int64_t num_points) const noexcept {
    return share(num_points, number, count);
}

std::optional<Shard> parse_shard(std::string_view text) {
    Shard shard;
    const auto* const end = text.data() + text.size();
    const auto [slash, error] = std::from_chars(text.data(), end, shard.number);
    if (error != std::errc{} || slash == end || *slash != '/') return std::nullopt;
    const auto [rest, second_error] = std::from_chars(slash + 1, end, shard.count);
    if (second_error != std::errc{} || rest != end) return std::nullopt;
    if (shard.number < 1 || shard.count > kMaxShards || shard.number > shard.count) return std::nullopt;
    return shard;
}

Plan make_plan(const Grid& grid, const TaskSet& task_set, Shard shard) {
    Plan plan;
    std::unordered_map<std::string, std::uint32_t> position;
    for (auto i = shard.begin(grid.size()); i < shard.end(grid.size()); ++i) {
        auto point = grid.at(i);
        PlannedPoint planned{point.index, std::move(point.swept), {}};
        for (auto& task : task_set.tasks_of(grid, point.index)) {
            const auto [entry, is_new] = position.try_emplace(task.key, static_cast<std::uint32_t>(plan.tasks.size()));
            planned.tasks.push_back(entry->second);
            if (!is_new) continue;
            auto& needs = plan.needs.emplace_back();
            plan.users.emplace_back();
            for (const auto& key : task.needs) {
                const auto need = position.find(key);
                models::check(need != position.end() && need->second != entry->second, "a task comes after the tasks it needs");
                needs.push_back(need->second);
                plan.users[need->second].push_back(entry->second);
            }
            plan.tasks.push_back(std::move(task));
        }
        plan.points.push_back(std::move(planned));
    }
    return plan;
}

Schedule::Schedule(const Plan& plan, const std::vector<bool>& done, std::vector<bool> held) : plan_(&plan), reasons_(plan.tasks.size()), held_(std::move(held)) {
    held_.resize(plan.tasks.size());
    for (std::uint32_t t = 0; t < plan.tasks.size(); ++t) {
        const auto missing = std::count_if(plan.needs[t].begin(), plan.needs[t].end(), [&](std::uint32_t need) { return !done[need]; });
        num_missing_.push_back(static_cast<std::uint32_t>(missing));
        states_.push_back(done[t] ? State::done : State::waiting);
        held_[t] = held_[t] && !done[t];
        num_held_ += held_[t];
        if (done[t]) continue;
        ++num_open_;
        if (missing == 0) push_ready(t);
    }
}

void Schedule::push_ready(std::uint32_t task) {
    if (held_[task]) return;
    states_[task] = State::ready;
    ready_.push_back(task);
    std::push_heap(ready_.begin(), ready_.end(), std::greater<>());
}

std::optional<std::uint32_t> Schedule::start_next() {
    if (ready_.empty()) return std::nullopt;
    std::pop_heap(ready_.begin(), ready_.end(), std::greater<>());
    const auto task = ready_.back();
    ready_.pop_back();
    states_[task] = State::running;
    return task;
}

void Schedule::finish(std::uint32_t task) {
    states_[task] = State::done;
    --num_open_;
    for (const auto user : plan_->users[task])
        if (--num_missing_[user] == 0 && states_[user] == State::waiting) push_ready(user);
}

void Schedule::release(std::uint32_t task) {
    if (!held_[task]) return;
    held_[task] = false;
    --num_held_;
    if (states_[task] == State::waiting && num_missing_[task] == 0) push_ready(task);
}

void Schedule::drop(std::uint32_t task) {
    if (!held_[task]) return;
    held_[task] = false;
    --num_held_;
    if (states_[task] != State::waiting) return;
    states_[task] = State::dropped;
    --num_open_;
}

std::vector<std::uint32_t> Schedule::fail(std::uint32_t task, const std::string& reason) {
    std::vector<std::uint32_t> failed{task};
    reasons_[task] = reason;
    states_[task] = State::failed;
    for (std::size_t i = 0; i < failed.size(); ++i) {
        --num_open_;
        num_held_ -= held_[failed[i]];
        held_[failed[i]] = false;
        for (const auto user : plan_->users[failed[i]]) {
            if (states_[user] == State::failed) continue;
            states_[user] = State::failed;  // it never was ready: what it needs has just failed
            reasons_[user] = reason;
            failed.push_back(user);
        }
    }
    return failed;
}

}  // namespace prelude::experiments
