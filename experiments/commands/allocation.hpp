// SPDX-License-Identifier: Apache-2.0
#pragma once

// explore sensitivity --budget: widths of all layers within a budget, evaluated beside the uniform point of the same budget.

#include "experiments/cli/program.hpp"
#include "experiments/sensitivity/allocator.hpp"

namespace prelude::experiments {

/// Writes allocated.yaml (a complete configuration), quant_layers.yaml (its quant.layers alone) and allocation.csv into `out`, and prints both points.
///
/// Meaning   the array and its ports are those of the configured point: `fill` and `auto` are resolved there and stay; so is the clock, for a latency budget the
///           slowest that a pair of widths asks for
/// Throws    models::InputError for a budget or widths of another form, a budget out of reach, and a datapath that narrower operands do not make faster
[[nodiscard]] int allocate_widths(const Configuration& point, const std::vector<Layer>& layers, const AllocationRequest& request, const MakeTaskSet& make_task_set);

}  // namespace prelude::experiments
