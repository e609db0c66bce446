// SPDX-License-Identifier: Apache-2.0
#include "quant/onednn_version.hpp"

#include <dnnl.hpp>
#include <fmt/format.h>

namespace prelude::quant {

std::string onednn_version() {
    const auto* version = dnnl_version();
    return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace prelude::quant
