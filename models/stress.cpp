// SPDX-License-Identifier: Apache-2.0
#include "models/stress.hpp"

#include <fmt/format.h>

#include <Eigen/QR>
#include <cmath>
#include <map>

#include "models/data/random.hpp"

namespace prelude::models {

namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using FloatRows = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr std::int64_t kTailDirections = 2, kUnitsOfDirection = 4;

/// A checkpoint whose tensors may be changed.
class Workbench {
  public:
    Workbench(const SamConfig& config, const Weights& weights, const StressSettings& settings)
        : config_(config), settings_(settings), random_(settings.seed), file_(weights.file()) {
        for (const auto& [name, shape] : expected_tensors(config)) {
            const auto view = weights.tensor(name);
            tensors_.emplace(name, Tensor(shape, {view.values.begin(), view.values.end()}));
        }
    }

    void add_tails() {
        for (std::int64_t block = 0; block < config_.depth; ++block) add_tails(fmt::format("image_encoder.blocks.{}.", block));
        config_.mlp_width += added_mlp_width(settings_);
    }

    void condition_values() {
        for (std::int64_t block = 0; block < config_.depth; ++block) {
            const auto prefix = fmt::format("image_encoder.blocks.{}.attn.", block);
            auto qkv = rows(prefix + "qkv.weight"), offsets = column(prefix + "qkv.bias"), out = rows(prefix + "proj.weight");
            const auto width = config_.width, head = config_.head_width();
            for (std::int64_t h = 0; h < config_.num_heads; ++h) {
                const auto [a, inverse] = ill_conditioned(head);
                const auto at = 2 * width + h * head;
                qkv.middleRows(at, head) = (a * qkv.middleRows(at, head).cast<double>()).cast<float>().eval();
                offsets.middleRows(at, head) = (a * offsets.middleRows(at, head).cast<double>()).cast<float>().eval();
                out.middleCols(h * head, head) = (out.middleCols(h * head, head).cast<double>() * inverse).cast<float>().eval();
            }
        }
    }

    void spread_channels() {
        for (std::int64_t block = 0; block < config_.depth; ++block) {
            const auto prefix = fmt::format("image_encoder.blocks.{}.", block);
            spread(prefix + "norm1", prefix + "attn.qkv.weight");
            spread(prefix + "norm2", prefix + "mlp.lin1.weight");
        }
    }

    void split_keys() {
        for (std::int64_t layer = 0; layer < config_.decoder_depth; ++layer) {
            split(fmt::format("mask_decoder.transformer.layers.{}.cross_attn_token_to_image.k_proj.", layer));
        }
        split("mask_decoder.transformer.final_attn_token_to_image.k_proj.");
    }

    StressedModel take() {
        Weights weights(file_ + " under stress");
        for (auto& [name, tensor] : tensors_) weights.insert(name, std::move(tensor));
        return {config_, std::move(weights)};
    }

  private:
    FloatRows rows(const std::string& name) {
        auto& tensor = tensors_.at(name);
        return {tensor.data(), tensor.shape()[0], tensor.num_elements() / tensor.shape()[0]};
    }
    FloatRows column(const std::string& name) {
        auto& tensor = tensors_.at(name);
        return {tensor.data(), tensor.num_elements(), 1};
    }

    void spread(const std::string& norm, const std::string& reader) {
        auto gain = column(norm + ".weight"), offset = column(norm + ".bias"), weight = rows(reader);
        for (std::int64_t c = 0; c < config_.width; ++c) {
            const auto factor = static_cast<float>(power(settings_.channel_spread, random_.uniform(-0.5, 0.5)));
            gain.row(c) *= factor;
            offset.row(c) *= factor;
            weight.col(c) /= factor;
        }
    }

    void split(const std::string& projection) {
        const auto weight = rows(projection + "weight");
        auto offset = column(projection + "bias");
        double deviation = 0;  // of a key channel whose inputs have deviation 1
        for (std::int64_t c = 0; c < weight.rows(); ++c) deviation += weight.row(c).cast<double>().norm() / static_cast<double>(weight.rows());
        for (std::int64_t c = 0; c < weight.rows(); ++c) {
            offset(c, 0) += static_cast<float>((random_.chance(0.5) ? 1 : -1) * settings_.bimodal * deviation);
        }
    }

    Matrix orthogonal(std::int64_t size) {
        Matrix normal(size, size);
        for (std::int64_t i = 0; i < normal.size(); ++i) normal.data()[i] = random_.normal();
        return Eigen::HouseholderQR<Matrix>(normal).householderQ();
    }
    /// A matrix whose singular values are even in the logarithm, and its inverse.
    std::pair<Matrix, Matrix> ill_conditioned(std::int64_t size) {
        const Matrix left = orthogonal(size), right = orthogonal(size);
        Eigen::VectorXd sigma(size);
        for (std::int64_t i = 0; i < size; ++i) sigma[i] = power(settings_.condition, size > 1 ? static_cast<double>(i) / static_cast<double>(size - 1) - 0.5 : 0.0);
        return {left * sigma.asDiagonal() * right, right.transpose() * sigma.cwiseInverse().asDiagonal() * left.transpose()};
    }

    /// Per direction u, hidden units t u, -t u, u t/2, -u t/2 with output columns c, -c, -2c, 2c: they add up to nothing.
    void add_tails(const std::string& prefix) {
        const auto gain = column(prefix + "norm2.weight");
        const auto in = rows(prefix + "mlp.lin1.weight"), out = rows(prefix + "mlp.lin2.weight");
        const auto bias = column(prefix + "mlp.lin1.bias");
        const auto width = config_.width, hidden = config_.mlp_width, extra = kTailDirections * kUnitsOfDirection;
        const double reach = settings_.gelu_tail / std::sqrt(gain.cast<double>().squaredNorm() / static_cast<double>(width));
        const double column_norm = out.cast<double>().norm() / std::sqrt(static_cast<double>(hidden)) / std::max(1.0, settings_.gelu_tail);
        Tensor wide_in({hidden + extra, width}), wide_bias({hidden + extra}), wide_out({width, hidden + extra});
        FloatRows new_in(wide_in.data(), hidden + extra, width), new_bias(wide_bias.data(), hidden + extra, 1), new_out(wide_out.data(), width, hidden + extra);
        new_in.topRows(hidden) = in;
        new_bias.topRows(hidden) = bias;
        new_bias.bottomRows(extra).setZero();
        new_out.leftCols(hidden) = out;
        for (std::int64_t direction = 0; direction < kTailDirections; ++direction) {
            const Eigen::VectorXd u = unit(width), c = column_norm * unit(width);
            constexpr double kReach[] = {1, -1, 0.5, -0.5}, kColumn[] = {1, -1, -2, 2};
            for (std::int64_t i = 0; i < kUnitsOfDirection; ++i) {
                const auto at = hidden + direction * kUnitsOfDirection + i;
                new_in.row(at) = (reach * kReach[i] * u).cast<float>();
                new_out.col(at) = (kColumn[i] * c).cast<float>();
            }
        }
        tensors_.at(prefix + "mlp.lin1.weight") = std::move(wide_in);
        tensors_.at(prefix + "mlp.lin1.bias") = std::move(wide_bias);
        tensors_.at(prefix + "mlp.lin2.weight") = std::move(wide_out);
    }

    Eigen::VectorXd unit(std::int64_t size) {
        Eigen::VectorXd vector(size);
        for (auto& v : vector) v = random_.normal();
        return vector.normalized();
    }

    SamConfig config_;
    const StressSettings& settings_;
    Random random_;
    std::string file_;
    std::map<std::string, Tensor> tensors_;
};

}  // namespace

bool changes_weights(const StressSettings& settings) noexcept {
    return settings != StressSettings{.seed = settings.seed};
}

std::int64_t added_mlp_width(const StressSettings& settings) noexcept {
    return settings.gelu_tail > 0 ? kTailDirections * kUnitsOfDirection : 0;
}

StressedModel stress(const SamConfig& config, const Weights& weights, const StressSettings& settings) {
    check(settings.channel_spread >= 1 && settings.condition >= 1 && settings.bimodal >= 0 && settings.gelu_tail >= 0, "stress: a strength out of range");
    Workbench bench(config, weights, settings);
    if (settings.gelu_tail > 0) bench.add_tails();
    if (settings.condition > 1) bench.condition_values();
    if (settings.channel_spread > 1) bench.spread_channels();
    if (settings.bimodal > 0) bench.split_keys();
    return bench.take();
}

}  // namespace prelude::models
