// SPDX-License-Identifier: Apache-2.0
#pragma once

// Many variants of one design point that differ in the widths of layers alone, measured by the workers of a sweep: resumable, each distinct part once.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/cli/program.hpp"
#include "experiments/sensitivity/damage.hpp"
#include "experiments/sweep/interrupt.hpp"

namespace prelude::experiments {

/// One variant, and what is asked of it.
struct Variant {
    std::vector<quant::LayerOverride> layers;  ///< all of quant.layers
    bool damage = true;   ///< logit_error over the calibration pictures, against FP32
    std::optional<std::size_t> against = {};  ///< or against this variant, which is shared
    bool miou = false;    ///< accuracy on the evaluated pictures
    bool timing = false;  ///< cycles by segment
    /// The integers are those of variant `base` but for the weights of `swapped`, which are those of variant `other`: no search is repeated.
    struct Swap {
        std::size_t base = 0, other = 0;
        std::vector<std::string> swapped;
    };
    std::optional<Swap> swap = {};
    bool is_shared = false;  ///< others take integers from this one
};

struct Measured {
    LogitError damage;
    double miou = 0;
    nlohmann::json timing;  ///< as simulate_timing returns it
};

struct StudyOptions {
    std::filesystem::path out;  ///< folder of the study's own store
    int num_jobs = 1;
    int num_images = 16;  ///< of calibration that damage is measured on
    bool quiet = false;
};

/// A study could not be finished: every reason once. Exit code 5.
class StudyFailed final : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// The configuration of one design point, without axes.
[[nodiscard]] Configuration single_point(Configuration configuration, const Settings& settings);

/// The same point under clean_settings.
[[nodiscard]] Configuration clean_point(Configuration point);

/// The same with quant.layers as its only axis.
[[nodiscard]] Configuration with_layer_axis(Configuration configuration, const std::vector<std::vector<quant::LayerOverride>>& values);

/// Measures the variants, in their order; nothing when Ctrl-C came first.
///
/// Contract  the first pictures of calibration serve all variants, whose ranges were calibrated once; results do not depend on the number of jobs.
///           `point` has no axes; the sweep's loop forks before anything else: no thread was started by the caller
/// Throws    StoreError, StudyFailed, models::InputError
[[nodiscard]] std::optional<std::vector<Measured>> run_study(const Configuration& point, const std::vector<Variant>& variants, const StudyOptions& options,
                                                             const MakeTaskSet& make_task_set, const Interrupt& interrupt);

}  // namespace prelude::experiments
