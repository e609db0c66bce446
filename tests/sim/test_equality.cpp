// SPDX-License-Identifier: Apache-2.0
// The SystemC datapath computes the words of the integer engine: zero differences, on shapes that leave remainders everywhere.
#include <catch2/catch.hpp>

#include "tests/sim/random_network.hpp"
#include "tests/sim/small_graphs.hpp"

using namespace prelude;
using namespace prelude::sim;
using namespace prelude::sim::testing;

TEST_CASE("A linear layer of prime shape has the words of the engine at every pair of widths", "[sim]") {
    for (int weight_bits : {2, 4, 5, 8}) {
        for (int activation_bits : {3, 4, 8}) {
            for (int groups : {1, 3, 0}) {
                quant::Settings settings;
                settings.weight_bits = weight_bits, settings.activation_bits = activation_bits;
                quant::LayerOverride layer;
                layer.match = "layer";
                layer.groups = groups;
                settings.layers = {layer};
                const auto network = randomise(one_layer(models::Linear{"w", "b", 23, 29}, {1, 31, 23}, 2), {}, settings, 7);
                INFO("W" << weight_bits << "A" << activation_bits << " groups " << groups);
                CHECK(differences(network, small_design()).empty());
            }
        }
    }
}

TEST_CASE("Convolutions of every kind have the words of the engine", "[sim]") {
    quant::Settings settings;
    CHECK(differences(randomise(one_layer(models::Conv{"w", "b", 7, 11, 3, 1, 1}, {1, 7, 5, 9}, 1), {}, settings, 1), small_design())
              .empty());
    CHECK(differences(randomise(one_layer(models::Conv{"w", "", 5, 13, 2, 2, 0}, {1, 5, 6, 10}, 1), {}, settings, 2), small_design())
              .empty());
    CHECK(differences(randomise(one_layer(models::ConvTranspose{"w", "b", 7, 5, 2}, {1, 7, 3, 5}, 1), {}, settings, 3), small_design())
              .empty());
}

TEST_CASE("A whole small SAM has the words of the engine in every value", "[sim]") {
    auto form = GENERATE(AttentionFusion::fused_row, AttentionFusion::fused_recompute, AttentionFusion::unfused);
    auto scheme = GENERATE(quant::SoftmaxScheme::log, quant::SoftmaxScheme::uniform);
    quant::Settings settings;
    settings.nonlinear = GENERATE(quant::Nonlinear::table, quant::Nonlinear::ibert, quant::Nonlinear::ivit);
    settings.softmax.scheme = scheme;
    settings.weight_bits = settings.activation_bits = scheme == quant::SoftmaxScheme::log ? 4 : 8;
    settings.groups = scheme == quant::SoftmaxScheme::log ? 3 : 1;
    auto design = small_design();
    design.attention = form;
    const auto config = tiny_config();
    const auto network = randomise(models::build_sam(config), config, settings, 11);
    NetworkResult functional;
    const auto names = differences(network, design, &functional);
    INFO((form == AttentionFusion::unfused ? "unfused" : "fused_row"));
    CHECK(names == std::vector<std::string>{});
    const auto timing = simulate(network.graph, network.quantized.plan, design);
    REQUIRE(timing.segments.size() == functional.segments.size());
    for (std::size_t i = 0; i < timing.segments.size(); ++i) {
        INFO(timing.segments[i].name);
        CHECK(timing.segments[i].cycles == functional.segments[i].cycles);
    }
}

TEST_CASE("Rare number types have the words of the engine in a whole network on a picture that is not square", "[sim]") {
    quant::Settings settings;
    const auto rare = GENERATE(range(0, 20));
    switch (rare) {
        case 0:  // isolation: probabilities too wide to compare, multiplied instead
            settings.weight_bits = settings.activation_bits = settings.gelu_input_bits = settings.rel_pos_bits = 16;
            settings.softmax = {.scheme = quant::SoftmaxScheme::uniform, .bits = 16};
            break;
        case 1: settings.accumulator = {.bits = 14, .overflow = quant::AccumulatorOverflow::saturate, .chunk = 16}; break;
        case 2: settings.accumulator = {.bits = 13, .overflow = quant::AccumulatorOverflow::wrap, .chunk = 4}; break;
        case 3:
            settings.weight_bits = 3, settings.activation_bits = 5;
            settings.softmax = {.log_base = quant::LogBase::fourth_root_two, .scale = quant::ScaleMode::tensor, .zero_code = quant::ZeroCode::saturate};
            settings.weight_symmetric = settings.weight_per_channel = false;
            break;
        case 4:
        case 5:
            settings.weight_bits = settings.activation_bits = 4;
            settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
            settings.hluq = {.beta = 0.5, .shift_cap = 5, .aligned = rare == 5};
            settings.weight_symmetric = false;
            settings.accumulator = {.bits = 16, .overflow = quant::AccumulatorOverflow::wrap, .chunk = 7};
            break;
        case 6: settings.softmax = {.log_base = quant::LogBase::search, .bits = 5, .scale = quant::ScaleMode::tensor, .zero_code = quant::ZeroCode::escape}; break;
        case 7: settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .log_base = quant::LogBase::sqrt_two, .bits = 4}; break;
        case 8: settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .log_base = quant::LogBase::search, .bits = 3, .scale = quant::ScaleMode::tensor}; break;
        case 9: settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .form = quant::SoftmaxForm::lut, .bits = 8}; break;
        case 10:
            settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .form = quant::SoftmaxForm::bucket, .alpha = 20, .bits = 4, .scale = quant::ScaleMode::tensor};
            break;
        case 11:
            settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .form = quant::SoftmaxForm::bucket, .table_bits = 6, .bits = 5};
            settings.accumulator = {.bits = 10, .overflow = quant::AccumulatorOverflow::wrap, .chunk = 4};
            break;
        case 12:
            settings.weight_bits = settings.activation_bits = 4, settings.groups = 3, settings.group_align = 2;
            settings.group_scales = quant::GroupScales::power_of_two, settings.reparam = true;
            break;
        case 13: settings.groups = 0, settings.group_scales = quant::GroupScales::power_of_two, settings.group_rule = quant::GroupRule::kmeans; break;
        case 14:
        case 15:
            settings.nonlinear = rare == 14 ? quant::Nonlinear::ibert : quant::Nonlinear::ivit;
            settings.weight_bits = settings.activation_bits = settings.gelu_input_bits = settings.rel_pos_bits = 16;
            settings.softmax = {.scheme = quant::SoftmaxScheme::uniform, .bits = 16};
            break;
        case 16:
        case 17:
            settings.nonlinear = rare == 16 ? quant::Nonlinear::ibert : quant::Nonlinear::ivit;
            settings.weight_bits = 4, settings.activation_bits = 6, settings.gelu_input_bits = 12;
            settings.softmax = {.log_base = quant::LogBase::sqrt_two, .bits = 5, .scale = quant::ScaleMode::tensor, .exp_bits = 12};
            break;
        case 18:
            settings.nonlinear = quant::Nonlinear::ibert, settings.weight_bits = settings.activation_bits = 4;
            settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
            settings.softmax = {.scheme = quant::SoftmaxScheme::lnq, .form = quant::SoftmaxForm::lut, .bits = 4, .scale = quant::ScaleMode::one};
            break;
        default:
            settings.residual_bits = 20, settings.score_bits = 12, settings.edge_bits = 2;
            settings.softmax = {.log_base = quant::LogBase::two, .scale = quant::ScaleMode::one};
    }
    const auto config = tiny_config();
    const models::SamWorkload workload{.num_prompt_tokens = 3, .input_height = 27, .input_width = 40, .original_height = 31, .original_width = 47};
    const auto network = randomise(models::build_sam(config, workload), config, settings, 17);
    INFO("case " << rare);
    const auto is_hybrid = [](const auto& entry) { return entry.second.kind == quant::FormatKind::hybrid; };
    CHECK(std::ranges::any_of(network.quantized.plan.formats, is_hybrid) == (settings.mlp_hidden_scheme == quant::HiddenScheme::hluq));
    CHECK(differences(network, small_design()) == std::vector<std::string>{});
}

TEST_CASE("No hardware choice changes a word", "[sim]") {
    const auto config = tiny_config();
    quant::Settings settings;
    settings.weight_bits = 4, settings.activation_bits = 6, settings.groups = 0;
    settings.mlp_hidden_scheme = quant::HiddenScheme::hluq;
    const auto network = randomise(models::build_sam(config), config, settings, 5);
    const auto reference = small_design();
    std::vector<Design> designs;
    const auto vary = [&](auto change) {
        designs.push_back(reference);
        change(designs.back());
    };
    vary([](Design& d) { d.pe = {.rows = 7, .cols = 3, .depth = 11, .precision = PePrecision::fused, .zero_point = ZeroPoint::subtract}; });
    vary([](Design& d) { d.pe.shift_lanes = 3, d.pe.drain_rows = 4; });
    vary([](Design& d) { d.pe.multiplier = Multiplier::lut, d.pe.drain_rows = 1, d.packing = {}; });
    vary([](Design& d) { d.double_buffer = false, d.dram.channels = 2, d.axi.ports = 3; });
    vary([](Design& d) { d.dataflow = Dataflow::weight_stationary; });
    vary([](Design& d) {
        d.pe.weight_bits = 3, d.pe.activation_bits = 3, d.weights = WeightPlacement::resident, d.buffers.weight_kib = 64;
    });
    vary([](Design& d) { d.layer_overlap = true; });
    vary([](Design& d) { d.buffers = {.weight_kib = 3, .activation_kib = 3, .partial_sum_kib = 2, .score_kib = 4}; });
    for (const auto& design : designs) CHECK(differences(network, design) == std::vector<std::string>{});
}
