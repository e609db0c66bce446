// SPDX-License-Identifier: Apache-2.0
#pragma once

// Dumps that are texts.

#include <filesystem>
#include <memory>

#include "experiments/dumps/word_reader.hpp"

namespace prelude::experiments {

/// $readmemh: words of hexadecimal digits, `_` between them, `@address` in words of the file, x and z for undefined digits.
///
/// Contract  a word whose digits beyond the format's bits are all 0, or all copies of the sign, is the format's word; of other digits it is what they say, unsigned.
///           An address behind the last word leaves undefined words between; one before it is refused
[[nodiscard]] std::unique_ptr<WordReader> open_hex(const std::filesystem::path& file, const DumpSource& source);
/// Numbers between blanks and commas; 12.0 and 1.2e1 are 12.
[[nodiscard]] std::unique_ptr<WordReader> open_decimal(const std::filesystem::path& file);
/// The same in real units: every number is the value of a word (DumpSource::word_of).
[[nodiscard]] std::unique_ptr<WordReader> open_real(const std::filesystem::path& file, const DumpSource& source);
/// [[[runtime]]] [[transaction]] n 0x... [[/transaction]] ... [[[/runtime]]]; all transactions, one behind the other.
[[nodiscard]] std::unique_ptr<WordReader> open_text_vectors(const std::filesystem::path& file, const DumpSource& source);
/// The first array initialiser of a C header: what stands between its first { and the semicolon.
[[nodiscard]] std::unique_ptr<WordReader> open_header(const std::filesystem::path& file);

}  // namespace prelude::experiments
