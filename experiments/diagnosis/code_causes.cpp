// SPDX-License-Identifier: Apache-2.0
#include "experiments/diagnosis/code_causes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "quant/arithmetic/dot.hpp"

namespace prelude::experiments {

namespace {

/// One contraction as sums over codes: of every output, the right operands that meet each code.
class CodedSums {
  public:
    explicit CodedSums(const NodeTrial& trial) {
        const auto& left = trial.inputs().front();
        left_ = &left;
        depth_ = static_cast<std::size_t>(left.shape().back());
        if (const auto* form = std::get_if<quant::Contraction>(&trial.operation())) {
            code_ = &form->code, terms_ = &form->terms;
            right_ = form->weights;
            outputs_ = static_cast<std::size_t>(form->num_outputs);
            rows_per_batch_ = static_cast<std::size_t>(left.num_elements()) / depth_;
        } else {
            const auto& product = std::get<quant::Product>(trial.operation());
            code_ = &product.code, terms_ = &product.terms;
            const auto& right = trial.inputs()[1];
            rows_per_batch_ = static_cast<std::size_t>(left.shape()[1]);
            outputs_ = static_cast<std::size_t>(right.shape()[product.transpose_right ? 1 : 2]);
            right_.resize(right.values().size());
            const auto per_batch = outputs_ * depth_;
            for (std::size_t i = 0; i < right_.size(); ++i) {  // as [batch, outputs, depth]
                const auto batch = i / per_batch, output = i % per_batch / depth_, k = i % depth_;
                right_[i] = right[batch * per_batch + (product.transpose_right ? output * depth_ + k : k * outputs_ + output)] -
                            product.right_zero_point;
            }
        }
    }

    [[nodiscard]] std::size_t num_codes() const noexcept { return std::size_t{1} << code_->bits; }
    /// What a code counts as, with the constants of its terms.
    [[nodiscard]] std::int64_t factor(std::int32_t code) const {
        if (!quant::occurs(*code_, code)) return 0;
        std::int64_t factor = 0;
        for (const auto& [contribution, term] : quant::decode(*code_, code)) {
            const auto& constants = (*terms_)[static_cast<std::size_t>(term)];
            factor += (contribution * std::int64_t{constants.multiplier}) << constants.exponent;
        }
        return factor;
    }
    /// Adds up, by code, the right operands of sum `i`.
    void coefficients(std::size_t i, std::vector<std::int64_t>& by_code) const {
        std::ranges::fill(by_code, 0);
        const auto row = i / outputs_, output = i % outputs_, batch = right_.size() > outputs_ * depth_ ? row / rows_per_batch_ : 0;
        const auto* codes = left_->data() + row * depth_;
        const auto* right = right_.data() + (batch * outputs_ + output) * depth_;
        for (std::size_t k = 0; k < depth_; ++k) by_code[static_cast<std::size_t>(codes[k])] += right[k];
    }

  private:
    const models::IntTensor* left_;
    const quant::OperandCode* code_;
    const std::vector<quant::Term>* terms_;
    std::vector<std::int32_t> right_;
    std::size_t depth_ = 0, outputs_ = 0, rows_per_batch_ = 0;
};

bool has_codes(const NodeTrial& trial) {
    constexpr int kMaxBits = 8;
    const auto fits = [](const quant::OperandCode& code) { return code.kind != quant::OperandKind::uniform && code.bits <= kMaxBits; };
    if (const auto* form = std::get_if<quant::Contraction>(&trial.operation()))
        return std::holds_alternative<models::Linear>(trial.node().op) && fits(form->code);
    const auto* product = std::get_if<quant::Product>(&trial.operation());
    return product != nullptr && fits(product->code);
}

}  // namespace

std::vector<Finding> causes_of_codes(const Evidence& evidence, const NodeTrial& trial) {
    if (!has_codes(trial)) return {};
    constexpr std::size_t kEquations = 4096, kShown = 4;
    constexpr double kLargest = 4503599627370496.0, kRidge = 1e-12;  // 2^52
    constexpr int kRefinements = 4;
    const CodedSums sums(trial);
    const auto n = sums.num_codes();
    std::vector<std::int64_t> by_code(n), change(n, 0);
    const auto stride = std::max<std::size_t>(1, evidence.size() / kEquations);
    // The unknowns are what codes count too much or too little.
    const auto residual_of = [&](std::size_t i) {
        auto residual = evidence.actual()[i] - evidence.golden()[i];
        for (std::size_t c = 0; c < n; ++c) residual -= change[c] * by_code[c];
        return residual;
    };
    const auto size = static_cast<Eigen::Index>(n);
    Eigen::MatrixXd normal = Eigen::MatrixXd::Zero(size, size);
    Eigen::VectorXd row(size);
    std::vector<bool> seen(n, false);
    for (std::size_t i = 0; i < evidence.size(); i += stride) {
        if (std::abs(static_cast<double>(evidence.actual()[i])) > kLargest) return {};
        sums.coefficients(i, by_code);
        for (std::size_t c = 0; c < n; ++c) {
            row[static_cast<Eigen::Index>(c)] = static_cast<double>(by_code[c]);
            if (by_code[c] != 0) seen[c] = true;
        }
        normal += row * row.transpose();
    }
    normal.diagonal().array() += kRidge * std::max(1.0, normal.diagonal().maxCoeff());
    const Eigen::LDLT<Eigen::MatrixXd> solver(normal);
    for (int refinement = 0; refinement < kRefinements; ++refinement) {
        Eigen::VectorXd right = Eigen::VectorXd::Zero(size);
        for (std::size_t i = 0; i < evidence.size(); i += stride) {
            sums.coefficients(i, by_code);
            const auto residual = static_cast<double>(residual_of(i));
            for (std::size_t c = 0; c < n; ++c) right[static_cast<Eigen::Index>(c)] += residual * static_cast<double>(by_code[c]);
        }
        const Eigen::VectorXd solved = solver.solve(right);
        bool changed = false;
        for (std::size_t c = 0; c < n; ++c) {
            const auto value = solved[static_cast<Eigen::Index>(c)];
            if (!seen[c] || !(std::abs(value) < kLargest)) continue;
            const auto whole = static_cast<std::int64_t>(std::llround(value));
            change[c] += whole;
            changed = changed || whole != 0;
            if (std::abs(static_cast<double>(change[c])) > kLargest) return {};
        }
        if (!changed) break;
    }
    std::vector<std::string> wrong;
    for (std::size_t c = 0; c < n; ++c) {
        const auto factor = sums.factor(static_cast<std::int32_t>(c));
        if (change[c] != 0) wrong.push_back(fmt::format("code {} counts {} instead of {}", c, factor + change[c], factor));
    }
    const auto predict = [&](std::size_t i) {
        sums.coefficients(i, by_code);
        auto sum = evidence.golden()[i];
        for (std::size_t c = 0; c < n; ++c) sum += change[c] * by_code[c];
        return sum;
    };
    if (wrong.empty() || !evidence.explained_by(predict)) return {};
    const auto more = wrong.size() > kShown ? fmt::format(", and {} more", wrong.size() - kShown) : std::string();
    wrong.resize(std::min(wrong.size(), kShown));
    return {{Cause::code_table, fmt::format("{}{}", fmt::join(wrong, ", "), more)}};
}

}  // namespace prelude::experiments
