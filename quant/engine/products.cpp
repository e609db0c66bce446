// SPDX-License-Identifier: Apache-2.0
#include "quant/engine/products.hpp"

#include <algorithm>
#include <bit>

#include "quant/arithmetic/dot.hpp"
#include "quant/arithmetic/rescale.hpp"
#include "quant/arithmetic/rounding.hpp"

namespace prelude::quant {

namespace {

constexpr std::size_t kMaxSeparateTerms = 16;
constexpr int kDoubleBits = 53;

/// One output at a time by the definition: narrowed accumulators, and constants too wide for the fast paths.
std::vector<std::int64_t> by_definition(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows, std::int64_t& overflows) {
    const auto order = term_order(form);
    const auto depth = static_cast<std::size_t>(form.depth);
    std::vector<std::int64_t> acc;
    acc.reserve(static_cast<std::size_t>(num_rows * form.num_outputs));
    for (std::int64_t row = 0; row < num_rows; ++row) {
        const auto operands = codes.subspan(static_cast<std::size_t>(row) * depth, depth);
        for (std::int64_t o = 0; o < form.num_outputs; ++o) {
            OutputAccumulator output;
            accumulate(form, order, operands, std::span(form.weights).subspan(static_cast<std::size_t>(o) * depth, depth), 0, form.depth, output);
            overflows += output.overflows;
            acc.push_back(output.accumulator);
        }
    }
    return acc;
}

/// Raw codes times weights, the zero point taken out by the column sums: one term, or a few one after the other.
std::vector<std::int64_t> by_terms(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows, ProductPath path) {
    const auto order = term_order(form);
    const auto outputs = static_cast<std::size_t>(form.num_outputs), depth = static_cast<std::size_t>(form.depth), rows = static_cast<std::size_t>(num_rows);
    std::vector<std::int64_t> acc(rows * outputs, 0), sums(rows * outputs);
    std::vector<std::int32_t> left, right;
    for (std::size_t t = 0; t < form.terms.size(); ++t) {
        const auto begin = static_cast<std::size_t>(order.begin[t]), size = static_cast<std::size_t>(order.begin[t + 1]) - begin;
        std::span<const std::int32_t> a = codes, w = form.weights;
        if (form.terms.size() > 1) {
            const auto gather = [&](std::span<const std::int32_t> from, std::size_t count, std::vector<std::int32_t>& to) {
                to.resize(count * size);
                for (std::size_t row = 0; row < count; ++row) {
                    for (std::size_t i = 0; i < size; ++i) to[row * size + i] = from[row * depth + static_cast<std::size_t>(order.k_of[begin + i])];
                }
            };
            gather(codes, rows, left);
            gather(form.weights, outputs, right);
            a = left, w = right;
        }
        multiply({.m = num_rows, .n = form.num_outputs, .k = static_cast<std::int64_t>(size)}, a, range_of(a), w, range_of(w), sums, path);
        const auto& term = form.terms[t];
        std::vector<std::int64_t> correction(outputs, 0);
        if (term.zero_point != 0) {
            for (std::size_t o = 0; o < outputs; ++o) {
                for (std::size_t i = 0; i < size; ++i) correction[o] += static_cast<std::int64_t>(term.zero_point) * w[o * size + i];
            }
        }
        for (std::size_t row = 0; row < rows; ++row) {
            for (std::size_t o = 0; o < outputs; ++o) {
                acc[row * outputs + o] += ((sums[row * outputs + o] - correction[o]) * term.multiplier) << term.exponent;
            }
        }
    }
    return acc;
}

/// A coded operand: plane by plane, the factors times the weights.
std::vector<std::int64_t> by_factors(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows, ProductPath path) {
    std::vector<std::int64_t> acc(static_cast<std::size_t>(num_rows * form.num_outputs), 0), sums(acc.size());
    std::vector<std::int32_t> left(codes.size());
    for (const auto& plane : planes_of_factors(form.code, form.terms)) {
        for (std::size_t i = 0; i < codes.size(); ++i) left[i] = plane.bytes[static_cast<std::size_t>(codes[i])];
        multiply({.m = num_rows, .n = form.num_outputs, .k = form.depth}, left, range_of(left), form.weights, range_of(form.weights), sums, path);
        for (std::size_t i = 0; i < acc.size(); ++i) acc[i] += sums[i] * plane.constant;
    }
    return acc;
}

/// Many terms: constants folded into the weights, exact in double precision or 64-bit integers.
std::vector<std::int64_t> by_folding(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows, ProductPath path) {
    const auto depth = static_cast<std::size_t>(form.depth);
    std::vector<std::int32_t> left(codes.begin(), codes.end()), right(form.weights.size());
    const auto term = [&](std::size_t k) -> const Term& { return form.terms[static_cast<std::size_t>(form.term_of[k])]; };
    for (std::size_t i = 0; i < left.size(); ++i) left[i] -= term(i % depth).zero_point;
    for (std::size_t i = 0; i < right.size(); ++i) {
        const auto& constant = term(i % depth);
        right[i] = static_cast<std::int32_t>((static_cast<std::int64_t>(form.weights[i]) * constant.multiplier) << constant.exponent);
    }
    std::vector<std::int64_t> acc(static_cast<std::size_t>(num_rows * form.num_outputs));
    multiply({.m = num_rows, .n = form.num_outputs, .k = form.depth}, left, range_of(left), right, range_of(right), acc, path);
    return acc;
}

bool folds_into_int32(const Contraction& form) {
    std::int64_t widest = 0;
    for (const auto& term : form.terms) widest = std::max(widest, static_cast<std::int64_t>(term.multiplier) << term.exponent);
    return widest < (std::int64_t{1} << 31) / ((std::int64_t{1} << form.weight_bits) + 1);
}

}  // namespace

namespace {

/// All rows at once, without packed bytes.
std::vector<std::int64_t> accumulate_rows(const Contraction& form, std::span<const std::int32_t> codes, std::int64_t num_rows, ProductPath path,
                                          std::int64_t& overflows) {
    if (form.accumulator.overflow != AccumulatorOverflow::exact) return by_definition(form, codes, num_rows, overflows);
    if (form.code.kind != OperandKind::uniform) return by_factors(form, codes, num_rows, path);
    if (form.terms.size() <= kMaxSeparateTerms) return by_terms(form, codes, num_rows, path);
    if (form.accumulator_bits <= kDoubleBits && folds_into_int32(form)) return by_folding(form, codes, num_rows, path);
    return by_definition(form, codes, num_rows, overflows);
}

/// Rows of a block: what a thread works on stays in its cache.
std::int64_t block_rows(std::int64_t num_rows, std::int64_t n) {
    constexpr std::int64_t kBlockBytes = 1 << 20, kLeast = 16, kMost = 128;
    const auto bytes_of_row = n * static_cast<std::int64_t>(sizeof(std::int32_t) + sizeof(std::int64_t));
    const auto rows = std::clamp(static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(kBlockBytes / bytes_of_row) | 1)), kLeast, kMost);
    return std::min(rows, num_rows);
}

}  // namespace

std::vector<BytePlane> ContractionRunner::planes_for(int code_bits) const {
    if (form_.code.kind != OperandKind::uniform) return planes_of_factors(form_.code, form_.terms);
    const auto order = term_order(form_);
    std::vector<BytePlane> planes;
    for (std::size_t t = 0; t < form_.terms.size(); ++t) {
        const auto& term = form_.terms[t];
        for (auto& plane : planes_of_codes(code_bits, term.zero_point, static_cast<std::int64_t>(term.multiplier) << term.exponent)) {
            if (form_.terms.size() > 1) plane.k_of.assign(order.k_of.begin() + order.begin[t], order.k_of.begin() + order.begin[t + 1]);
            if (form_.terms.size() == 1 || !plane.k_of.empty()) planes.push_back(std::move(plane));
        }
    }
    return planes;
}

const ContractionRunner::Packed* ContractionRunner::packed_for(std::span<const std::int32_t> codes, std::int64_t num_rows) {
    constexpr int kByte = 8, kWord = 16;
    if (is_too_wide_ || path_ != ProductPath::automatic || form_.accumulator.overflow != AccumulatorOverflow::exact || !fast_products_are_exact()) return nullptr;
    const bool coded = form_.code.kind != OperandKind::uniform;
    if (form_.depth > kMaxByteDepth || (!coded && form_.terms.size() > kMaxSeparateTerms)) return nullptr;
    const auto range = range_of(codes);
    if (range.lo < 0 || range.hi >= 1 << kWord) return nullptr;
    const int bits = coded || range.hi < 1 << kByte ? kByte : kWord;
    auto& packed = bits == kByte ? bytes_ : words_;
    if (!packed || packed->planes.rows() < std::min(block_rows(num_rows, form_.num_outputs), num_rows)) {
        SumOfPlanes planes(planes_for(bits), block_rows(num_rows, form_.num_outputs), form_.num_outputs, form_.depth);
        auto weights = planes.pack(form_.weights, true, 0);
        is_too_wide_ = !weights;
        if (is_too_wide_) return nullptr;
        packed.emplace(Packed{std::move(planes), *std::move(weights)});
    }
    return &*packed;
}

void ContractionRunner::run(std::span<const std::int32_t> codes, std::int64_t num_rows, std::int64_t& overflows, const Finish& finish) {
    const auto* packed = packed_for(codes, num_rows);
    if (!packed) return finish(0, num_rows, accumulate_rows(form_, codes, num_rows, path_, overflows));
    const auto rows = packed->planes.rows();
#pragma omp parallel for schedule(dynamic)
    for (std::int64_t first = 0; first < num_rows; first += rows) {
        thread_local std::vector<std::int64_t> acc;
        const auto count = std::min(rows, num_rows - first);
        packed->planes.run(codes.subspan(static_cast<std::size_t>(first * form_.depth), static_cast<std::size_t>(count * form_.depth)), count, packed->weights, acc);
        finish(first, count, acc);
    }
}

std::vector<std::int32_t> convolution_rows(const models::Conv& op, const IntTensor& in, const Contraction& form) {
    const auto batch = in.shape()[0], channels = in.shape()[1], height = in.shape()[2], width = in.shape()[3];
    const auto out_height = (height + 2 * op.padding - op.kernel) / op.stride + 1, out_width = (width + 2 * op.padding - op.kernel) / op.stride + 1;
    std::vector<std::int32_t> padding(static_cast<std::size_t>(channels));
    const auto positions = op.kernel * op.kernel;
    for (std::size_t c = 0; c < padding.size(); ++c) {
        const auto term = form.term_of.empty() ? 0 : form.term_of[c * static_cast<std::size_t>(positions)];
        padding[c] = form.terms[static_cast<std::size_t>(term)].zero_point;
    }
    std::vector<std::int32_t> rows;
    rows.reserve(static_cast<std::size_t>(batch * out_height * out_width * channels * positions));
    for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t oy = 0; oy < out_height; ++oy) {
            for (std::int64_t ox = 0; ox < out_width; ++ox) {
                for (std::int64_t c = 0; c < channels; ++c) {
                    const auto* plane = in.data() + (b * channels + c) * height * width;
                    for (std::int64_t ky = 0; ky < op.kernel; ++ky) {
                        const auto y = oy * op.stride + ky - op.padding;
                        for (std::int64_t kx = 0; kx < op.kernel; ++kx) {
                            const auto x = ox * op.stride + kx - op.padding;
                            const bool inside = y >= 0 && y < height && x >= 0 && x < width;
                            rows.push_back(inside ? plane[y * width + x] : padding[static_cast<std::size_t>(c)]);
                        }
                    }
                }
            }
        }
    }
    return rows;
}

namespace {

/// Exact Acc of every output of a product, by matrix products of raw codes and their corrections.
class WholeProduct {
  public:
    WholeProduct(const Product& form, const IntTensor& left, const IntTensor& right, ProductPath path)
        : form_(form), left_(left), right_(right), path_(path) {
        const auto& a = left.shape();
        const auto& b = right.shape();
        shape_ = {.batch = a[0], .m = a[1], .n = form.transpose_right ? b[1] : b[2], .k = a[2], .right_is_transposed = form.transpose_right};
    }

    [[nodiscard]] const BatchedProduct& shape() const noexcept { return shape_; }

    std::vector<std::int64_t> run() {
        centre_right();
        std::vector<std::int64_t> acc(static_cast<std::size_t>(shape_.batch * shape_.m * shape_.n), 0);
        if (form_.code.kind == OperandKind::uniform) {
            codes(acc);
        } else {
            factors(acc);
        }
        return acc;
    }

  private:
    static constexpr std::int32_t kHalfByte = 128;

    /// Right codes of up to 8 bits as signed bytes r - 128; wider ones relative to their zero point.
    void centre_right() {
        shift_ = form_.right_bits <= 8 ? kHalfByte : form_.right_zero_point;
        centred_.assign(right_.values().begin(), right_.values().end());
        for (auto& word : centred_) word -= shift_;
        right_range_ = range_of(centred_);
        offset_ = shift_ - form_.right_zero_point;  // r - z = centred + offset
    }

    /// acc += (products of `left` with right - z) * constant.
    void add_product(std::span<const std::int32_t> left, std::int64_t constant, std::vector<std::int64_t>& acc) {
        sums_.resize(acc.size());
        multiply(shape_, left, range_of(left), centred_, right_range_, sums_, path_);
        const auto k = static_cast<std::size_t>(shape_.k), n = static_cast<std::size_t>(shape_.n);
        const auto rows = static_cast<std::size_t>(shape_.batch * shape_.m);
        for (std::size_t row = 0; row < rows; ++row) {
            std::int64_t row_sum = 0;
            if (offset_ != 0) {
                for (std::size_t i = 0; i < k; ++i) row_sum += left[row * k + i];
            }
            for (std::size_t j = 0; j < n; ++j) acc[row * n + j] += (sums_[row * n + j] + offset_ * row_sum) * constant;
        }
    }

    void codes(std::vector<std::int64_t>& acc) {
        add_product(left_.values(), 1, acc);
        if (form_.left_zero_point == 0) return;
        // - z_left * sum_k (right - z)
        const auto k = shape_.k, n = shape_.n;
        std::vector<std::int64_t> column(static_cast<std::size_t>(n));
        for (std::int64_t b = 0; b < shape_.batch; ++b) {
            const auto* words = centred_.data() + b * n * k;
            for (std::int64_t j = 0; j < n; ++j) {
                std::int64_t sum = k * offset_;
                for (std::int64_t i = 0; i < k; ++i) sum += words[shape_.right_is_transposed ? j * k + i : i * n + j];
                column[static_cast<std::size_t>(j)] = sum * form_.left_zero_point;
            }
            for (std::int64_t m = 0; m < shape_.m; ++m) {
                for (std::int64_t j = 0; j < n; ++j) acc[static_cast<std::size_t>((b * shape_.m + m) * n + j)] -= column[static_cast<std::size_t>(j)];
            }
        }
    }

    /// A coded left operand, in byte planes.
    void factors(std::vector<std::int64_t>& acc) {
        std::vector<std::int32_t> plane(left_.values().size());
        for (const auto& [bytes, constant, zero_point, k_of] : planes_of_factors(form_.code, form_.terms)) {
            for (std::size_t i = 0; i < plane.size(); ++i) plane[i] = bytes[static_cast<std::size_t>(left_[i])];
            add_product(plane, constant, acc);
        }
    }

    const Product& form_;
    const IntTensor &left_, &right_;
    ProductPath path_;
    BatchedProduct shape_;
    std::vector<std::int32_t> centred_;
    std::vector<std::int64_t> sums_;
    OperandRange right_range_;
    std::int32_t shift_ = 0;
    std::int64_t offset_ = 0;
};

std::vector<std::int64_t> product_by_definition(const Product& form, const BatchedProduct& shape, const IntTensor& left, const IntTensor& right,
                                                std::int64_t& overflows) {
    std::vector<std::int64_t> acc;
    const auto stride = shape.right_is_transposed ? 1 : shape.n;
    for (std::int64_t b = 0; b < shape.batch; ++b) {
        for (std::int64_t m = 0; m < shape.m; ++m) {
            const auto row = left.values().subspan(static_cast<std::size_t>((b * shape.m + m) * shape.k), static_cast<std::size_t>(shape.k));
            for (std::int64_t n = 0; n < shape.n; ++n) {
                ProductAccumulator output;
                accumulate(form, row, right.data() + b * shape.n * shape.k + (shape.right_is_transposed ? n * shape.k : n), stride, 0, shape.k, output);
                acc.push_back(combine(form, output));
                overflows += output.overflows;
            }
        }
    }
    return acc;
}

}  // namespace

std::optional<ProductRunner> ProductRunner::make(const Product& form, std::int64_t num_rows, std::int64_t n, std::int64_t k) {
    constexpr int kByte = 8, kWord = 16;
    const bool exact = form.accumulator.overflow == AccumulatorOverflow::exact && fast_products_are_exact();
    if (!exact || form.right_bits > kByte || form.left_bits > kWord || k > kMaxByteDepth) return std::nullopt;
    return ProductRunner(form, num_rows, n, k);
}

ProductRunner::ProductRunner(const Product& form, std::int64_t num_rows, std::int64_t n, std::int64_t k)
    : form_(&form),
      planes_(form.code.kind == OperandKind::uniform ? planes_of_codes(form.left_bits, form.left_zero_point, 1) : planes_of_factors(form.code, form.terms),
              block_rows(num_rows, n), n, k),
      rescale_(form.rescale, 1) {
    constexpr int kMaxTableBits = 8;
    if (!form.row_normalised || form.left_bits > kMaxTableBits) return;
    for (std::int32_t code = 0; code < 1 << form.left_bits; ++code) contribution_.push_back(occurs(form.code, code) ? whole_factor(form, code) : 0);
}

PlanesRight ProductRunner::pack(const std::int32_t* words) const {
    auto right = planes_.pack({words, static_cast<std::size_t>(n() * k())}, form_->transpose_right, form_->right_zero_point);
    models::check(right.has_value(), "words of up to 8 bits less their zero point fit a byte and an offset");
    return *std::move(right);
}

void ProductRunner::run(std::span<const std::int32_t> left, std::int64_t count, const PlanesRight& right, std::int32_t* out) const {
    thread_local std::vector<std::int64_t> acc;
    planes_.run(left, count, right, acc);
    if (!form_->row_normalised) return rescale_.uniform(acc, out);
    const auto outputs = static_cast<std::size_t>(n()), depth = static_cast<std::size_t>(k());
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
        const auto codes = left.subspan(row * depth, depth);
        std::int64_t sum = 0;
        for (const auto code : contribution_.empty() ? std::span<const std::int32_t>{} : codes) sum += contribution_[static_cast<std::size_t>(code)];
        const auto divisor = reciprocal(contribution_.empty() ? row_sum(*form_, codes) : static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 1)));
        for (std::size_t j = row * outputs; j < (row + 1) * outputs; ++j) out[j] = finish(*form_, acc[j], divisor);
    }
}

std::vector<std::int64_t> product_sums(const Product& form, const IntTensor& left, const IntTensor& right) {
    return WholeProduct(form, left, right, ProductPath::automatic).run();
}

IntTensor run_product(const Product& form, const IntTensor& left, const IntTensor& right, ProductPath path, std::int64_t& overflows) {
    WholeProduct whole(form, left, right, path);
    const auto& shape = whole.shape();
    auto out = IntTensor::uninitialised(Shape{shape.batch, shape.m, shape.n});
    if (const auto runner = path == ProductPath::automatic ? ProductRunner::make(form, shape.m, shape.n, shape.k) : std::nullopt) {
#pragma omp parallel for schedule(dynamic)
        for (std::int64_t b = 0; b < shape.batch; ++b) {
            const auto packed = runner->pack(right.data() + b * shape.n * shape.k);
            for (std::int64_t m = 0; m < shape.m; m += runner->rows()) {
                const auto count = std::min(runner->rows(), shape.m - m), row = b * shape.m + m;
                runner->run(left.values().subspan(static_cast<std::size_t>(row * shape.k), static_cast<std::size_t>(count * shape.k)), count, packed,
                            out.data() + row * shape.n);
            }
        }
        return out;
    }
    const auto acc = form.accumulator.overflow == AccumulatorOverflow::exact ? whole.run() : product_by_definition(form, shape, left, right, overflows);
    for (std::int64_t row = 0; row < shape.batch * shape.m; ++row) {
        const auto divisor = form.row_normalised ? reciprocal(row_sum(form, left.row(row))) : Reciprocal{};
        for (auto i = static_cast<std::size_t>(row * shape.n); i < static_cast<std::size_t>((row + 1) * shape.n); ++i) out[i] = finish(form, acc[i], divisor);
    }
    return out;
}

}  // namespace prelude::quant
