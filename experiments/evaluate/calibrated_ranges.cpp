// SPDX-License-Identifier: Apache-2.0
#include "experiments/evaluate/calibrated_ranges.hpp"

#include "experiments/store/cache.hpp"
#include "quant/calibration/calibrate.hpp"

namespace prelude::experiments {

namespace fs = std::filesystem;

quant::Ranges calibrated_ranges(const Settings& settings, const LoadedModel& model, const fs::path& file) {
    if (!file.empty() && fs::exists(file)) {
        try {
            return quant::load_ranges(file);
        } catch (const models::CheckpointError&) {  // cut short: computed again
        }
    }
    models::Predictor predictor(model.config, *model.weights);
    auto ranges = quant::calibrate(predictor, *calibration_set(settings, model.config), settings.quant);
    if (!file.empty()) {
        fs::create_directories(file.parent_path());
        write_atomically_with(file, [&](const fs::path& temporary) { quant::save_ranges(ranges, temporary); });
    }
    return ranges;
}

}  // namespace prelude::experiments
