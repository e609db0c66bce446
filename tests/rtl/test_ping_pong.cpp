// SPDX-License-Identifier: Apache-2.0
// ping_pong.sv: words leave as they came, whoever waits; transfers take the cycles of sim/datapath/buffer.hpp.
#include <catch2/catch.hpp>

#include <deque>
#include <sstream>

#include "PingPong128.h"
#include "PingPong24.h"
#include "tests/rtl/row_stream.hpp"
#include "tests/sim/datapath/kernel_bench.hpp"

using namespace prelude;
using namespace prelude::rtl;

namespace {

/// Spreads a word over a port of any width: every 32 bits are others of it.
template <class Port>
void set_word(Port& port, int width, std::uint64_t word) {
    for (int at = 0; at < width; at += 32) {
        const auto part = word * (2U * static_cast<unsigned>(at) + 1) >> 16;
        set_field(port, static_cast<std::size_t>(at), std::min(32, width - at), static_cast<std::int64_t>(part));
    }
}
template <class Port>
[[nodiscard]] bool holds_word(const Port& port, int width, std::uint64_t word) {
    auto expected = port;
    set_word(expected, width, word);
    for (int at = 0; at < width; at += 32) {
        const auto bits = std::min(32, width - at);
        if (signed_field(port, static_cast<std::size_t>(at), bits) != signed_field(expected, static_cast<std::size_t>(at), bits)) return false;
    }
    return true;
}

/// A transfer: its words and how often it is read.
struct Transfer {
    std::vector<std::uint64_t> words;
    int reads = 1;
};

/// Passes transfers through the buffer; both sides wait now and then where `random` is given. Returns the differences found.
template <class Module>
std::int64_t pass_transfers(Clocked<Module>& unit, int width, const std::vector<Transfer>& transfers, tests::Random* random, std::int64_t& cycles) {
    std::int64_t differences = 0, first = unit.cycles(), idle = 0;
    std::size_t written = 0, write_at = 0, read = 0, fetched = 0;
    struct Fetch {
        std::uint64_t word;
        bool last;
    };
    std::deque<Fetch> expected;
    std::size_t fetch_transfer = 0;  // of the words that leave: transfers as often as they are read
    std::vector<const Transfer*> reads;
    for (const auto& transfer : transfers) {
        for (int i = 0; i < transfer.reads; ++i) {
            reads.push_back(&transfer);
            for (std::size_t w = 0; w < transfer.words.size(); ++w) expected.push_back({transfer.words[w], w + 1 == transfer.words.size()});
        }
    }
    while (!expected.empty()) {
        const bool offers = written < transfers.size() && !(random != nullptr && random->one_in(3));
        unit->valid_in = offers ? 1 : 0;
        if (offers) {
            const auto& words = transfers[written].words;
            set_word(unit->data_in, width, words[write_at]);
            unit->last_in = write_at + 1 == words.size();
        }
        unit->ready_out = random != nullptr && random->one_in(3) ? 0 : 1;
        unit.eval();
        // A word that is taken makes room for the next fetch; the buffer fetches a slot's words in order.
        const bool takes = unit->valid_out && unit->ready_out;
        if (takes) {
            differences += !holds_word(unit->data_out, width, expected.front().word) || (unit->last_out != 0) != expected.front().last ? 1 : 0;
            expected.pop_front();
            ++read;
        }
        // `again` belongs to the slot whose word is fetched now: the one behind the words that are out.
        const auto out = read + (unit->valid_out && !takes ? 1 : 0);
        while (fetch_transfer < reads.size() && out >= fetched + reads[fetch_transfer]->words.size()) fetched += reads[fetch_transfer++]->words.size();
        unit->again = fetch_transfer + 1 < reads.size() && reads[fetch_transfer] == reads[fetch_transfer + 1];
        unit.eval();
        if (offers && unit->ready_in && ++write_at == transfers[written].words.size()) write_at = 0, ++written;
        cycles = unit.cycles() - first + 1;
        unit.tick();
        idle = takes ? 0 : idle + 1;
        if (idle > 5'000) throw std::runtime_error("the buffer gives no more words");
    }
    unit->valid_in = 0;
    unit->ready_out = 0;
    return differences;
}

template <class Module>
void reset(Clocked<Module>& unit) {
    unit->reset = 1;
    unit.tick();
    unit->reset = 0;
}

std::vector<Transfer> make_transfers(tests::Random& random, std::int64_t count, std::int64_t words, int most_reads) {
    std::vector<Transfer> transfers(static_cast<std::size_t>(count));
    for (auto& transfer : transfers) {
        for (std::int64_t w = 0; w < words; ++w) transfer.words.push_back(random.bits());
        transfer.reads = static_cast<int>(random.in(1, most_reads));
    }
    return transfers;
}

template <class Module>
void compare(int width, std::int64_t depth, std::int64_t words) {
    tests::Random random(static_cast<std::uint64_t>(width));
    Clocked<Module> unit;
    reset(unit);
    std::int64_t passed = 0, differences = 0, cycles = 0;
    while (passed < words) {
        std::vector<Transfer> transfers;
        for (int i = 0; i < 12; ++i) {
            const auto some = make_transfers(random, 1, random.one_in(5) ? depth : random.in(1, std::min<std::int64_t>(depth, 40)), 3);
            transfers.push_back(some.front());
            passed += static_cast<std::int64_t>(some.front().words.size()) * some.front().reads;
        }
        differences += pass_transfers(unit, width, transfers, random.one_in(3) ? nullptr : &random, cycles);
    }
    INFO(passed << " words of " << width << " bits");
    CHECK(differences == 0);
}

/// A client of the TLM buffer.
struct Client : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Client> tile_out{"tile_out"};
    explicit Client(const sc_core::sc_module_name& name) : sc_module(name) {}
    sim::Cycle access(int slot, bool write, std::int64_t bits, sim::Cycle from) {
        tlm::tlm_generic_payload payload;
        sim::TileExtension extension;
        extension.bits = bits;
        payload.set_extension(&extension);
        payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        payload.set_address(static_cast<sc_dt::uint64>(slot));
        auto delay = sim::ticks(from);
        tile_out->b_transport(payload, delay);
        payload.clear_extension(&extension);
        return static_cast<sim::Cycle>(delay.value());
    }
};

/// What the TLM buffer takes for transfers that ping-pong, one time per shape: rows are transfers, words their bits.
std::vector<std::int64_t> simulated(int width, const std::vector<Shape>& all) {
    const auto text = sim::testing::in_kernel([&] {
        sim::Buffer buffer("buffer", width);
        Client client("client");
        client.tile_out.bind(buffer.tile_in);
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
        std::ostringstream out;
        for (const auto& shape : all) {
            buffer.reset(false);
            std::vector<sim::Cycle> is_written, is_read;
            for (std::int64_t t = 0; t < shape.rows; ++t) {
                const auto at = static_cast<std::size_t>(t);
                const auto slot = static_cast<int>(t % 2);
                is_written.push_back(client.access(slot, true, shape.words, std::max(at > 0 ? is_written[at - 1] : 0, at > 1 ? is_read[at - 2] : 0)));
                is_read.push_back(client.access(slot, false, shape.words, std::max(is_written[at], at > 0 ? is_read[at - 1] : 0)));
            }
            out << is_read.back() << ' ';
        }
        return out.str();
    });
    std::istringstream in(text);
    std::vector<std::int64_t> cycles;
    for (std::int64_t count = 0; in >> count;) cycles.push_back(count);
    return cycles;
}

}  // namespace

TEST_CASE("Words leave a ping-pong buffer as they came, slots that are read again too, whoever waits", "[rtl]") {
    compare<PingPong128>(128, 512, 300'000);
    compare<PingPong24>(24, 37, 800'000);
}

TEST_CASE("Transfers that ping-pong take the cycles of the TLM buffer, and one for the memory", "[rtl]") {
    constexpr int kWidth = 24;
    std::vector<Shape> all;
    for (const std::int64_t bits : {1, 23, 24, 25, 47, 97, 240, 509, 36 * 24, 37 * 24 - 1, 37 * 24}) {
        for (const std::int64_t transfers : {1, 2, 3, 7, 16, 29}) all.push_back({transfers, bits});
    }
    const auto expected = simulated(kWidth, all);
    REQUIRE(expected.size() == all.size());
    tests::Random random(5);
    Clocked<PingPong24> unit;
    reset(unit);
    for (std::size_t i = 0; i < all.size(); ++i) {
        INFO(all[i].rows << " transfers of " << all[i].words << " bits");
        std::int64_t cycles = 0;
        CHECK(pass_transfers(unit, kWidth, make_transfers(random, all[i].rows, (all[i].words + kWidth - 1) / kWidth, 1), nullptr, cycles) == 0);
        CHECK(cycles == expected[i] + 1);
    }
}
