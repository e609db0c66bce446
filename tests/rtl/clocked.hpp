// SPDX-License-Identifier: Apache-2.0
#pragma once

// A verilated module with one clock: inputs are set before an edge, outputs read behind it.

#include <verilated.h>

#include <cstdint>
#include <memory>

namespace prelude::rtl {

/// Contract  inputs changed between ticks are what the next rising edge samples; outputs are those of the registers behind it
template <class Module>
class Clocked final {
  public:
    Clocked() : context_(std::make_unique<VerilatedContext>()), module_(std::make_unique<Module>(context_.get())) {
        module_->clk = 0;
        module_->eval();
    }
    ~Clocked() { module_->final(); }

    /// Outputs that depend on inputs of the same cycle.
    void eval() { module_->eval(); }
    void tick() {
        module_->clk = 1;
        module_->eval();
        module_->clk = 0;
        module_->eval();
        ++cycles_;
    }
    Module* operator->() noexcept { return module_.get(); }
    Module& operator*() noexcept { return *module_; }
    [[nodiscard]] std::int64_t cycles() const noexcept { return cycles_; }

  private:
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Module> module_;
    std::int64_t cycles_ = 0;
};

/// The low bits of a signed word, as a port takes them.
[[nodiscard]] constexpr std::uint64_t port_bits(std::int64_t word, int bits) noexcept {
    return bits >= 64 ? static_cast<std::uint64_t>(word) : static_cast<std::uint64_t>(word) & ((std::uint64_t{1} << bits) - 1);
}
/// A signed word from a port's low bits.
[[nodiscard]] constexpr std::int64_t signed_word(std::uint64_t port, int bits) noexcept {
    return static_cast<std::int64_t>(port << (64 - bits)) >> (64 - bits);
}

}  // namespace prelude::rtl
