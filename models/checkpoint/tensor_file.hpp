// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every checkpoint reader returns: named tensors as they are stored, before any conversion or renaming.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "models/tensor.hpp"

namespace prelude::models {

/// Element types of stored tensors; the names are those of the safetensors format.
enum class ElementType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

[[nodiscard]] std::size_t size_in_bytes(ElementType type) noexcept;
[[nodiscard]] std::string_view name_of(ElementType type) noexcept;  ///< "F32", "BOOL"
[[nodiscard]] std::optional<ElementType> element_type_named(std::string_view name) noexcept;
[[nodiscard]] bool is_floating_point(ElementType type) noexcept;

/// IEEE 754 binary16 to binary32; exact, NaN payloads kept.
[[nodiscard]] float half_to_float(std::uint16_t bits) noexcept;
/// bfloat16 to binary32: the upper half of the word; exact.
[[nodiscard]] float bfloat16_to_float(std::uint16_t bits) noexcept;

/// Bytes of a tensor, or nothing if the number does not fit 63 bits or an extent is negative.
[[nodiscard]] std::optional<std::uint64_t> checked_num_bytes(const std::vector<std::int64_t>& extents, std::size_t element_bytes) noexcept;

/// One stored tensor: row-major, little-endian, contiguous, aligned to its element size.
struct RawTensor {
    ElementType type = ElementType::f32;
    Shape shape;
    std::span<const std::byte> bytes;  ///< owned by the TensorFile
};

/// Named tensors of one file, and whatever keeps their bytes alive (a mapping, buffers).
///
/// **Contract**
/// - every tensor's bytes have exactly the size that type and shape say, and the alignment of its elements
/// - copies share the bytes; nothing is written after reading
class TensorFile final {
  public:
    using Metadata = std::map<std::string, std::string, std::less<>>;

    explicit TensorFile(std::string file) : file_(std::move(file)) {}

    [[nodiscard]] const std::string& file() const noexcept { return file_; }  ///< for messages
    [[nodiscard]] const std::map<std::string, RawTensor, std::less<>>& tensors() const noexcept { return tensors_; }
    [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
    [[nodiscard]] bool contains(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
    /// Throws    CheckpointError if there is no such tensor
    [[nodiscard]] const RawTensor& tensor(std::string_view name) const;

    /// The elements of a tensor in place, without a copy.
    ///
    /// Limits    T is float, double or an integer type of the stored width and signedness; std::uint8_t also reads BOOL.
    ///           F16 and BF16 have no C++ type here: use `tensor(name).bytes` or Weights
    /// Throws    CheckpointError if there is no such tensor or it is stored as another type
    template <class T>
    [[nodiscard]] std::span<const T> view(std::string_view name) const {
        const auto& raw = typed(name, element_type_of<T>());
        return {reinterpret_cast<const T*>(raw.bytes.data()), raw.bytes.size() / sizeof(T)};
    }

    template <class T>
    [[nodiscard]] static constexpr ElementType element_type_of() noexcept {
        static_assert(std::is_same_v<T, float> || std::is_same_v<T, double> || (std::is_integral_v<T> && !std::is_same_v<T, bool>));
        if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 8 ? ElementType::f64 : ElementType::f32;
        if constexpr (std::is_signed_v<T>) {
            return sizeof(T) == 8   ? ElementType::i64
                   : sizeof(T) == 4 ? ElementType::i32
                   : sizeof(T) == 2 ? ElementType::i16
                                    : ElementType::i8;
        } else {
            return sizeof(T) == 8   ? ElementType::u64
                   : sizeof(T) == 4 ? ElementType::u32
                   : sizeof(T) == 2 ? ElementType::u16
                                    : ElementType::u8;
        }
    }

    // For the readers.
    void add(std::string name, RawTensor tensor);
    void set_metadata(Metadata metadata) { metadata_ = std::move(metadata); }
    void keep_alive(std::shared_ptr<const void> owner) { owners_.push_back(std::move(owner)); }
    [[nodiscard]] const std::vector<std::shared_ptr<const void>>& owners() const noexcept { return owners_; }

  private:
    [[nodiscard]] const RawTensor& typed(std::string_view name, ElementType type) const;

    std::string file_;
    std::map<std::string, RawTensor, std::less<>> tensors_;
    Metadata metadata_;
    std::vector<std::shared_ptr<const void>> owners_;
};

}  // namespace prelude::models
