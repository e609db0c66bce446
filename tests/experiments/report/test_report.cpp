// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "experiments/hash.hpp"
#include "experiments/report/report.hpp"
#include "tests/support/program.hpp"

using namespace prelude::experiments;
using namespace prelude::testing;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

constexpr const char* kHostile = "</script><script>alert(1)</script>@data@ \"quoted\" & <b>";

struct Sweep {
    TemporaryFolder folder;
    Store store{folder / "results.db"};
    SweepInfo info;

    explicit Sweep(int num_points) {
        info.source = std::string("dir/") + "a&b<c>.yaml";
        info.resolved_yaml = kHostile;
        info.swept = {"quant.groups"};
        info.layer_columns = {"layer", "cycles", "bound"};
        info.maximize = {"miou"};
        info.minimize = {"latency_ms"};
        info.warnings = {kHostile};
        auto transaction = store.transaction();
        store.begin(info, {});
        for (int i = 0; i < num_points; ++i) {
            Row row{i,
                    {{"point", std::to_string(i)},
                     {"status", "ok"},
                     {"reason", kHostile},
                     {"quant.groups", kHostile},
                     {"miou", "0.5"},
                     {"latency_ms", "3"}},
                    {}};
            for (int layer = 0; layer < 60; ++layer) row.layers.push_back({kHostile, "5", "compute"});
            store.put_row(row, std::vector<std::string>{sha256("task")});
        }
        transaction.commit();
    }
    [[nodiscard]] std::string page() const { return report_html(Results::of(store), store, folder.path()); }
};

/// The text of the JSON element.
nlohmann::json data_in(const std::string& page) {
    const std::string begin = "<script type=\"application/json\" id=\"data\">";
    const auto start = page.find(begin) + begin.size();
    return nlohmann::json::parse(page.substr(start, page.find("</script>", start) - start));
}

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

}  // namespace

TEST_CASE("The report loads nothing and carries its script and data inside") {
    const auto page = Sweep(2).page();
    CHECK_THAT(page, Catch::StartsWith("<!DOCTYPE html>") && Contains("default-src 'none'") && Contains("Chart.js v"));
    CHECK(count(page, " src=\"") == 0);
    CHECK(count(page, "<link") == 0);
    CHECK(count(page, "</script>") == 3);
    CHECK(data_in(page).at("rows").size() == 2);
}

TEST_CASE("No text of the user's can leave its place in the report") {
    const auto page = Sweep(1).page();
    CHECK(page.find("<script>alert") == std::string::npos);
    CHECK_THAT(page, Contains("<title>a&amp;b&lt;c&gt;.yaml</title>"));
    const auto data = data_in(page);
    CHECK(data.at("resolved_yaml") == kHostile);
    CHECK(data.at("warnings").at(0) == kHostile);
    CHECK(data.at("layers").at("0").at(0).at(0) == kHostile);
}

TEST_CASE("Of very many points the report carries the layers of the first ones") {
    const auto data = data_in(Sweep(1000).page());
    CHECK(data.at("rows").size() == 1000);
    CHECK(data.at("layers").size() == kMaxReportLayers / 60);
}
