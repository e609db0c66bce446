// SPDX-License-Identifier: Apache-2.0
#include "tests/support/oracle/vector_units.hpp"

#include <algorithm>

#include "tests/support/oracle/constants.hpp"

namespace prelude::oracle {

// Softmax.

namespace {

const Words& exp_words(int bits) {
    static std::vector<Words> tables(64);
    auto& table = tables.at(static_cast<std::size_t>(bits));
    if (table.empty()) table = exp_table(bits);
    return table;
}

/// Whether e relates to mantissa * 2^exponent * reference: the sign of the difference.
int compare(Word e, Word mantissa, Word exponent, Word reference) {
    const Big threshold = Big(mantissa) * reference;
    const Big left = exponent < 0 ? Big(e * power_of_two(static_cast<int>(-exponent))) : Big(e);
    const Big right = exponent > 0 ? Big(threshold * power_of_two(static_cast<int>(exponent))) : threshold;
    return left < right ? -1 : left > right ? 1 : 0;
}

Word log_code_of_row(const Softmax& form, Word d) {
    // ceil(tau d 2^-F - 1/2)
    const Big c = -floor_divide(power_of_two(form.score_fraction) - Big(2) * form.tau * d, power_of_two(form.score_fraction + 1));
    if (c < form.levels) return to_word(c);
    return form.zero_code >= 0 ? form.zero_code : form.levels - 1;
}

Word threshold_code(const Softmax& form, Word e, Word reference) {
    const auto at = [&](Word c) {
        const auto index = static_cast<std::size_t>(c);
        return compare(e, form.threshold_mantissa.at(index), form.threshold_exponent.at(index), reference);
    };
    if (form.tau > 0) {
        for (Word c = 0; c < form.levels; ++c) {
            if (at(c) >= 0) return c;
        }
        return form.zero_code >= 0 ? form.zero_code : form.levels - 1;
    }
    Word code = 0;
    for (Word c = 1; c < Word{1} << form.bits; ++c) code += at(c - 1) > 0;
    return code;
}

}  // namespace

Word exp2_of(const Softmax& form, Word d) {
    const Word whole = d >> form.score_fraction, f = d - (whole << form.score_fraction);
    const int octaves = static_cast<int>(std::min<Word>(whole, 400));
    const Big top = power_of_two(form.exp_bits) - 1, unit = power_of_two(form.score_fraction);
    if (form.exponential == Exponential::polynomial) {
        const auto constants = exp_polynomial(form.exp_bits);
        return whole > form.exp_bits ? 0 : to_word(rne_divide(top * unit * unit - constants[1] * unit * f + constants[0] * Big(f) * f, unit * unit * power_of_two(octaves)));
    }
    if (form.exponential == Exponential::line) {
        const Big line = floor_divide((2 * unit - f) * (top + 1), 2 * unit * power_of_two(octaves));
        return to_word(line < top ? line : top);
    }
    const auto& table = exp_words(form.exp_bits);
    if (whole > form.exp_bits) return 0;
    if (form.score_fraction < 6) return to_word(rne(table[static_cast<std::size_t>(f << (6 - form.score_fraction))], static_cast<int>(whole)));
    const int rest = form.score_fraction - 6;
    const auto i = static_cast<std::size_t>(f >> rest);
    const Word g = f - (static_cast<Word>(i) << rest);
    return to_word(rne(Big(table[i]) * power_of_two(rest) - Big(table[i] - table[i + 1]) * g, rest + static_cast<int>(whole)));
}

Words softmax_row(const Softmax& form, const Words& scores) {
    const Word top = *std::max_element(scores.begin(), scores.end());
    Words codes;
    if (form.tau > 0 && form.row_scale) {
        for (auto score : scores) codes.push_back(log_code_of_row(form, top - score));
        return codes;
    }
    Words e;
    Word sum = 0;
    for (auto score : scores) {
        e.push_back(exp2_of(form, top - score));
        sum += e.back();
    }
    if (form.bits > 8) {
        const auto reciprocal_sum = reciprocal(sum);
        for (auto part : e) codes.push_back(to_word(rne(Big(part) * reciprocal_sum.mantissa, 16 + reciprocal_sum.exponent - (form.bits - 1))));
        return codes;
    }
    for (auto part : e) codes.push_back(threshold_code(form, part, form.row_scale ? exp2_of(form, 0) : sum));
    return codes;
}

// Layer normalisation.

ReciprocalRoot reciprocal_root(const Big& v, Root root) {
    static const Words seed = root_seed();
    const int exponent = (bits_of(v) - 1) / 2;
    if (root != Root::products) {
        const Big square = floor_divide(v * power_of_two(30), power_of_two(2 * exponent));
        Big k = 65536;
        for (int step = 0; step < 10; ++step) k = (k + square / k) / 2;
        if (root == Root::ten_steps) return {to_word((power_of_two(31) - 1) / k), exponent};
        const Big y = power_of_two(31) / sqrt(square);
        return {to_word(y > 65535 ? Big(65535) : y), exponent};
    }
    const Big m = floor_divide(v * power_of_two(20), power_of_two(2 * exponent));
    const Big s = seed.at(static_cast<std::size_t>(to_word(m / power_of_two(14)) - 64));
    const Big y = rne((3 * power_of_two(44) - m * s * s) * s, 41);
    return {to_word(y > 65535 ? Big(65535) : y), exponent};
}

Words layer_norm_row(const LayerNorm& form, const Words& x) {
    const Big channels = x.size();
    Big sum = 0, squares = 0;
    for (auto word : x) {
        sum += word;
        squares += Big(word) * word;
    }
    const Big variance = channels * squares - sum * sum + form.epsilon;
    const auto root = reciprocal_root(variance < 1 ? Big(1) : variance, form.root);
    Words out;
    for (std::size_t c = 0; c < x.size(); ++c) {
        const Big t = saturate(rne((channels * x[c] - sum) * root.mantissa, 16 + root.exponent - form.fraction), 20);
        out.push_back(rescale(form.output, c, t));
    }
    return out;
}

// One word, or a few, per output.

Word lookup(const Table& form, Word code) {
    if (form.guard_bits == 0) return form.entries.at(static_cast<std::size_t>(code));
    const int s = form.input_bits - 8;
    const auto i = static_cast<std::size_t>(code >> s);
    const Word g = code - (static_cast<Word>(i) << s);
    const Word left = form.entries.at(i), right = form.entries.at(i + 1);
    return to_word(clamp(rne(Big(left) * power_of_two(s) + Big(right - left) * g, s + form.guard_bits), form.lo, form.hi));
}

Word add(const Add& form, Word left, Word right) {
    return to_word(saturate(rne(left * power_of_two(form.left_shift) + right * power_of_two(form.right_shift), form.output_shift), form.bits));
}

Words relative_position(const RelativePosition& form, const Words& scores, const Words& q) {
    const auto tokens = form.height * form.width;
    const auto batch = static_cast<std::int64_t>(scores.size()) / (tokens * tokens);
    const auto dot = [&](const Word* query, const Words& table, Word row) {
        Big sum = 0;
        for (std::int64_t d = 0; d < form.head_dim; ++d) sum += (query[d] - form.q_zero) * table.at(static_cast<std::size_t>(row * form.head_dim + d));
        return sum;
    };
    Words out(scores.size());
    for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t query = 0; query < tokens; ++query) {
            const Word* q_row = q.data() + (b * tokens + query) * form.head_dim;
            std::vector<Big> vertical, horizontal;
            for (std::int64_t i = 0; i < form.height; ++i) {
                vertical.push_back(rescale_open(form.output_height, 0, dot(q_row, form.table_height, query / form.width - i + form.height - 1)));
            }
            for (std::int64_t j = 0; j < form.width; ++j) {
                horizontal.push_back(rescale_open(form.output_width, 0, dot(q_row, form.table_width, query % form.width - j + form.width - 1)));
            }
            for (std::int64_t key = 0; key < tokens; ++key) {
                const auto at = static_cast<std::size_t>((b * tokens + query) * tokens + key);
                out[at] = to_word(saturate(scores[at] + vertical[static_cast<std::size_t>(key / form.width)] +
                                               horizontal[static_cast<std::size_t>(key % form.width)],
                                           form.score_bits));
            }
        }
    }
    return out;
}

Words prompt_row(const Prompt& form, Word x, Word y, Word label) {
    const auto& sine = sine_table();
    const Word turn = Word{1} << 24;
    const Word half = 128 * form.image_size;  // the picture's centre, in 2^-8 pixel
    Words out;
    for (Word feature = 0; feature < 2 * form.num_frequencies; ++feature) {
        const auto j = static_cast<std::size_t>(feature % form.num_frequencies);
        const Big turns = rne(Big(x - half) * form.frequency.at(j) + Big(y - half) * form.frequency.at(j + static_cast<std::size_t>(form.num_frequencies)), 8);
        const Word lead = feature < form.num_frequencies ? 0 : turn / 4;
        const Word phase = to_word((turns + lead) - floor_divide(turns + lead, turn) * turn);
        const auto i = static_cast<std::size_t>(phase >> 12);
        const Word r = phase % 4096;
        const Big wave = Big(sine[i]) * 4096 + Big(sine[(i + 1) % 4096] - sine[i]) * r;
        const Big embedding = Big(form.labels.at(static_cast<std::size_t>((label + 1) * 2 * form.num_frequencies + feature))) * 4096;
        out.push_back(to_word(saturate(rne(label == -1 ? embedding : Big(wave + embedding), 27 - form.fraction), form.bits)));
    }
    return out;
}

Tap tap(Word index, Word n_in, Word n_out) {
    const Word position = std::clamp<Word>((2 * index + 1) * n_in - n_out, 0, 2 * (n_in - 1) * n_out);  // in 1/(2 n_out)
    const Word first = position / (2 * n_out), rest = position % (2 * n_out);
    return {first, std::min(first + 1, n_in - 1), to_word(rne_divide(Big(rest) * 2048, 2 * n_out))};
}

Words resize(const Resize& form, const Words& image, const ImageShape& shape) {
    const auto height = form.crop_height ? form.crop_height : form.height, width = form.crop_width ? form.crop_width : form.width;
    Words out;
    for (std::int64_t plane = 0; plane < shape.batch * shape.channels; ++plane) {
        for (std::int64_t y = 0; y < height; ++y) {
            const auto down = tap(y, shape.height, form.height);
            for (std::int64_t x = 0; x < width; ++x) {
                const auto across = tap(x, shape.width, form.width);
                Big sum = 0;
                for (const auto& [row, row_weight] : {std::pair{down.first, 2048 - down.weight}, std::pair{down.second, down.weight}}) {
                    for (const auto& [column, column_weight] : {std::pair{across.first, 2048 - across.weight}, std::pair{across.second, across.weight}}) {
                        sum += Big(row_weight * column_weight) * image.at(static_cast<std::size_t>((plane * shape.height + row) * shape.width + column));
                    }
                }
                out.push_back(to_word(saturate(rne(sum, 22 - form.guard_bits), form.bits)));
            }
        }
    }
    return out;
}

}  // namespace prelude::oracle
