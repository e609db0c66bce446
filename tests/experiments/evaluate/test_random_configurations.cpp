// SPDX-License-Identifier: Apache-2.0
// A thousand legal configurations of network, numbers and datapath: every simulation ends, within its bounds and with every count conserved, or names what
// does not fit.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <random>

#include "experiments/config/error.hpp"
#include "experiments/evaluate/design_point.hpp"
#include "experiments/sweep/grid.hpp"
#include "quant/format_plan.hpp"
#include "sim/simulate.hpp"
#include "tests/paths.hpp"

using namespace prelude;
using namespace prelude::experiments;

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr int kConfigurations = 60;  // the same code, twenty times slower
#else
constexpr int kConfigurations = 1'000;
#endif

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    std::int64_t between(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution(low, high)(engine_); }
    /// As many of small as of large numbers.
    std::int64_t spread(std::int64_t low, std::int64_t high) {
        const auto bits = between(0, std::bit_width(static_cast<std::uint64_t>(high)) - 1);
        return std::clamp((std::int64_t{1} << bits) + between(0, (std::int64_t{1} << bits) - 1), low, high);
    }
    std::string one_of(std::initializer_list<const char*> words) { return words.begin()[between(0, static_cast<std::int64_t>(words.size()) - 1)]; }

  private:
    std::mt19937_64 engine_;
};

std::string network(Random& random) {
    const auto heads = random.between(1, 3), decoder_heads = random.between(1, 2), depth = random.between(1, 2);
    return fmt::format("model: {{preset: custom, checkpoint: none, config: {{image_size: {}, patch_size: 8, width: {}, mlp_width: {}, depth: {}, num_heads: {}, "
                       "window_size: {}, global_blocks: [{}], relative_positions: {}, prompt_width: {}, mask_in_channels: 4, decoder_depth: 1, decoder_heads: {}, "
                       "decoder_mlp_width: {}, decoder_downsample: {}, num_multimask_outputs: 3, iou_head_depth: 2, iou_head_width: 8}}}}\n",
                       8 * random.between(2, 6), heads * random.between(3, 12), random.between(5, 70), depth, heads, random.between(1, 4),
                       random.between(0, 1) == 0 ? "" : "0", random.one_of({"true", "false"}), 8 * decoder_heads, decoder_heads, random.between(5, 40), random.one_of({"1", "2"}));
}

/// Values of keys that are legal together wherever they have an effect.
std::vector<std::string> values(Random& random) {
    const auto bits = [&] { return random.one_of({"2", "3", "4", "5", "6", "7", "8", "16"}); };
    const auto number = [&](std::int64_t low, std::int64_t high) { return std::to_string(random.spread(low, high)); };
    const std::vector<std::pair<const char*, std::function<std::string()>>> all{
        {"quant.weight_bits", bits},
        {"quant.activation_bits", bits},
        {"quant.groups", [&] { return random.one_of({"0", "1", "2", "3"}); }},
        {"quant.group_align", [&] { return random.one_of({"1", "2"}); }},
        {"quant.group_scales", [&] { return random.one_of({"free", "power_of_two"}); }},
        {"quant.residual_bits", [&] { return std::to_string(random.between(8, 20)); }},
        {"quant.score_bits", [&] { return std::to_string(random.between(8, 16)); }},
        {"quant.rel_pos_bits", bits},
        {"quant.weight_symmetric", [&] { return random.one_of({"true", "false"}); }},
        {"quant.softmax.scheme", [&] { return random.one_of({"uniform", "log", "lnq"}); }},
        {"quant.softmax.log_base", [&] { return random.one_of({"2", "sqrt2", "2^(1/4)"}); }},
        {"quant.softmax.bits", [&] { return random.one_of({"2", "3", "4", "5"}); }},
        {"quant.softmax.form", [&] { return random.one_of({"shift", "lut", "bucket"}); }},
        {"quant.softmax.scale", [&] { return random.one_of({"row", "tensor"}); }},
        {"quant.softmax.zero_code", [&] { return random.one_of({"reuse_top", "saturate", "escape"}); }},
        {"quant.nonlinear", [&] { return random.one_of({"table", "ibert", "ivit"}); }},
        {"quant.mlp_hidden_scheme", [&] { return random.one_of({"uniform", "hluq"}); }},
        {"quant.hluq.aligned", [&] { return random.one_of({"true", "false"}); }},
        {"hw.clock_mhz", [&] { return number(20, 300); }},
        {"hw.pe.rows", [&] { return number(1, 40); }},
        {"hw.pe.cols", [&] { return number(1, 40); }},
        {"hw.pe.depth", [&] { return number(1, 40); }},
        {"hw.pe.shift_lanes", [&] { return number(0, 20); }},
        {"hw.pe.drain_rows", [&] { return number(1, 16); }},
        {"hw.pe.weight_bits", bits},
        {"hw.pe.activation_bits", bits},
        {"hw.pe.precision", [&] { return random.one_of({"fixed", "packed", "fused"}); }},
        {"hw.pe.multiplier", [&] { return random.one_of({"dsp", "lut"}); }},
        {"hw.pe.zero_point", [&] { return random.one_of({"correct", "subtract"}); }},
        {"hw.buffers.weight_kib", [&] { return number(1, 512); }},
        {"hw.buffers.activation_kib", [&] { return number(1, 512); }},
        {"hw.buffers.partial_sum_kib", [&] { return number(1, 256); }},
        {"hw.buffers.score_kib", [&] { return number(1, 256); }},
        {"hw.weights", [&] { return random.one_of({"stream", "resident", "auto"}); }},
        {"hw.double_buffer", [&] { return random.one_of({"true", "false"}); }},
        {"hw.layer_overlap", [&] { return random.one_of({"true", "false"}); }},
        {"hw.dram.gb_per_s", [&] { return random.one_of({"0.05", "0.7", "3.1", "19.2", "400"}); }},
        {"hw.dram.channels", [&] { return number(1, 32); }},
        {"hw.axi.ports", [&] { return number(1, 32); }},
        {"hw.axi.data_bits", [&] { return random.one_of({"32", "64", "128", "256", "512", "1024"}); }},
        {"hw.axi.outstanding", [&] { return number(1, 256); }},
        {"hw.axi.max_burst", [&] { return number(1, 256); }},
        {"hw.softmax.lanes", [&] { return number(1, 64); }},
        {"hw.layernorm.lanes", [&] { return number(1, 64); }},
        {"hw.layernorm.dividers", [&] { return number(1, 16); }},
        {"hw.gelu.lanes", [&] { return number(1, 64); }},
        {"hw.dataflow", [&] { return random.one_of({"output_stationary", "weight_stationary", "auto"}); }},
        {"hw.attention", [&] { return random.one_of({"unfused", "fused_row", "fused_recompute", "auto"}); }},
        {"hw.device", [&] { return random.one_of({"zcu102", "u250", "u50", "pynq_z2", "vck190"}); }},
    };
    std::vector<std::string> sets;
    for (const auto& [key, draw] : all) {
        const auto value = draw();  // drawn in any case: what one key is does not hang on another
        if (random.between(0, 2) > 0) sets.push_back(std::string(key) + "=" + value);
    }
    return sets;
}

}  // namespace

TEST_CASE("A thousand random configurations are simulated to their end or name what does not fit") {
    Random random(20'240);
    int simulated = 0, infeasible = 0, illegal = 0;
    for (int i = 0; i < kConfigurations; ++i) {
        const auto text = network(random);
        const auto sets = values(random);
        INFO(i << ": " << text << fmt::format("{}", fmt::join(sets, " ")));
        try {
            const auto configuration = read_configuration_text(text, "random.yaml", sets, PRELUDE_SOURCE_DIR "/arch_configs");
            const auto settings = Grid(configuration).at(0).settings;
            const auto point = resolve_design(settings, configuration.costs.at(settings.cost_table));
            // What does not fit the device is simulated all the same: here it is the datapath that is looked at.
            const sim::Options options{.prompts_per_image = random.between(1, 2)};
            const auto result = sim::simulate(point.graph, point.plan, point.design, options);
            ++(result.infeasible.empty() ? simulated : infeasible);
            if (result.infeasible.empty()) {
                CHECK(result.total.cycles > 0);
                CHECK(sim::lower_bound(point.graph, point.plan, point.design, options) <= result.total.cycles);
            } else {
                CHECK(result.infeasible.find(": ") != std::string::npos);
            }
        } catch (const ConfigError&) {  // keys that are not legal together
            ++illegal;
        } catch (const quant::SettingsError&) {
            ++illegal;
        }
    }
    INFO(simulated << " simulated, " << infeasible << " infeasible, " << illegal << " illegal");
    CHECK(simulated >= kConfigurations / 2);
    CHECK(infeasible > 0);
    CHECK(illegal < kConfigurations / 4);
}
