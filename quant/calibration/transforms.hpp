// SPDX-License-Identifier: Apache-2.0
#pragma once

// Changes of float weights that leave the float outputs as they are and make them easier to quantize. What calibration saw is changed
// along, exactly, so no picture is walked again.

#include "models/checkpoint/weights.hpp"
#include "quant/calibration/observer.hpp"
#include "quant/format_plan.hpp"

namespace prelude::quant {

/// The model as it is quantized: weights, what was seen of its values, and what windows are padded with.
struct Observed {
    models::Weights weights;
    Ranges ranges;
    std::map<std::string, std::vector<double>, std::less<>> padding{};  ///< by name of a partition's output, per channel; 0 where none is given
};

/// Names of the keys that the decoder's token-to-image attention matches: what fold_bimodal_keys() judges by sampled rows.
[[nodiscard]] std::vector<std::string> token_to_image_keys(const models::Graph& graph);

/// Bimodal integration (quant/calibration/bimodal.hpp): keys with exactly two peaks get the sign of each channel's mean folded into key and
/// query projection.
///
/// Returns   names of the folded keys
/// Differs   judged on all sampled rows; the public code looks at the first prompt of the first picture
/// Throws    SettingsError when calibration kept no rows of the keys
std::vector<std::string> fold_bimodal_keys(const models::Graph& graph, Observed& observed);

/// Scale reparameterization: what the channels of an encoder norm's output need as scale s_c and zero point z_c goes into norm and weights, so that
/// all channels fill the codes of one scale s' = mean s_c and one zero point z' = RNE(mean z_c).
///
/// Meaning   r = s_c / s', b = s' (z' - z_c): gamma <- gamma / r, beta <- beta / r - b, W[:, c] <- W[:, c] r, bias <- bias + W b (W the new one);
///           tokens that pad a window, 0 before, become -b
/// Limits    norms that anything but linear layers with a bias reads stay as they are
/// Source    RepQ-ViT, DFQ-SAM
/// Differs   the published code pads with 0 after the norm was changed, and leaves z' unrounded
void reparameterise_norms(const models::Graph& graph, const Settings& settings, const FormatPlan& plan, Observed& observed);

/// SmoothQuant: channel c of each encoder norm is divided by f_c = max|x_c|^a / max|w_c|^(1-a) and the weights that read it multiplied.
/// Padding of windows is 0 before and after. a = `strength` in 0..1: how much of the activations' spread moves into the weights.
///
/// Limits    norms that anything but linear layers reads stay as they are
/// Source    Xiao, SmoothQuant
void smooth_norms(const models::Graph& graph, double strength, Observed& observed);

}  // namespace prelude::quant
