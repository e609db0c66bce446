// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "experiments/dumps/word_format.hpp"
#include "models/tensor.hpp"

namespace prelude::experiments {

/// A tensor as the formats of dumps write it.
struct DumpTensor {
    std::string name;  ///< C identifier of the array of a header
    WordFormat word;
    models::Shape shape;
    std::span<const std::int64_t> words;  ///< C order
    std::function<double(std::uint64_t index, std::int64_t word)> real{};  ///< value of a word; needed for dumps in real units
};

/// The bytes of a dump file.
///
/// Contract  open_words() of the same word format and packing gives the words back
///   npy      integers of word.storage_bytes(), little-endian, C order, version 1.0
///   binary   the same without a head
///   hex      two's complement of word.bits, packing.elements_per_word() a line, the digits packing.word_bits need; a last line is filled with zeros
///   decimal  a row of the last axis a line, blanks between words
///   cosim    one transaction, a word a line, digits for word.storage_bytes()
///   real     as decimal, the shortest digits that give each value back
///   header   `static const int8_t NAME[2][3] = {...};`
/// Limits    words lie in the format (checked)
[[nodiscard]] std::string dump_text(DumpFormat format, const DumpTensor& tensor, const Packing& packing = {});

}  // namespace prelude::experiments
