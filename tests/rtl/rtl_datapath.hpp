// SPDX-License-Identifier: Apache-2.0
#pragma once

// Verilated engines and array in the place of the datapath's own: three dma_read, a dma_write, a tile_engine with its buffers. Controller, tokens, memory
// controller and DRAM, vector units and the score buffer stay those of sim/.
//
//   controller ─commands─► [ unit ] ─runs, tile products─► [ verilated models, one clock ] ─done─► tokens
//
// Limits  words of whole bytes at the engines and of 8 bits at the array; one sum an output; output stationary, no exchanged operands; no padded windows

#include <deque>

#include "BlockEngine.h"
#include "BlockLoad.h"
#include "BlockStore.h"
#include "sim/datapath/accelerator.hpp"
#include "tests/rtl/axi_engines.hpp"
#include "tests/rtl/dram_image.hpp"

namespace prelude::rtl {

/// The parameters the tile_engine was verilated with.
struct EngineShape {
    static constexpr int kRows = 8, kCols = 8, kDepth = 8, kDrainRows = 2, kSlotBlocks = 512, kSlotGroups = 1024, kAccBits = 63;
    static constexpr int kGroups = (kRows + kDrainRows - 1) / kDrainRows;
};

/// What differs from what it has to be; all zero when the models are right.
struct Differences {
    std::int64_t loaded_bytes = 0, stored_bytes = 0, relative_sums = 0;
};

class RtlDatapath;

/// A load or store engine as the controller sees it.
class RtlDma final : public sim::MemoryUnit {
  public:
    RtlDma(const char* name, sim::UnitId id, sim::Run& run, RtlDatapath& models) : MemoryUnit(name, id, run), models_(models) {}
    /// The oldest tile on its way is there.
    void tile_done();

  protected:
    Cycle execute(const sim::Command& command) override;

  private:
    RtlDatapath& models_;
    std::deque<const sim::Command*> open_;
};

/// The array as the controller sees it.
class RtlPeArray final : public sim::Unit {
  public:
    RtlPeArray(const char* name, sim::Run& run, RtlDatapath& models) : Unit(name, sim::UnitId::pe_array, run), models_(models) {}
    void finished(const sim::Command& command) { finish(command, sim::now()); }

  protected:
    Cycle execute(const sim::Command& command) override;

  private:
    RtlDatapath& models_;
};

class RtlDatapath final : public sc_core::sc_module {
  public:
    RtlDatapath(const sc_core::sc_module_name& name, sim::Run& run);

    /// Units in front of the models of `datapath`, which is made with the first of them.
    static sim::Substitutes substitutes(std::unique_ptr<RtlDatapath>& datapath);
    /// Compares what was stored since the last segment began.
    void end_segment();
    [[nodiscard]] const Differences& differences() const noexcept { return differences_; }

    /// A tile through the engine of `id`; returns when the engine works on its last run.
    void transfer(sim::UnitId id, const sim::Command& command, const std::vector<ByteRun>& runs, std::vector<std::uint8_t> bytes);

    /// A product of tiles on the array.
    struct Product {
        const sim::Command* command = nullptr;
        sim::Tile *left = nullptr, *sums = nullptr;
        bool from_scores = false, right_is_signed = true;
        std::int64_t left_zero = 0, right_zero = 0;
        quant::Term constant{};
        const quant::RelativePositionOp* relative = nullptr;
        bool is_product = false;                ///< of two values
        std::vector<std::int64_t> accumulators;  ///< [rows][cols], as they come
        [[nodiscard]] std::int64_t rows() const noexcept { return command->rows.size(); }
        [[nodiscard]] std::int64_t cols() const noexcept { return command->cols.size(); }
    };
    /// Returns when the last beat has left for the array.
    void multiply(Product product);

  private:
    friend class RtlDma;
    void clock();
    void begin_segment();
    void describe(sim::UnitId id, const sim::Command& command);
    void drive_descriptions();
    void drive_bytes(sim::UnitId id);
    void drive_product();
    void after_tick();
    void take_sums();
    void close(Product& product);
    LoadEngine<BlockLoad>& load_engine(sim::UnitId id) { return *loads_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] bool idle() const noexcept { return num_open_ == 0; }

    struct Description {
        sim::UnitId id{};
        std::int64_t tile = 0, slot = 0, line = 0, blocks = 0, bytes = 0;
        bool columns = false;
    };

    sim::Run& run_;
    const sim::Program* program_ = nullptr;
    DramImage image_, written_;
    Differences differences_;
    std::array<RtlDma*, 4> dmas_{};
    RtlPeArray* array_ = nullptr;
    std::vector<std::unique_ptr<LoadEngine<BlockLoad>>> loads_;
    std::unique_ptr<StoreEngine<BlockStore>> store_;
    Clocked<BlockEngine> engine_;
    std::array<std::deque<std::vector<std::uint8_t>>, 4> tiles_;  ///< by engine: bytes of the tiles not done
    std::array<std::int64_t, 4> num_submitted_{};
    std::deque<Description> descriptions_;
    std::deque<Product> waiting_, running_;
    bool loads_constant_ = false, walk_ended_ = false;
    quant::Term constant_{};
    std::vector<std::int32_t> score_words_;
    std::int64_t num_open_ = 0;
    sc_core::sc_event wake_, cycle_;
};

}  // namespace prelude::rtl
