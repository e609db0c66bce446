// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "experiments/config/configuration.hpp"

namespace prelude::experiments {

/// Adds what is wrong with sweep.compare and sweep.table: keys that are not swept, half a table, an unknown column.
void check_tables(const Configuration& configuration, Problems& problems);

}  // namespace prelude::experiments
