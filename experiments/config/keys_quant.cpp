// SPDX-License-Identifier: Apache-2.0
// The keys of `quant`: number types, weights, calibration, sums. Every one of them may change output bits.
#include "experiments/config/field.hpp"

#include <algorithm>

namespace prelude::experiments {

namespace {

using quant::AccumulatorOverflow;

bool has_groups(const Settings& s) {
    const auto grouped = [](const quant::LayerOverride& layer) { return layer.groups.value_or(1) != 1; };
    return is_integer(s) && (s.quant.groups != 1 || std::any_of(s.quant.layers.begin(), s.quant.layers.end(), grouped));
}
bool has_narrow_accumulator(const Settings& s) {
    return is_integer(s) && s.quant.accumulator.overflow != AccumulatorOverflow::exact;
}
bool saturates(const Settings& s) {
    return is_integer(s) && s.quant.accumulator.overflow == AccumulatorOverflow::saturate;
}
bool calibrates_on_training(const Settings& s) {
    return is_quantized(s) && !s.quant.calibration.on_evaluated_images;
}

const Condition kGroups = {"quant.groups is not 1 and quant.mode is clean", has_groups};
const Condition kTrainingImages = {"quant.calibration.on_evaluated_images is false", calibrates_on_training};

constexpr std::string_view kWidths = "a code has 2 to 8 bits, or 16 to study what the datapath alone costs; docs/numerics.md section 1";
const std::vector<IntegerRange> kPowersOfTwo = {{1, 1}, {2, 2}, {4, 4}, {8, 8}, {16, 16}, {32, 32}, {64, 64}, {128, 128}, {256, 256}, {512, 512}, {1024, 1024}};
constexpr std::int64_t kMaxSeed = std::numeric_limits<std::int64_t>::max();

void declare_method_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "quant.method",
                          .domain = Domain::choice({{"custom", 0},
                                                    {"fp32", 1},
                                                    {"rtn", 2},
                                                    {"ptq4sam", 3},
                                                    {"ahcptq", 4},
                                                    {"ahcq_sam", 5},
                                                    {"repq", 6},
                                                    {"dfq_sam", 7},
                                                    {"ours", 8}}),
                          .sentence = "A set of defaults for the other quant keys; keys written in the file or on an axis override it.",
                          .source = "docs/keys.md, methods",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.quant.method; }));
    keys.push_back(field({.path = "quant.mode",
                          .domain = Domain::choice({{"clean", 0}, {"compat", 1}}),
                          .sentence = "clean: what fits in hardware; compat: the published reference code with its deviations, before training (accuracy only).",
                          .because = "compat is fake quantization in float: the hardware cells of its rows stay empty",
                          .source = "quant/compat",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.mode; }));
    keys.push_back(field({.path = "quant.datatype",
                          .domain = Domain::choice({{"int", 0}, {"fp16", 1}, {"fp32", 2}}),
                          .sentence = "What the datapath computes with: integers, or binary16 or binary32 numbers with sums in binary32.",
                          .because = "the floating-point baseline: the same datapath with other elements, nothing is quantized or calibrated",
                          .source = "docs/numerics.md section 9",
                          .affects = Affects::numeric},
                         [](auto& s) -> auto& { return s.quant.datatype; }));
    keys.push_back(field({.path = "quant.float.k_block",
                          .domain = Domain::integers(kPowersOfTwo),
                          .unit = "products",
                          .sentence = "Products that meet in a balanced tree before they join the running sum: the order of floating-point sums.",
                          .because = "k_block / hw.pe.depth cycles a block should be no fewer than an addition takes (8), or the running sum holds the array",
                          .source = "docs/numerics.md section 9; sim/mapping/float_timing.hpp",
                          .affects = Affects::numeric,
                          .effective = kFloating},
                         [](auto& s) -> auto& { return s.quant.floating.k_block; }));
}

void declare_width_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "quant.weight_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}),
                          .unit = "bits per weight code",
                          .sentence = "Width of the weight codes; patch embedding and decoder keep quant.edge_bits when that is more.",
                          .because = kWidths,
                          .source = "docs/numerics.md section 1",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.weight_bits; }));
    keys.push_back(field({.path = "quant.activation_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}),
                          .unit = "bits per activation code",
                          .sentence = "Width of the activation codes entering contractions.",
                          .because = kWidths,
                          .source = "docs/numerics.md section 1",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.activation_bits; }));
    keys.push_back(
        field({.path = "quant.groups",
               .domain = Domain::integers({{0, 1024}}),
               .unit = "groups",
               .sentence = "Channel groups with a scale of their own, for activations entering qkv, lin1 and the decoder's "
                           "q, k, v and lin1; 1: per tensor, 0: per channel.",
               .because = "every group flushes its partial sum; a count above a layer's channels is refused with the layers named",
               .source = "AHCPTQ, channel-aware grouping; docs/numerics.md section 2",
               .affects = Affects::numeric,
               .effective = kQuantized},
              [](auto& s) -> auto& { return s.quant.groups; }));
    keys.push_back(field({.path = "quant.group_rule",
                          .domain = Domain::choice({{"noise", 0}, {"kmeans", 1}, {"kmeans_raw", 2}}),
                          .sentence = "Which channels share a scale: those that together have the least quantization noise; clusters of normalised "
                                      "(scale, zero point); or clusters of them as they are, in the published stages 8 G, 4 G, 2 G, G.",
                          .because = "unnormalised, the zero point of 0..2^bits - 1 outweighs any scale",
                          .source = "AHCPTQ, channel-aware grouping; quant/calibration/grouping.hpp",
                          .affects = Affects::numeric,
                          .effective = kGroups},
                         [](auto& s) -> auto& { return s.quant.group_rule; }));
    keys.push_back(field({.path = "quant.group_align",
                          .domain = Domain::integers({{1, 1024}}),
                          .unit = "channels",
                          .sentence = "Group sizes are multiples of this, so that no lane of the array idles at a group's end; what is left over joins the last group.",
                          .source = "quant/calibration/grouping.hpp",
                          .affects = Affects::numeric,
                          .effective = kGroups},
                         [](auto& s) -> auto& { return s.quant.group_align; }));
    keys.push_back(field({.path = "quant.group_scales",
                          .domain = Domain::choice({{"free", 0}, {"power_of_two", 1}}),
                          .sentence = "Scales of groups as they are, or at powers of two from each other: shifts instead of a multiplication and a flush per group.",
                          .because = "at most 6 bits apart",
                          .source = "docs/numerics.md section 2; after FQ-ViT's power-of-two factors",
                          .affects = Affects::numeric,
                          .effective = kGroups},
                         [](auto& s) -> auto& { return s.quant.group_scales; }));
    keys.push_back(field({.path = "quant.edge_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}),
                          .unit = "bits",
                          .sentence = "Least width of patch embedding, mask-decoder weights and the decoder's tail.",
                          .because = "4-bit weights there cost 5 dB on the masks",
                          .source = "docs/numerics.md section 5",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.edge_bits; }));
    keys.push_back(field({.path = "quant.decoder_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}, {{"none", 0}}),
                          .unit = "bits",
                          .sentence = "Least width of weights and activations of prompt encoder and mask decoder.",
                          .because = "methods that quantize the image encoder alone leave the decoder to wide codes",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.decoder_bits; }));
    keys.push_back(
        field({.path = "quant.gelu_input_bits",
               .domain = Domain::integers({{2, 12}, {16, 16}}, {{"auto", 0}}),
               .unit = "bits",
               .sentence = "Width of the code entering GELU; auto: 8, 10 where its output codes have 7 or 8 bits, 16 where more.",
               .because = "up to 12 bits are one table, 16 bits 256 linear segments",
               .source = "docs/numerics.md section 5",
               .affects = Affects::numeric,
               .effective = kInteger},
              [](auto& s) -> auto& { return s.quant.gelu_input_bits; }));
    keys.push_back(field({.path = "quant.residual_bits",
                          .domain = Domain::integers({{8, 20}}),
                          .unit = "bits",
                          .sentence = "Width of the residual stream, fixed point on a power-of-two grid per tensor.",
                          .because = "LayerNorm's exact sums are sized for 20 bits; the most sensitive width of all (8 bits: -49 dB)",
                          .source = "docs/numerics.md section 5",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.residual_bits; }));
    keys.push_back(field({.path = "quant.score_bits",
                          .domain = Domain::integers({{8, 16}}),
                          .unit = "bits",
                          .sentence = "Width of the attention scores on their common grid.",
                          .source = "docs/numerics.md section 4",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.score_bits; }));
    keys.push_back(field({.path = "quant.rel_pos_bits",
                          .domain = Domain::integers({{2, 8}, {16, 16}}),
                          .unit = "bits",
                          .sentence = "Width of the relative-position tables, per block and axis.",
                          .because = kWidths,
                          .source = "docs/numerics.md section 4",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.rel_pos_bits; }));
    keys.push_back(field({.path = "quant.layers",
                          .domain = Domain::layers(),
                          .sentence = "Overrides by node name (glob); the last entry that matches wins.",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.layers; }));
}

void declare_weight_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "quant.weight_rounding",
                          .domain = Domain::choice({{"nearest", 0}, {"gptq", 1}, {"least_squares", 2}}),
                          .sentence = "How weights become codes: each to its nearest; with feedback of errors, so that outputs stay; or so that outputs "
                                      "stay what the float inputs gave.",
                          .because = "no gradients: sampled inputs of calibration and one factorisation per layer",
                          .source = "quant/calibration/rounding.hpp",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.weight_rounding; }));
    keys.push_back(field({.path = "quant.weight_range",
                          .domain = Domain::choice({{"extremes", 0}, {"mse", 1}, {"mse_grid", 2}, {"percentile", 3}}),
                          .sentence = "What a weight scale covers: the extremes; the share of them whose codes have the smallest squared error; the published "
                                      "search over 100 widths (and zero points) by |error|^2.4; or the best of three central percentiles.",
                          .source = "quant/calibration/weights.hpp",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.weight_range; }));
    keys.push_back(field({.path = "quant.weight_symmetric",
                          .domain = Domain::boolean(),
                          .sentence = "Weight codes without a zero point: +-(2^(bits-1) - 1).",
                          .source = "docs/numerics.md section 1",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.weight_symmetric; }));
    keys.push_back(field({.path = "quant.weight_granularity",
                          .domain = Domain::choice({{"channel", 1}, {"tensor", 0}}),
                          .sentence = "Weight scales per output channel or per tensor.",
                          .source = "docs/numerics.md section 1",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.weight_per_channel; }));
    keys.push_back(field({.path = "quant.acnr",
                          .domain = Domain::boolean(),
                          .sentence = "Activation-aware reduction of the weights' condition number before they are rounded (AHCQ-SAM).",
                          .because = "it changes what a layer computes: published with reconstruction after it, of which least_squares is the gradient-free form",
                          .source = "quant/calibration/condition_number.hpp",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.acnr; }));
    keys.push_back(field({.path = "quant.big",
                          .domain = Domain::boolean(),
                          .sentence = "Bimodal integration: the signs of bimodal keys of the decoder's token-to-image attention go into the projections (PTQ4SAM).",
                          .source = "quant/calibration/bimodal.hpp",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.big; }));
    keys.push_back(field({.path = "quant.smooth",
                          .domain = Domain::reals(0, 1, {{"false", kUnset}}),
                          .unit = "exponent",
                          .sentence = "How much of the spread of the encoder norms' channels moves into the weights that read them (SmoothQuant).",
                          .source = "quant/calibration/transforms.hpp",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.smooth; }));
    keys.push_back(field({.path = "quant.reparam",
                          .domain = Domain::boolean(),
                          .sentence = "Scale reparameterization: the outputs of the encoder's norms get one scale and zero point, what channels differ by goes into "
                                      "the norm and the weights that read it (RepQ-ViT). Padding of windows follows.",
                          .because = "published code pads windows with 0, which is another value then",
                          .source = "quant/calibration/transforms.hpp",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.reparam; }));
}

void declare_calibration_keys(std::vector<Key>& keys) {
    keys.push_back(
        field({.path = "quant.calibration.observer",
               .domain = Domain::choice({{"min_max", 0}, {"moving_average", 1}, {"mse", 2}, {"percentile", 3}, {"mse_grid", 4}, {"mse_bounded", 5}}),
               .sentence = "How ranges of codes are taken from calibration data: extremes, their mean over images, or by a search over a sample: one "
                           "factor of both ends, percentiles, widths and zero points on a grid, or both by bounded minimisation.",
               .source = "quant/calibration/code_range.hpp",
               .affects = Affects::numeric,
               .effective = kInteger},
              [](auto& s) -> auto& { return s.quant.calibration.observer; }));
    keys.push_back(field({.path = "quant.calibration.num_images",
                          .domain = Domain::integers({{1, 4096}}),
                          .unit = "images",
                          .sentence = "Images of the training split that calibration sees.",
                          .affects = Affects::numeric,
                          .effective = kTrainingImages},
                         [](auto& s) -> auto& { return s.quant.calibration.num_images; }));
    keys.push_back(field({.path = "quant.calibration.seed",
                          .domain = Domain::integers({{0, kMaxSeed}}),
                          .sentence = "Seed of the choice of calibration images and prompts.",
                          .affects = Affects::numeric,
                          .effective = kTrainingImages},
                         [](auto& s) -> auto& { return s.quant.calibration.seed; }));
    keys.push_back(field({.path = "quant.calibration.margin",
                          .domain = Domain::reals(1, 16),
                          .unit = "factor",
                          .sentence = "Observed ranges are widened by this factor.",
                          .because = "min-max ranges saturate on unseen images: a margin of 2 recovers over 30 dB at 16 bits",
                          .source = "docs/numerics.md section 9",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.calibration.margin; }));
    keys.push_back(field({.path = "quant.calibration.on_evaluated_images",
                          .domain = Domain::boolean(),
                          .sentence = "Calibrates on the images that are evaluated: for isolation studies, never for a reported accuracy.",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.calibration.on_evaluated_images; }));
}

void declare_sum_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "quant.accumulator.overflow",
                          .domain = Domain::choice({{"exact", 0}, {"wrap", 1}, {"saturate", 2}}),
                          .sentence = "exact: as wide as the operands ask for; wrap, saturate: studies of narrower accumulators.",
                          .source = "docs/numerics.md section 2",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.accumulator.overflow; }));
    keys.push_back(field({.path = "quant.accumulator.bits",
                          .domain = Domain::integers({{8, 63}}),
                          .unit = "bits",
                          .sentence = "Width of the accumulator studied.",
                          .because = "sums are held in 64-bit words",
                          .affects = Affects::numeric,
                          .effective = {"quant.accumulator.overflow is wrap or saturate", has_narrow_accumulator}},
                         [](auto& s) -> auto& { return s.quant.accumulator.bits; }));
    keys.push_back(field({.path = "quant.accumulator.chunk",
                          .domain = Domain::integers({{1, 65536}}),
                          .unit = "products",
                          .sentence = "A saturating accumulator clamps after so many products, in k order.",
                          .affects = Affects::numeric,
                          .effective = {"quant.accumulator.overflow is saturate", saturates}},
                         [](auto& s) -> auto& { return s.quant.accumulator.chunk; }));
    keys.push_back(field({.path = "quant.rescale.term_bits",
                          .domain = Domain::integers({{4, 16}}),
                          .unit = "bits",
                          .sentence = "Width of the constant m_t of every term (group, residue) of a contraction.",
                          .source = "docs/numerics.md section 2",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.rescale.term_bits; }));
    keys.push_back(field({.path = "quant.rescale.operand_bits",
                          .domain = Domain::integers({{16, 40}}),
                          .unit = "bits",
                          .sentence = "Width of the accumulator operand of the output multiplication.",
                          .because = "32 loses nothing even at 16-bit codes, 24 costs 0.1 dB",
                          .source = "docs/numerics.md section 2",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.rescale.operand_bits; }));
}

}  // namespace

void declare_quant_keys(std::vector<Key>& keys) {
    declare_method_keys(keys);
    declare_width_keys(keys);
    declare_weight_keys(keys);
    declare_calibration_keys(keys);
    declare_sum_keys(keys);
    declare_code_keys(keys);
}

}  // namespace prelude::experiments
