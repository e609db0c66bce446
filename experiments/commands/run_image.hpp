// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore run: one image through one design point: mask, overlay beside the FP32 mask, latency.

#include "experiments/sweep/task_set.hpp"
#include "models/data/image.hpp"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace prelude::experiments {

struct RunCommand {
    std::filesystem::path config;
    std::vector<std::string> sets;
    std::filesystem::path image;
    std::vector<std::array<double, 4>> boxes;   ///< x0, y0, x1, y1 in pixels of the image
    std::vector<std::array<double, 2>> points;  ///< x, y
    std::filesystem::path out;                  ///< empty: out/NAME of the image
};

/// What the design point makes of one prompt; boxes come first, then points, each a prompt of its own.
struct PromptOutcome {
    std::string prompt;            ///< "box 10,20,30,40"
    models::Mask reference;        ///< of the FP32 model
    models::Mask quantized;        ///< of the quantized model, or of the floating-point datapath
    double agreement = 1;          ///< IoU of the two
    double sqnr_db = 0;            ///< of the low-resolution logits; infinite where they are equal
};

struct RunOutcome {
    models::Image image;
    std::vector<PromptOutcome> prompts;
    bool is_floating = false;
    std::string latency;           ///< "12.5 ms (assumed)", or why there is none
    std::vector<std::string> warnings;
    double calibration_s = 0, latency_s = 0, reference_s = 0, quantized_s = 0;  ///< time of this host
};

/// Runs the base point of the configuration (of a sweep its first point) on one picture.
///
/// Contract  ranges are taken from `cache` if a sweep or an earlier call left them there, else calibrated and left there; empty: no cache
/// Throws    ConfigError without weights; DataError for a picture that does not decode or prompts that miss it, all of them listed
[[nodiscard]] RunOutcome run_on_image(const RunCommand& command, const Grid& grid, const TaskSet& task_set, const std::filesystem::path& cache);

/// Writes mask.png (several prompts: mask-1.png, ...) and overlay.png, quantized left and FP32 right; prints agreement, SQNR, latency, times.
/// Throws    ConfigError, models::InputError
[[nodiscard]] int run_image(const RunCommand& command, const TaskSet& task_set);

}  // namespace prelude::experiments
