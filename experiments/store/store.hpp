// SPDX-License-Identifier: Apache-2.0
#pragma once

// results.db: everything a sweep has found out, safe under kill -9. Only the main process opens it.

#include <array>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/evaluate/tasks.hpp"
#include "experiments/process/descriptor.hpp"
#include "experiments/store/cache.hpp"
#include "experiments/store/database.hpp"

namespace prelude::experiments {

/// The store cannot be used: another writer, a newer version, not a store, damaged, no space. Exit code 3.
class StoreError final : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// What the rows of a store belong to, and all that is needed to write CSV and report from them.
struct SweepInfo {
    std::string source;              ///< the configuration file, for people
    std::string resolved_yaml;       ///< the identity of the sweep
    std::int64_t num_points = 0;     ///< of the whole sweep, also in a shard
    std::vector<std::string> swept;  ///< dotted keys
    std::vector<std::string> layer_columns;
    std::vector<std::string> maximize, minimize;
    std::vector<std::string> constraints;
    std::string compare;                                ///< swept keys that points are compared along; empty: none
    std::string table_rows, table_columns, table_cell;  ///< of the table that is printed; empty: none
    std::vector<std::string> warnings;
    std::map<std::string, std::string> seeds;  ///< by key
    std::string device;                        ///< of points that do not sweep it
    /// By device and resource: how many there are, and the share of them that still closes timing.
    std::map<std::string, std::map<std::string, std::array<double, 2>>> devices;
    friend bool operator==(const SweepInfo&, const SweepInfo&) = default;
};

struct StoredTask {
    TaskResult result;
    std::string kind;
    std::vector<CachedFile> files;  ///< shared parts it left under cache/
    double seconds = 0;
};

/// A step from one version of the schema to the next.
using Migration = std::string_view;
[[nodiscard]] std::span<const Migration> migrations();

/// Contract
///   - one writer: an exclusive flock on the file from construction to destruction; a second one gets StoreError;
///   - kill -9 at any moment leaves the state before or after a transaction (rollback journal, synchronous = FULL);
///   - task results are kept by key for good: they are valid for every configuration that has the key;
///   - rows belong to one SweepInfo and are put together anew by every run: begin() drops those of before;
///   - `user_version`: newer than this program is refused, older is migrated, step by step, in one transaction.
class Store {
  public:
    enum class Opening { resume, fresh };

    /// `fresh` empties a store of ours, of any version, damaged or not; a file that is not ours is never touched.
    /// Throws    StoreError
    explicit Store(const std::filesystem::path& file, Opening opening = Opening::resume, std::span<const Migration> steps = migrations());
    /// Opens only what is there. Without the lock: for reading beside a running sweep.
    [[nodiscard]] static Store open_existing(const std::filesystem::path& file, bool lock);

    [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

    /// Starts or resumes a sweep, inside a transaction of the caller's: every point has a row from now on, of status `cancelled`
    /// until put_row().
    struct PendingPoint {
        std::int64_t point = 0;
        std::vector<std::string> swept;
    };
    void begin(const SweepInfo& info, std::span<const PendingPoint> points);
    [[nodiscard]] std::optional<SweepInfo> info() const;

    [[nodiscard]] std::optional<StoredTask> task(const std::string& key) const;
    /// Keys of the results that are not failures.
    [[nodiscard]] std::vector<std::string> finished_keys() const;
    void put_task(const std::string& key, const StoredTask& task);
    void drop_task(const std::string& key);

    void put_row(const Row& row, std::span<const std::string> keys);
    /// Rows in the order of the points, one at a time.
    void each_row(const std::function<void(Row&&)>& visit, bool with_layers) const;
    [[nodiscard]] std::vector<Row> rows(bool with_layers) const;
    [[nodiscard]] std::optional<Row> row(std::int64_t point) const;
    /// Keys of the tasks behind a row; none when there is no such row.
    [[nodiscard]] std::vector<std::string> keys_behind(std::int64_t point) const;

    /// Takes over the tasks and rows of another store, inside a transaction of the caller's.
    void absorb(const Store& other);

    [[nodiscard]] Transaction transaction() const { return Transaction(*database_); }

  private:
    Store(std::filesystem::path file, Descriptor lock);
    void connect(std::span<const Migration> steps);
    void migrate(std::span<const Migration> steps);

    std::filesystem::path file_;
    Descriptor lock_;  ///< closed after the database: closing any descriptor of a file drops SQLite's locks on it
    std::unique_ptr<Database> database_;
};

}  // namespace prelude::experiments
