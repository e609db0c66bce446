// SPDX-License-Identifier: Apache-2.0
#include "models/checkpoint/tensor_file.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <limits>

#include "models/checkpoint/problems.hpp"

namespace prelude::models {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian and are viewed in place");

namespace {

struct TypeEntry {
    ElementType type;
    std::string_view name;
    std::size_t bytes;
};

constexpr std::array kTypes = {
    TypeEntry{ElementType::f64, "F64", 8},      TypeEntry{ElementType::f32, "F32", 4}, TypeEntry{ElementType::f16, "F16", 2},
    TypeEntry{ElementType::bf16, "BF16", 2},    TypeEntry{ElementType::i64, "I64", 8}, TypeEntry{ElementType::i32, "I32", 4},
    TypeEntry{ElementType::i16, "I16", 2},      TypeEntry{ElementType::i8, "I8", 1},   TypeEntry{ElementType::u64, "U64", 8},
    TypeEntry{ElementType::u32, "U32", 4},      TypeEntry{ElementType::u16, "U16", 2}, TypeEntry{ElementType::u8, "U8", 1},
    TypeEntry{ElementType::boolean, "BOOL", 1},
};

const TypeEntry& entry(ElementType type) noexcept {
    return kTypes[static_cast<std::size_t>(type)];
}

}  // namespace

std::size_t size_in_bytes(ElementType type) noexcept {
    return entry(type).bytes;
}
std::string_view name_of(ElementType type) noexcept {
    return entry(type).name;
}

std::optional<ElementType> element_type_named(std::string_view name) noexcept {
    for (const auto& candidate : kTypes) {
        if (candidate.name == name) return candidate.type;
    }
    return std::nullopt;
}

bool is_floating_point(ElementType type) noexcept {
    return type == ElementType::f64 || type == ElementType::f32 || type == ElementType::f16 || type == ElementType::bf16;
}

float half_to_float(std::uint16_t bits) noexcept {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t fraction = bits & 0x3ffu;
    if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact
        const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
    }
    const std::uint32_t biased = exponent == 31 ? 255u : exponent + (127u - 15u);
    return std::bit_cast<float>(sign | biased << 23 | fraction << 13);
}

float bfloat16_to_float(std::uint16_t bits) noexcept {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

std::optional<std::uint64_t> checked_num_bytes(const std::vector<std::int64_t>& extents, std::size_t element_bytes) noexcept {
    std::int64_t bytes = static_cast<std::int64_t>(element_bytes);
    bool empty = false;
    for (auto extent : extents) {
        if (extent < 0) return std::nullopt;
        if (extent == 0) {
            empty = true;  // go on: the other extents must multiply within range too, whatever order they come in
        } else if (__builtin_mul_overflow(bytes, extent, &bytes)) {
            return std::nullopt;
        }
    }
    return empty ? 0 : static_cast<std::uint64_t>(bytes);
}

const RawTensor& TensorFile::tensor(std::string_view name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) Problems(file_).fail(fmt::format("no tensor {}", in_quotes(name)));
    return found->second;
}

void TensorFile::add(std::string name, RawTensor tensor) {
    const auto bytes = checked_num_bytes(tensor.shape.extents(), size_in_bytes(tensor.type));
    check(bytes == tensor.bytes.size(), "tensor file: bytes differ from type and shape");
    check(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_in_bytes(tensor.type) == 0 || tensor.bytes.empty(),
          "tensor file: unaligned tensor");
    check(tensors_.emplace(std::move(name), std::move(tensor)).second, "tensor file: name used twice");
}

const RawTensor& TensorFile::typed(std::string_view name, ElementType type) const {
    const auto& raw = tensor(name);
    const bool bool_as_byte = raw.type == ElementType::boolean && type == ElementType::u8;
    if (raw.type != type && !bool_as_byte) {
        Problems(file_).fail(fmt::format("{}: stored as {}, needed as {}", in_quotes(name), name_of(raw.type), name_of(type)));
    }
    return raw;
}

}  // namespace prelude::models
