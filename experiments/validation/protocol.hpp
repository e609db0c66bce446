// SPDX-License-Identifier: Apache-2.0
#pragma once

// A folder of published designs: what each is, what may be assumed of it, and what was published.
//
//   designs.yaml      which configurations of the folder model a design, and which figure is predicted
//   assumptions.yaml  keys that papers leave out: default and both ends of the range, the same for all designs
//   published.yaml    figures with unit, status and source; a design without one has a prediction alone
//   NAME.yaml         configurations: they state only what is published

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "experiments/config/error.hpp"
#include "experiments/config/keys.hpp"
#include "sim/design.hpp"

namespace prelude::experiments {

/// A key that a design may leave open.
struct Assumption {
    const Key* key = nullptr;
    Value standard;          ///< the default of the key
    Value slow, fast;        ///< the ends of its range, by their effect on time
};

/// The time in which the PE array works, latency less stalls: a figure beside the columns of results.csv.
inline constexpr std::string_view kArrayTime = "array_ms";

struct PublishedDesign {
    std::string name;
    std::vector<std::string> runs;  ///< configurations of the folder whose figures add up
    std::string figure;             ///< a column of results.csv, or kArrayTime
    std::string unit;
    std::int64_t copies = 1;        ///< as many independent cores: the figure is multiplied
};

struct Protocol {
    std::vector<PublishedDesign> designs;
    std::vector<Assumption> assumptions;
    std::map<std::string, sim::Figure, std::less<>> published;  ///< by name of the design
};

/// Reads a folder; everything wrong with its files goes to `problems`.
[[nodiscard]] Protocol read_protocol(const std::filesystem::path& folder, Problems& problems);

}  // namespace prelude::experiments
