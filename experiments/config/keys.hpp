// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one table of configuration keys. Each key is declared once: what it means, what it may be, what it changes.
// Validation, `--set`, axes, hashing, `explore explain`, `--help` and docs/keys.md all read this table.

#include "experiments/config/domain.hpp"
#include "experiments/config/settings.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// What a key changes, and so which cached results it invalidates.
enum class Affects {
    numeric,   ///< output bits, and so accuracy
    hardware,  ///< cycles, power, resources; never a bit
    workload,  ///< what one row executes
    none,      ///< how results are searched and presented
};

/// When a key has an effect at all. Elsewhere it is set to its default before hashing.
struct Condition {
    std::string_view sentence = {};  ///< "quant.softmax.scheme is log"
    bool (*holds)(const Settings&) = nullptr;
};

struct Key {
    std::string_view path;
    Domain domain;
    std::string_view unit = {};      ///< "bits per weight operand"
    std::string_view sentence = {};  ///< what it means
    std::string_view because = {};   ///< why the range or default is what it is
    std::string_view source = {};    ///< where it is specified
    Affects affects = Affects::none;
    Condition effective = {};
    std::string_view fixed = {};  ///< the only value in this version; such a key has no field in Settings
    std::function<Value(const Settings&)> get = {};
    std::function<void(Settings&, const Value&)> set = {};

    [[nodiscard]] bool is_fixed() const noexcept { return !fixed.empty(); }
    /// Canonical YAML text of this key's value in `settings`.
    [[nodiscard]] std::string print(const Settings& settings) const;
    [[nodiscard]] bool has_effect(const Settings& settings) const { return effective.holds == nullptr || effective.holds(settings); }
    /// Whether a design point has this key, so that it can be an axis (sweep.* describes the sweep itself).
    [[nodiscard]] bool is_of_a_point() const noexcept { return !path.starts_with("sweep."); }
};

/// All keys, in the order of the documentation.
[[nodiscard]] std::span<const Key> all_keys();

/// The key with this dotted path, or null.
[[nodiscard]] const Key* find_key(std::string_view path);

/// Whether `path` is a section: some key starts with `path.`
[[nodiscard]] bool is_section(std::string_view path);

/// Names that may stand directly inside a section ("" is the top level), in order.
[[nodiscard]] std::vector<std::string> names_in(std::string_view section);

/// "unknown key. Did you mean 'log_base'?", looking beside it first, then for the same name in other sections.
[[nodiscard]] std::string unknown_key_message(std::string_view path);

/// What `explore explain` prints: one key in full, or a section as a list ("all" or "" lists everything).
/// Nothing when there is no such key or section; `unknown_key_message` then says what is near.
[[nodiscard]] std::optional<std::string> explain(std::string_view key_or_section);

/// For `--help`: the sections and the names in each.
[[nodiscard]] std::string keys_overview();

/// docs/keys.md.
[[nodiscard]] std::string keys_page();

[[nodiscard]] std::string_view name_of(Affects affects) noexcept;

/// The declarations, one function per section of the configuration.
void declare_model_keys(std::vector<Key>& keys);
void declare_quant_keys(std::vector<Key>& keys);
void declare_code_keys(std::vector<Key>& keys);  ///< those of quant that name codes and nonlinear forms
void declare_hw_keys(std::vector<Key>& keys);
void declare_sweep_keys(std::vector<Key>& keys);

}  // namespace prelude::experiments
