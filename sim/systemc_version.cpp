// SPDX-License-Identifier: Apache-2.0
#include "sim/systemc_version.hpp"

#include <systemc>

namespace prelude::sim {

std::string systemc_version() { return sc_core::sc_release(); }

}  // namespace prelude::sim
