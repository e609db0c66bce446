// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain results as bytes, for the pipe between the simulating child and its parent (same program, same machine).

#include <array>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "models/tensor.hpp"
#include "sim/mapping/mapping.hpp"
#include "sim/stats.hpp"

namespace prelude::sim {

/// Writes when constructed empty, reads when constructed from bytes. Reading past the end is a programming error.
class Archive {
  public:
    Archive() = default;
    explicit Archive(std::string bytes) : bytes_(std::move(bytes)), reading_(true) {}
    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
    [[nodiscard]] bool at_end() const noexcept { return position_ == bytes_.size(); }

    template <class... T>
    void operator()(T&... fields) {
        (field(fields), ...);
    }

  private:
    void raw(void* data, std::size_t size) {
        if (size == 0) return;
        if (!reading_) {
            bytes_.append(static_cast<const char*>(data), size);
            return;
        }
        models::check(position_ + size <= bytes_.size(), "simulation result: truncated");
        std::memcpy(data, bytes_.data() + position_, size);
        position_ += size;
    }
    std::size_t size_of(std::size_t size) {
        auto value = static_cast<std::uint64_t>(size);
        raw(&value, sizeof value);
        return static_cast<std::size_t>(value);
    }

    template <class T>
        requires std::is_arithmetic_v<T> || std::is_enum_v<T>
    void field(T& value) {
        raw(&value, sizeof value);
    }
    void field(std::string& text) {
        text.resize(size_of(text.size()));
        raw(text.data(), text.size());
    }
    template <class T>
    void field(std::vector<T>& list) {
        list.resize(size_of(list.size()));
        if constexpr (std::is_arithmetic_v<T>) {
            raw(list.data(), list.size() * sizeof(T));
        } else {
            for (auto& item : list) field(item);
        }
    }
    template <class T, std::size_t N>
    void field(std::array<T, N>& list) {
        for (auto& item : list) field(item);
    }
    template <class K, class V>
    void field(std::map<K, V>& map) {
        auto size = size_of(map.size());
        if (!reading_) {
            for (auto& [key, value] : map) {
                auto copy = key;
                field(copy);
                field(value);
            }
            return;
        }
        for (; size > 0; --size) {
            K key{};
            field(key);
            field(map[key]);
        }
    }
    void field(models::IntTensor& tensor) {
        auto extents = tensor.shape().extents();
        std::vector<std::int32_t> words(tensor.values().begin(), tensor.values().end());
        field(extents);
        field(words);
        if (reading_) tensor = models::IntTensor(models::Shape(extents), std::move(words));
    }
    void field(TraceEvent& s) { (*this)(s.unit, s.waits, s.what, s.begin, s.end); }
    void field(UnitStats& s) { (*this)(s.busy_cycles, s.stall_cycles, s.num_commands); }
    void field(BufferStats& s) { (*this)(s.bits_read, s.bits_written, s.read_accesses, s.write_accesses); }
    void field(DramStats& s) {
        (*this)(s.bytes_read, s.bytes_written, s.bus_bytes, s.bursts, s.beats, s.row_hits, s.row_misses, s.turnarounds, s.refreshes);
    }
    void field(MacStats& s) { (*this)(s.useful, s.padding, s.recompute, s.idle); }
    void field(OperationKey& s) { (*this)(s.kind, s.left_bits, s.right_bits); }
    void field(ToggleStats& s) { (*this)(s.activation_toggles, s.activation_bits, s.weight_toggles, s.weight_bits, s.zero_codes, s.codes); }
    void field(Mapping& s) {
        (*this)(s.tile_rows, s.tile_cols, s.tile_depth, s.order, s.weight_stationary, s.swap, s.slots, s.score_slots, s.key_slots, s.keys_resident,
                s.estimated_cycles, s.infeasible);
    }
    void field(MappingProblem& s) { (*this)(s.field, s.text); }
    void field(Bounds& s) { (*this)(s.compute, s.memory, s.vector); }
    void field(SegmentStats& s) {
        (*this)(s.name, s.kind, s.nodes, s.part, s.block, s.mapping, s.reused, s.repeats, s.m, s.k, s.n, s.batch, s.left_bits, s.right_bits,
                s.cycles, s.bounds, s.roofline_cycles, s.macs, s.dram, s.bytes_produced, s.compulsory_bytes, s.weight_bytes, s.units,
                s.buffers, s.operations, s.toggles, s.shift_cycles, s.shift_only_cycles, s.overflows);
    }

    std::string bytes_;
    std::size_t position_ = 0;
    bool reading_ = false;
};

}  // namespace prelude::sim
