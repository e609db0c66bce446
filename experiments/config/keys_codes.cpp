// SPDX-License-Identifier: Apache-2.0
// The keys of `quant` that say what probabilities and hidden layers are coded with, and how nonlinear functions are computed.
#include "experiments/config/field.hpp"

namespace prelude::experiments {

namespace {

using quant::SoftmaxScheme;

bool has_log_codes(const Settings& s) {
    return is_quantized(s) && s.quant.softmax.scheme == SoftmaxScheme::log;
}
bool shifts_log_codes(const Settings& s) {
    return is_integer(s) && has_log_codes(s);
}
bool is_companded(const Settings& s) {
    return is_integer(s) && s.quant.softmax.scheme == SoftmaxScheme::lnq;
}
bool compands_by_powers(const Settings& s) {
    return is_companded(s) && s.quant.softmax.form == quant::SoftmaxForm::shift;
}
bool has_power_codes(const Settings& s) {
    return has_log_codes(s) || compands_by_powers(s);
}
bool shifts_power_codes(const Settings& s) {
    return shifts_log_codes(s) || compands_by_powers(s);
}
bool has_code_table(const Settings& s) {
    return is_companded(s) && s.quant.softmax.form != quant::SoftmaxForm::shift;
}
bool has_open_companding(const Settings& s) {
    return has_code_table(s) || (s.quant.is_fake_quantized() && s.quant.softmax.scheme == SoftmaxScheme::lnq);
}
bool has_hybrid_codes(const Settings& s) {
    return is_quantized(s) && s.quant.mlp_hidden_scheme != quant::HiddenScheme::uniform;
}
bool shifts_hybrid_codes(const Settings& s) {
    return is_integer(s) && has_hybrid_codes(s);
}

const Condition kIntegerLog = {"quant.softmax.scheme is log and quant.mode is clean", shifts_log_codes};
const Condition kCompanded = {"quant.softmax.scheme is lnq and quant.mode is clean", is_companded};
const Condition kPowers = {"quant.softmax.scheme is log, or lnq of form shift while quant.mode is clean", has_power_codes};
const Condition kIntegerPowers = {"quant.softmax.scheme is log, or lnq of form shift, and quant.mode is clean", shifts_power_codes};
const Condition kTable = {"quant.softmax.scheme is lnq of form lut or bucket and quant.mode is clean", has_code_table};
const Condition kOpenCompanding = {"quant.softmax.scheme is lnq of form lut or bucket, or of quant.mode compat", has_open_companding};
const Condition kHybrid = {"quant.mlp_hidden_scheme is hluq or search", has_hybrid_codes};
const Condition kIntegerHybrid = {"quant.mlp_hidden_scheme is hluq or search and quant.mode is clean", shifts_hybrid_codes};

void declare_nonlinear_keys(std::vector<Key>& keys) {
    keys.push_back(
        field({.path = "quant.softmax.scheme",
               .domain = Domain::choice({{"uniform", 0}, {"log", 1}, {"lnq", 2}}),
               .sentence = "Codes of the attention probabilities: equal steps, powers of a base (shift-add instead of multiply), or companded "
                           "steps, fine near 0 and with a 0 of their own.",
               .source = "PTQ4SAM, AHCQ-SAM (lnq); docs/numerics.md sections 3 and 4",
               .affects = Affects::numeric,
               .effective = kQuantized},
              [](auto& s) -> auto& { return s.quant.softmax.scheme; }));
    keys.push_back(field(
        {.path = "quant.softmax.log_base",
         .domain = Domain::choice({{"2", 0}, {"sqrt2", 1, true, {"2^0.5", "2^(1/2)"}}, {"2^(1/4)", 2, true, {"2^0.25"}}, {"search", 3}}),
         .sentence = "Base of the log codes or of the powers of companded ones, 2^(1/tau) with tau 1, 2 or 4; search: for each attention the one "
                     "that keeps its product with V best on calibration pictures.",
         .because = "the array shifts by powers of two; tau residues of the exponent are sums of their own",
         .source = "PTQ4SAM, adaptive granularity quantization; docs/numerics.md section 3",
         .affects = Affects::numeric,
         .effective = kPowers},
        [](auto& s) -> auto& { return s.quant.softmax.log_base; }));
    keys.push_back(
        field({.path = "quant.softmax.bits",
               .domain = Domain::integers({{2, 8}, {16, 16}}, {{"activation_bits", kUnset}}),
               .unit = "bits",
               .sentence = "Width of the softmax codes; activation_bits: follows that key, log codes up to their useful maximum.",
               .because = "a log code beyond ceil(log2(shift_cap*tau + tau + 1)) bits has values that never occur",
               .source = "docs/numerics.md section 3",
               .affects = Affects::numeric,
               .effective = kQuantized},
              [](auto& s) -> auto& { return s.quant.softmax.bits; }));
    keys.push_back(field({.path = "quant.softmax.form",
                          .domain = Domain::choice({{"shift", 0}, {"lut", 1}, {"bucket", 2}}),
                          .sentence = "How the array multiplies by a companded code: powers less one (the strength of companding follows from base and width), "
                                      "a table of factors, or one sum per code, each times its factor (codes up to 5 bits; the bits of lut).",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kCompanded},
                         [](auto& s) -> auto& { return s.quant.softmax.form; }));
    keys.push_back(field({.path = "quant.softmax.alpha",
                          .domain = Domain::reals(0.001, 32767, {{"search", kUnset}}),
                          .unit = "1 / probability",
                          .sentence = "Strength of the companding; search: the published candidates, judged by the product with V.",
                          .because = "towards 0 steps are equal, towards infinity powers",
                          .source = "AHCQ-SAM (LNQ); quant/calibration/probability_search.hpp",
                          .affects = Affects::numeric,
                          .effective = kOpenCompanding},
                         [](auto& s) -> auto& { return s.quant.softmax.alpha; }));
    keys.push_back(field({.path = "quant.softmax.table_bits",
                          .domain = Domain::integers({{4, 12}}, {{"auto", 0}}),
                          .unit = "bits",
                          .sentence = "Width of the factor that a companded code stands for; auto: four bits more than the code.",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kTable},
                         [](auto& s) -> auto& { return s.quant.softmax.table_bits; }));
    keys.push_back(field({.path = "quant.softmax.shift_cap",
                          .domain = Domain::integers({{1, 20}}),
                          .unit = "positions",
                          .sentence = "Largest shift of a log code; smaller probabilities encode as zero. Companded powers have as many codes as it allows.",
                          .because = "every position widens the accumulator by a bit",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kIntegerPowers},
                         [](auto& s) -> auto& { return s.quant.softmax.shift_cap; }));
    keys.push_back(field({.path = "quant.softmax.scale",
                          .domain = Domain::choice({{"row", 0}, {"tensor", 1}, {"one", 2}}),
                          .sentence = "What a code is relative to: the row's largest probability, one scale searched on calibration pictures, or 1.",
                          .because = "row keeps flat rows: 4 to 11 dB over tensor at 4-bit codes",
                          .source = "docs/numerics.md section 4",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.softmax.scale; }));
    keys.push_back(field({.path = "quant.softmax.exp_bits",
                          .domain = Domain::integers({{8, 24}}, {{"auto", 0}}),
                          .unit = "bits",
                          .sentence = "Width of the exponential; auto: 16 for codes up to 8 bits, else 20.",
                          .source = "docs/numerics.md section 4",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.softmax.exp_bits; }));
    keys.push_back(field({.path = "quant.softmax.zero_code",
                          .domain = Domain::choice({{"reuse_top", 0}, {"saturate", 1}, {"escape", 2}}),
                          .sentence = "How a log code says zero: the top code means it; nothing does and the smallest power stands in; or a further "
                                      "code does, as in the published quantizers, for which words are a bit wider.",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kIntegerLog},
                         [](auto& s) -> auto& { return s.quant.softmax.zero_code; }));
    keys.push_back({.path = "quant.softmax.order",
                    .domain = Domain::choice({{"exact", 0}, later("online(tile)")}),
                    .sentence = "exact: final row maximum and exact sum; on-line softmax gives other bits.",
                    .affects = Affects::numeric,
                    .effective = kInteger,
                    .fixed = "exact"});
    keys.push_back(field({.path = "quant.nonlinear",
                          .domain = Domain::choice({{"table", 0}, {"ibert", 1}, {"ivit", 2}}),
                          .sentence = "Integer forms of softmax's exponential, LayerNorm's root and GELU: tables, or the published formulas of I-BERT "
                                      "(polynomials, division) or I-ViT (shifts, division).",
                          .because = "log codes in row scale take no exponential: with them the key changes norms and GELU alone; GELU stays one table, "
                                     "which holds what the formula gives",
                          .source = "I-BERT, I-ViT; docs/numerics.md sections 4 and 5",
                          .affects = Affects::numeric,
                          .effective = kInteger},
                         [](auto& s) -> auto& { return s.quant.nonlinear; }));
}

void declare_hybrid_keys(std::vector<Key>& keys) {
    keys.push_back(field({.path = "quant.mlp_hidden_scheme",
                          .domain = Domain::choice({{"uniform", 0}, {"hluq", 1}, {"search", 2}}),
                          .sentence = "Codes entering lin2, of encoder and decoder: equal steps, the hybrid log-uniform code (16-bit codes stay uniform), or for "
                                      "each layer the one that keeps its output better on calibration pictures.",
                          .because = "hluq helps at 4 bits and below; at 6 and more its coarse top costs more than its fine bottom gains",
                          .source = "AHCQ-SAM, hybrid log-uniform quantization; docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kQuantized},
                         [](auto& s) -> auto& { return s.quant.mlp_hidden_scheme; }));
    keys.push_back(field({.path = "quant.hluq.variant",
                          .domain = Domain::choice({{"intended", 0}, {"reference", 1}}),
                          .sentence = "The code as the paper means it, or as the published code computes it (reference: quant.mode compat alone).",
                          .because = "the published code lets values above its number of logarithmic codes fall to the lowest uniform step",
                          .source = "quant/fake/nonlinear.hpp",
                          .affects = Affects::numeric,
                          .effective = kHybrid},
                         [](auto& s) -> auto& { return s.quant.hluq.variant; }));
    keys.push_back(field({.path = "quant.hluq.alpha",
                          .domain = Domain::reals(0.01, 0.99, {{"search", kUnset}}),
                          .unit = "fraction of the range",
                          .sentence = "Share of the range below the largest power of two; search: the published candidates, judged by the output of lin2.",
                          .source = "quant/calibration/hybrid_search.hpp",
                          .affects = Affects::numeric,
                          .effective = kHybrid},
                         [](auto& s) -> auto& { return s.quant.hluq.alpha; }));
    keys.push_back(field({.path = "quant.hluq.beta",
                          .domain = Domain::reals(0.125, 0.5, {{"search", kUnset}}),
                          .unit = "fraction of the codes",
                          .sentence = "Share of the codes that are powers of two, at least one code.",
                          .source = "quant/calibration/hybrid_search.hpp",
                          .affects = Affects::numeric,
                          .effective = kHybrid},
                         [](auto& s) -> auto& { return s.quant.hluq.beta; }));
    keys.push_back(field({.path = "quant.hluq.shift_cap",
                          .domain = Domain::integers({{1, 15}}),
                          .unit = "positions",
                          .sentence = "Largest shift of the powers; smaller values encode as zero.",
                          .because = "every position widens the accumulator by a bit",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kIntegerHybrid},
                         [](auto& s) -> auto& { return s.quant.hluq.shift_cap; }));
    keys.push_back(field({.path = "quant.hluq.aligned",
                          .domain = Domain::boolean(),
                          .sentence = "Rounds the uniform step to a power of two of the smallest power: one sum and one wider product instead of two sums.",
                          .source = "docs/numerics.md section 3",
                          .affects = Affects::numeric,
                          .effective = kIntegerHybrid},
                         [](auto& s) -> auto& { return s.quant.hluq.aligned; }));
}

}  // namespace

void declare_code_keys(std::vector<Key>& keys) {
    declare_nonlinear_keys(keys);
    declare_hybrid_keys(keys);
}

}  // namespace prelude::experiments
