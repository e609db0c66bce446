// SPDX-License-Identifier: Apache-2.0
#pragma once

// An evaluation that costs nothing and knows nothing: plausible figures computed from the settings, with the same task structure
// as the real one. Tests of the machinery of a sweep use it, in process and as a program (fake_explore).

#include <string>

#include "experiments/sweep/task_set.hpp"

namespace prelude::experiments {

/// Each field is also an environment variable of fake_explore: PRELUDE_FAKE_SLEEP_MS, ...
struct FakeBehaviour {
    int sleep_ms = 0;        ///< of every task
    std::string crash;       ///< kind of the tasks that end by a signal
    std::string refuse;      ///< kind of the tasks that throw
    std::string grandchild;  ///< kind of the tasks that leave a sleeping process behind, whose number goes to the log
    std::string log;         ///< file that gets a line "kind key threads" for every task that starts
    bool mismatch = false;   ///< the bit check finds a difference at 4 bits
    bool nothing_fits = false;
    bool shapes_only = false;          ///< no accuracy
    std::string status = "published";  ///< of all figures
};

[[nodiscard]] FakeBehaviour behaviour_from_environment();
[[nodiscard]] TaskSet fake_task_set(const FakeBehaviour& behaviour);

}  // namespace prelude::experiments
