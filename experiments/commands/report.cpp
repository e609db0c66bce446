// SPDX-License-Identifier: Apache-2.0
#include "experiments/commands/report.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "experiments/output/files.hpp"
#include "experiments/output/progress.hpp"
#include "experiments/output/run_record.hpp"
#include "experiments/output/table.hpp"
#include "experiments/sweep/run.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

namespace {

/// The shards in a folder: by their count, their numbers.
std::map<int, std::set<int>> shards_in(const fs::path& folder) {
    std::map<int, std::set<int>> shards;
    std::error_code failure;
    for (fs::directory_iterator entry(folder, failure), end; !failure && entry != end; entry.increment(failure)) {
        auto name = entry->path().filename().string();  // results.2-of-4.db
        constexpr std::string_view kBegin = "results.", kEnd = ".db";
        if (!name.starts_with(kBegin) || !name.ends_with(kEnd) || name.size() <= kBegin.size() + kEnd.size()) continue;
        name = name.substr(kBegin.size(), name.size() - kBegin.size() - kEnd.size());
        const auto of = name.find("-of-");
        if (of == std::string::npos) continue;
        if (const auto shard = parse_shard(name.replace(of, 4, "/"))) shards[shard->count].insert(shard->number);
    }
    return shards;
}

std::vector<Shard> complete_set(const fs::path& folder, const std::map<int, std::set<int>>& found) {
    if (found.size() > 1) {
        std::vector<std::string> counts;
        for (const auto& [count, numbers] : found) counts.push_back(fmt::format("of-{}", count));
        throw StoreError(fmt::format("{}: shards of different sweeps: {}\n    allowed   one set of shards in a folder", folder.string(),
                                     fmt::join(counts, ", ")));
    }
    const auto& [count, numbers] = *found.begin();
    std::vector<Shard> shards;
    std::vector<std::string> missing;
    for (int k = 1; k <= count; ++k) {
        shards.push_back({k, count});
        if (!numbers.contains(k)) missing.push_back(store_path(folder, {k, count}).filename().string());
    }
    if (!missing.empty())
        throw StoreError(fmt::format("{}: {} of {} shards missing: {}\n    allowed   all of them; `explore --shard k/{}` writes one",
                                     folder.string(), missing.size(), count, fmt::join(missing, ", "), count));
    return shards;
}

void merge(const fs::path& folder, const std::vector<Shard>& shards) {
    std::vector<Store> parts;
    for (const auto& shard : shards) parts.push_back(Store::open_existing(store_path(folder, shard), true));
    const auto info = parts.front().info();
    if (!info) throw StoreError(fmt::format("{}: holds no sweep", parts.front().file().string()));
    for (const auto& part : parts) {
        const auto other = part.info();
        if (!other || other->resolved_yaml != info->resolved_yaml)
            throw StoreError(fmt::format("{}: has another resolved configuration than {}\n    allowed   shards of one sweep",
                                         part.file().string(), parts.front().file().string()));
    }
    const Shard whole;
    Store store(store_path(folder, whole));
    if (const auto before = store.info(); before && before->resolved_yaml != info->resolved_yaml)
        throw StoreError(fmt::format(
            "{}: holds a sweep of another configuration than the shards beside it\n    allowed   move it or the shards elsewhere",
            store.file().string()));
    auto transaction = store.transaction();
    store.begin(*info, {});
    for (const auto& part : parts) store.absorb(part);
    transaction.commit();
}

}  // namespace

int report(const fs::path& folder) {
    const RunTimes times{std::chrono::system_clock::now(), 0};
    if (!fs::is_directory(folder)) throw StoreError(fmt::format("{}: no such folder", folder.string()));
    const auto shards = shards_in(folder);
    if (!shards.empty()) merge(folder, complete_set(folder, shards));
    const auto store = Store::open_existing(store_path(folder, {}), true);
    const auto results = Results::of(store);
    write_outputs(folder, results, store);
    if (!shards.empty() || !fs::exists(folder / "run.json"))
        write_atomically(folder / "run.json", run_record(results, nullptr, 0, times, {"report"}).dump(2) + "\n");
    std::fputs(print_table(results, is_terminal(STDOUT_FILENO) ? terminal_width(STDOUT_FILENO, 0) : 0).c_str(), stdout);
    std::fputs(print_summary(results).c_str(), stdout);
    std::fputs(print_comparisons(results).c_str(), stdout);
    std::fputs(fmt::format("{}\n", (folder / "report.html").string()).c_str(), stdout);
    return exit_code_of(results);
}

}  // namespace prelude::experiments
