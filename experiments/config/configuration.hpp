// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a configuration file, its device files and the `--set` arguments say together: settings, axes, constraints.

#include "experiments/config/keys.hpp"
#include "experiments/config/library.hpp"
#include "experiments/config/mapping_file.hpp"
#include "experiments/sweep/constraint.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// A key that was written down, in the file or as --set.
struct Assignment {
    const Key* key = nullptr;
    Value value;
    Location where;
};

/// Keys that move together, and the tuples of values they take.
struct Axis {
    std::vector<const Key*> keys;
    std::vector<std::vector<Value>> tuples;
    Location where;
    [[nodiscard]] std::string name() const;  ///< "quant.weight_bits,quant.activation_bits"
};

struct Configuration {
    std::string source;
    std::vector<Assignment> assignments;
    std::vector<Axis> axes;
    Settings base;  ///< method preset and assignments; axis keys still have their base value
    std::vector<Constraint> constraints;
    std::map<std::string, sim::Device> devices;   ///< every device that some point uses
    std::map<std::string, sim::CostTable> costs;  ///< every cost table that some point uses
    std::map<std::string, std::vector<MappingEntry>> mappings;  ///< every file of mappings that some point uses, by path
    std::vector<std::string> warnings;

    [[nodiscard]] bool is_axis(const Key* key) const noexcept;
    /// Gives settings what their device and mapping files say.
    void fill(Settings& settings) const;
    /// Where a key was written: its axis, its assignment, else the source as a whole.
    [[nodiscard]] Location where(std::string_view key) const;
};

/// Reads and validates a configuration.
///
/// Contract
///   - precedence: default < method preset < file < --set; an axis overrides the file, `--set` on an axis key replaces the axis;
///   - sets are "key=value", the value in YAML; "sweep.axes.KEY=[...]" replaces or adds an axis;
///   - every problem of the file, of the data files it names and of the sets is found before anything is reported;
///   - nothing is written.
/// Throws    ConfigError with the complete text (exit code 3)
[[nodiscard]] Configuration read_configuration(const std::filesystem::path& file, const std::vector<std::string>& sets,
                                               const std::filesystem::path& arch_configs);

/// The same for text that is not in a file; relative paths are looked up from the working directory alone.
[[nodiscard]] Configuration read_configuration_text(std::string_view text, const std::string& source, const std::vector<std::string>& sets,
                                                    const std::filesystem::path& arch_configs);

/// The error of a key that a lower layer refuses later ("17 groups, but decoder.lin1 has 16 channels"), in the form of all others.
[[nodiscard]] ConfigError rejection(const Configuration& configuration, std::string_view key, std::string message, std::string allowed = {},
                                    std::string because = {});

}  // namespace prelude::experiments
