// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore accumulators: how wide the sums of every layer have to be, and what fewer bits do to the masks.

#include "experiments/commands/sweep.hpp"

namespace prelude::experiments {

struct AccumulatorsCommand {
    SweepCommand sweep;    ///< a configuration whose axes are quant.accumulator.overflow and .bits shows the masks; without axes the widths alone
    int num_images = 4;    ///< of the evaluated data
    bool all = false;      ///< every layer, not one line per kind
};

/// Runs the sweep, if there are axes, then prints for every contraction of its first point the width of the running sums: that holds any operands, that
/// holds any activations with these weights, and the smallest that `num_images` pictures need (quant/accumulator_study.hpp).
///
/// Throws    ConfigError without weights or integers, StoreError, models::InputError
[[nodiscard]] int accumulators(const AccumulatorsCommand& command, const MakeTaskSet& make_task_set);

}  // namespace prelude::experiments
