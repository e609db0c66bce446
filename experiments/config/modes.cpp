// SPDX-License-Identifier: Apache-2.0
#include "experiments/config/modes.hpp"

#include "experiments/config/keys.hpp"

#include <fmt/format.h>

namespace prelude::experiments {

std::vector<ModeConflict> mode_conflicts(const Settings& settings) {
    const auto& quant = settings.quant;
    const bool hybrid = quant.mlp_hidden_scheme != quant::HiddenScheme::uniform;
    std::vector<ModeConflict> conflicts;
    if (quant.is_integer() && hybrid && quant.hluq.variant == quant::fake::HybridVariant::reference)
        conflicts.push_back({"quant.hluq.variant", "reference with quant.mode clean", "intended, or quant.mode: compat",
                             "the slip of the published code has no place in hardware"});
    if (quant.is_floating() && quant.mode == quant::Mode::compat)
        conflicts.push_back({"quant.mode", fmt::format("compat with quant.datatype {}", find_key("quant.datatype")->print(settings)), "clean, or quant.datatype: int",
                             "compat shows what quantization does to the masks; nothing is quantized in floating point"});
    if (quant.is_floating() && settings.hw.attention == sim::AttentionFusion::fused_recompute)
        conflicts.push_back({"hw.attention", fmt::format("fused_recompute with quant.datatype {}", find_key("quant.datatype")->print(settings)), "auto, fused_row or unfused",
                             "sums of floating-point exponentials are made over whole rows, in one order"});
    if (!quant.is_fake_quantized()) return conflicts;
    if (quant.mlp_hidden_scheme == quant::HiddenScheme::search)
        conflicts.push_back({"quant.mlp_hidden_scheme", "search with quant.mode compat", "uniform, hluq, or quant.mode: clean", "the published code has one scheme for all layers"});
    const Settings plain;
    for (const std::string_view path : {"quant.weight_rounding", "quant.smooth", "quant.reparam", "quant.hluq.aligned", "quant.layers"}) {
        if (path == "quant.hluq.aligned" && !hybrid) continue;
        const auto& key = *find_key(path);
        if (const auto got = key.print(settings), allowed = key.print(plain); got != allowed)
            conflicts.push_back({path, fmt::format("{} with quant.mode compat", got), fmt::format("{}, or quant.mode: clean", allowed),
                                 "the published code does nothing of the kind"});
    }
    return conflicts;
}

}  // namespace prelude::experiments
