// SPDX-License-Identifier: Apache-2.0
// The keys of `sweep`: which design points are evaluated, and which of them are best.
#include "experiments/config/field.hpp"

namespace prelude::experiments {

namespace {

bool draws(const Settings& s) {
    return s.sweep.strategy == SweepStrategy::random;
}
constexpr std::string_view kSwept = "none, or a swept key, or several joined by commas";
const Condition kRandom = {"sweep.strategy is random", draws};

}  // namespace

void declare_sweep_keys(std::vector<Key>& keys) {
    keys.push_back(
        field({.path = "sweep.strategy",
               .domain = Domain::choice({{"grid", 0}, {"random", 1}}),
               .sentence = "grid: every combination of the axes, the last one fastest; random: samples of the grid, none twice."},
              [](auto& s) -> auto& { return s.sweep.strategy; }));
    keys.push_back(field({.path = "sweep.samples",
                          .domain = Domain::integers({{1, 1'000'000}}),
                          .unit = "points",
                          .sentence = "Points drawn; the whole grid when it has fewer.",
                          .effective = kRandom},
                         [](auto& s) -> auto& { return s.sweep.samples; }));
    keys.push_back(field({.path = "sweep.seed",
                          .domain = Domain::integers({{0, std::numeric_limits<std::int64_t>::max()}}),
                          .sentence = "Seed of the draw.",
                          .effective = kRandom},
                         [](auto& s) -> auto& { return s.sweep.seed; }));
    keys.push_back(field({.path = "sweep.constraints",
                          .domain = Domain::texts("a list of `fits` or `COLUMN OP NUMBER`, OP one of < <= > >= == !="),
                          .sentence = "What a point must satisfy to be called best: all of them hold. Columns are those of results.csv."},
                         [](auto& s) -> auto& { return s.sweep.constraints; }));
    keys.push_back(field({.path = "sweep.objectives.max",
                          .domain = Domain::texts("a list of columns of results.csv"),
                          .sentence = "Columns that the Pareto front maximises; of a network without weights none, unless stated."},
                         [](auto& s) -> auto& { return s.sweep.maximize; }));
    keys.push_back(field({.path = "sweep.objectives.min",
                          .domain = Domain::texts("a list of columns of results.csv"),
                          .sentence = "Columns that the Pareto front minimises."},
                         [](auto& s) -> auto& { return s.sweep.minimize; }));
    keys.push_back(
        field({.path = "sweep.prune",
               .domain = Domain::boolean(),
               .sentence = "Points that cannot reach the Pareto front are not simulated: lower bounds of latency and power and exact resources and accuracy show "
                           "that a simulated point is better. They are rows of status cancelled. The front is that of the whole grid.",
               .source = "experiments/sweep/prune.hpp"},
              [](auto& s) -> auto& { return s.sweep.prune; }));
    keys.push_back(
        field({.path = "sweep.toggles",
               .domain = Domain::choice({{"assumed", 0}, {"measured", 1}}),
               .sentence = "Toggle rate of operands at the multipliers' ports, which their energy follows. assumed: the cost table's energy.data_toggle; measured: that of "
                           "each product as this design takes its words in, on the first picture and prompt (a run with payload for every design, which needs "
                           "weights and an encoder of at most 10 GMAC). One source for the whole sweep; column toggle_source.",
               .source = "sim/cost/energy.hpp"},
              [](auto& s) -> auto& { return s.sweep.toggles; }));
    const auto text = [&](std::string_view path, std::string_view what, std::string_view sentence, auto access) {
        keys.push_back(field({.path = path, .domain = Domain::text(what), .sentence = sentence}, access));
    };
    text("sweep.compare", kSwept, "Swept keys along which points are compared after the sweep, prompt by prompt, as `explore compare` does.",
         [](auto& s) -> auto& { return s.sweep.compare; });
    text("sweep.table.rows", kSwept, "Swept keys of the rows of a table printed after the sweep, as `explore table` does.",
         [](auto& s) -> auto& { return s.sweep.table_rows; });
    text("sweep.table.columns", kSwept, "Swept keys of its columns.", [](auto& s) -> auto& { return s.sweep.table_columns; });
    text("sweep.table.cell", "a column of results.csv", "What its cells hold.", [](auto& s) -> auto& { return s.sweep.table_cell; });
    keys.push_back(
        {.path = "sweep.axes",
         .domain = Domain::text("a mapping from a key, or keys joined by commas, to the list of its values"),
         .sentence = "What is varied. Keys joined by commas move together: \"quant.weight_bits,quant.activation_bits\": [[4, 4], [8, 8]]. "
                     "An axis overrides the same key elsewhere in the file.",
         .fixed = "{}"});
}

}  // namespace prelude::experiments
