// SPDX-License-Identifier: Apache-2.0
#include "tests/support/oracle/contraction.hpp"

#include <algorithm>

namespace prelude::oracle {

namespace {

/// The running sum of one term, narrowed as the accumulator study asks.
class RunningSum {
  public:
    RunningSum(const Narrowing& narrowing, Overflows& overflows) : narrowing_(narrowing), overflows_(overflows) {}
    void add(Word product) {
        if (__builtin_add_overflow(sum_, product, &sum_)) throw std::logic_error("oracle: a sum of products exceeds 64 bits");
    }
    void narrow() {
        if (narrowing_.kind == Narrowing::Kind::exact) return;
        const auto narrowed =
            to_word(narrowing_.kind == Narrowing::Kind::wrap ? wrap(sum_, narrowing_.bits) : saturate(sum_, narrowing_.bits));
        if (narrowed != sum_) ++overflows_.count;
        sum_ = narrowed;
    }
    [[nodiscard]] Word value() const { return sum_; }

  private:
    const Narrowing& narrowing_;
    Overflows& overflows_;
    Word sum_ = 0;
};

Big weigh(const Term& term, Word sum) { return Big(term.multiplier) * power_of_two(term.exponent) * sum; }

}  // namespace

Big rescale_open(const Output& output, std::size_t channel, const Big& acc) {
    return rne(Big(output.multiplier.at(channel)) * rne(acc, output.operand_shift) + output.offset.at(channel), static_cast<int>(output.shift.at(channel)));
}

Word rescale(const Output& output, std::size_t channel, const Big& acc) {
    return to_word(clamp(rescale_open(output, channel, acc) + output.zero.at(channel), output.lo, output.hi));
}

Word HybridCode::factor(std::size_t term, Word code) const {
    const bool is_step = code >= log_levels;
    const Word step = is_step ? code - log_levels : 0;
    if (is_step && step == 0) return 0;  // the zero code
    const Word top = to_word(power_of_two(largest_shift));
    if (term == 1) return step;
    if (!is_step) return code > largest_shift ? 0 : to_word(power_of_two(largest_shift - static_cast<int>(code)));
    return alignment < 0 ? top : top + step * to_word(power_of_two(alignment));
}

Big accumulate(const Contraction& form, const Word* codes, std::int64_t output, Overflows& overflows) {
    const Word* weights = form.weights.data() + output * form.depth;
    Big acc = 0;
    for (std::size_t t = 0; t < form.terms.size(); ++t) {
        RunningSum sum(form.narrowing, overflows);
        std::int64_t count = 0;
        for (std::int64_t k = 0; k < form.depth; ++k) {
            if (!form.term_of.empty() && form.term_of[static_cast<std::size_t>(k)] != static_cast<Word>(t)) continue;
            const Word factor = form.hybrid.log_levels > 0 ? form.hybrid.factor(t, codes[k]) : codes[k] - form.terms[t].zero;
            sum.add(factor * weights[k]);
            if (++count % form.narrowing.chunk == 0) sum.narrow();
        }
        if (count % form.narrowing.chunk != 0) sum.narrow();
        acc += weigh(form.terms[t], sum.value());
    }
    return acc;
}

Words linear(const Contraction& form, const Words& codes, Overflows& overflows) {
    Words out;
    for (std::size_t row = 0; row < codes.size(); row += static_cast<std::size_t>(form.depth)) {
        for (std::int64_t n = 0; n < form.num_outputs; ++n) {
            out.push_back(rescale(form.output, static_cast<std::size_t>(n), accumulate(form, codes.data() + row, n, overflows)));
        }
    }
    return out;
}

Words convolution(const Contraction& form, const Words& image, const ImageShape& shape, const Kernel& kernel, Overflows& overflows) {
    const auto out_height = (shape.height + 2 * kernel.padding - kernel.side) / kernel.stride + 1;
    const auto out_width = (shape.width + 2 * kernel.padding - kernel.side) / kernel.stride + 1;
    Words out(static_cast<std::size_t>(shape.batch * form.num_outputs * out_height * out_width));
    Words operand(static_cast<std::size_t>(form.depth));
    for (std::int64_t b = 0; b < shape.batch; ++b) {
        for (std::int64_t y = 0; y < out_height; ++y) {
            for (std::int64_t x = 0; x < out_width; ++x) {
                for (std::int64_t k = 0; k < form.depth; ++k) {
                    const auto c = k / (kernel.side * kernel.side), ky = k / kernel.side % kernel.side, kx = k % kernel.side;
                    const auto row = y * kernel.stride + ky - kernel.padding, column = x * kernel.stride + kx - kernel.padding;
                    const bool inside = row >= 0 && row < shape.height && column >= 0 && column < shape.width;
                    const auto t = form.term_of.empty() ? 0 : form.term_of[static_cast<std::size_t>(k)];
                    operand[static_cast<std::size_t>(k)] =
                        inside ? image.at(static_cast<std::size_t>(((b * shape.channels + c) * shape.height + row) * shape.width + column))
                               : form.terms.at(static_cast<std::size_t>(t)).zero;
                }
                for (std::int64_t n = 0; n < form.num_outputs; ++n) {
                    out.at(static_cast<std::size_t>(((b * form.num_outputs + n) * out_height + y) * out_width + x)) =
                        rescale(form.output, static_cast<std::size_t>(n), accumulate(form, operand.data(), n, overflows));
                }
            }
        }
    }
    return out;
}

Words transposed_convolution(const Contraction& form, const Words& image, const ImageShape& shape, std::int64_t side, Overflows& overflows) {
    const auto out_channels = form.num_outputs / (side * side);
    const auto out_height = shape.height * side, out_width = shape.width * side;
    Words out(static_cast<std::size_t>(shape.batch * out_channels * out_height * out_width));
    Words operand(static_cast<std::size_t>(form.depth));
    for (std::int64_t b = 0; b < shape.batch; ++b) {
        for (std::int64_t y = 0; y < out_height; ++y) {
            for (std::int64_t x = 0; x < out_width; ++x) {
                for (std::int64_t c = 0; c < form.depth; ++c) {
                    operand[static_cast<std::size_t>(c)] =
                        image.at(static_cast<std::size_t>(((b * shape.channels + c) * shape.height + y / side) * shape.width + x / side));
                }
                for (std::int64_t o = 0; o < out_channels; ++o) {
                    const auto n = (o * side + y % side) * side + x % side;
                    out.at(static_cast<std::size_t>(((b * out_channels + o) * out_height + y) * out_width + x)) =
                        rescale(form.output, static_cast<std::size_t>(o), accumulate(form, operand.data(), n, overflows));
                }
            }
        }
    }
    return out;
}

Word patch_offset(const Patches& form, std::int64_t output, std::int64_t real_rows, std::int64_t real_columns) {
    const auto& contraction = form.contraction;
    const auto area = form.patch * form.patch;
    Big mean_sum = 0;
    for (std::int64_t k = 0; k < contraction.depth; ++k) {
        const auto row = k % area / form.patch, column = k % form.patch;
        if (row >= real_rows || column >= real_columns) continue;
        mean_sum += Big(contraction.weights[static_cast<std::size_t>(output * contraction.depth + k)]) * form.mean.at(static_cast<std::size_t>(k / area));
    }
    const auto channel = static_cast<std::size_t>(output);
    return to_word(contraction.output.offset.at(channel) - rne(contraction.output.multiplier.at(channel) * mean_sum, 8 + contraction.output.operand_shift));
}

Words patch_embedding(const Patches& form, const Words& image, const ImageShape& shape, std::int64_t content_height, std::int64_t content_width,
                      Overflows& overflows) {
    const auto rows = shape.height / form.patch, columns = shape.width / form.patch;
    const auto real = [&](std::int64_t content, std::int64_t begin) { return std::clamp<std::int64_t>(content - begin, 0, form.patch); };
    Words out(static_cast<std::size_t>(form.contraction.num_outputs * rows * columns));
    for (std::int64_t y = 0; y < rows; ++y) {
        for (std::int64_t x = 0; x < columns; ++x) {
            const auto real_rows = real(content_height, y * form.patch), real_columns = real(content_width, x * form.patch);
            Words pixels;
            for (std::int64_t c = 0; c < 3; ++c) {
                for (std::int64_t py = 0; py < form.patch; ++py) {
                    for (std::int64_t px = 0; px < form.patch; ++px) {
                        const auto at = (c * shape.height + y * form.patch + py) * shape.width + x * form.patch + px;
                        pixels.push_back(py < real_rows && px < real_columns ? image.at(static_cast<std::size_t>(at)) : 0);
                    }
                }
            }
            for (std::int64_t n = 0; n < form.contraction.num_outputs; ++n) {
                auto output = form.contraction.output;
                output.offset.at(static_cast<std::size_t>(n)) = patch_offset(form, n, real_rows, real_columns);
                out.at(static_cast<std::size_t>((n * rows + y) * columns + x)) =
                    rescale(output, static_cast<std::size_t>(n), accumulate(form.contraction, pixels.data(), n, overflows));
            }
        }
    }
    return out;
}

Reciprocal reciprocal(const Big& d) {
    require(d >= 1, "oracle: reciprocal of nothing");
    const int exponent = bits_of(d) - 1;
    const Big mantissa = exponent <= 47 ? rne_divide(power_of_two(16 + exponent), d) : rne_divide(power_of_two(63), d / power_of_two(exponent - 47));
    return mantissa == 65536 ? Reciprocal{32768, exponent - 1} : Reciprocal{to_word(mantissa), exponent};
}

Operands decode(const Product& form, Word code) {
    using Left = Product::Left;
    const auto e = static_cast<int>(code / form.tau);
    const auto f = static_cast<std::size_t>(code % form.tau);
    switch (form.left) {
        case Left::plain: return {{code - form.left_zero, 0}};
        case Left::powers:
            if (code == form.zero_code) return {};
            require(e <= form.largest_shift, "oracle: a code beyond the last level");
            return {{to_word(power_of_two(form.largest_shift - e)), f}};
        case Left::companded:
            if (code == 0) return {};
            require(e <= form.largest_shift, "oracle: a companded code beyond the largest shift");
            return {{to_word(power_of_two(e)), f}, {-1, 0}};
        case Left::table: return {{form.factors.at(static_cast<std::size_t>(code)), 0}};
        case Left::bucket:
            if (code == 0) return {};
            return {{1, static_cast<std::size_t>(code - 1)}};
    }
    return {};
}

Big row_divisor(const Product& form, const Word* left, std::int64_t depth) {
    Big sum = 0;
    for (std::int64_t k = 0; k < depth; ++k) {
        for (const auto& operand : decode(form, left[k])) sum += weigh(form.terms.at(operand.term), operand.factor);
    }
    return sum < 1 ? Big(1) : sum;
}

Words product(const Product& form, const Words& left, const Words& right, const ProductShape& shape, Overflows& overflows) {
    Words out;
    std::vector<Operands> operands(static_cast<std::size_t>(shape.k));
    for (std::int64_t row = 0; row < shape.batch * shape.m; ++row) {
        const auto b = row / shape.m;
        const Word* codes = left.data() + row * shape.k;
        for (std::int64_t k = 0; k < shape.k; ++k) operands[static_cast<std::size_t>(k)] = decode(form, codes[k]);
        const auto divisor = reciprocal(form.row_scale ? row_divisor(form, codes, shape.k) : Big(1));
        for (std::int64_t n = 0; n < shape.n; ++n) {
            std::vector<RunningSum> sums(form.terms.size(), RunningSum(form.narrowing, overflows));
            for (std::int64_t k = 0; k < shape.k; ++k) {
                const auto at = form.right_is_rows_of_outputs ? (b * shape.n + n) * shape.k + k : (b * shape.k + k) * shape.n + n;
                for (const auto& operand : operands[static_cast<std::size_t>(k)]) {
                    sums[operand.term].add(operand.factor * (right[static_cast<std::size_t>(at)] - form.right_zero));
                }
                if ((k + 1) % form.narrowing.chunk == 0 || k + 1 == shape.k) {
                    for (auto& sum : sums) sum.narrow();
                }
            }
            Big acc = 0;
            for (std::size_t t = 0; t < sums.size(); ++t) acc += weigh(form.terms[t], sums[t].value());
            if (!form.row_scale) {
                out.push_back(rescale(form.output, 0, acc));
                continue;
            }
            const auto r = form.output.operand_shift;
            const Big normalised = rne(rne(acc, r) * divisor.mantissa, 16 + divisor.exponent - r - form.row_fraction);
            auto output = form.output;
            output.operand_shift = 0;
            out.push_back(rescale(output, 0, normalised));
        }
    }
    return out;
}

}  // namespace prelude::oracle
