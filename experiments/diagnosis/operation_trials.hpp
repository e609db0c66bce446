// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "experiments/diagnosis/cause.hpp"
#include "experiments/diagnosis/evidence.hpp"
#include "experiments/diagnosis/node_trial.hpp"

namespace prelude::experiments {

/// Tries operations that differ from the right one in one way.
template <class Form>
class OperationTrials {
  public:
    OperationTrials(const Evidence& evidence, const NodeTrial& trial)
        : evidence_(evidence), trial_(trial), form_(std::get<Form>(trial.operation())) {}

    template <class Plant>
    void operator()(Cause cause, std::string detail, const Plant& plant) {
        auto form = form_;
        plant(form);
        if (form != form_ && trial_.fits(form) && evidence_.equals(trial_.words(form))) findings_.push_back({cause, std::move(detail)});
    }
    [[nodiscard]] const Form& form() const noexcept { return form_; }
    std::vector<Finding> take() { return std::move(findings_); }

  private:
    const Evidence& evidence_;
    const NodeTrial& trial_;
    const Form& form_;
    std::vector<Finding> findings_;
};

}  // namespace prelude::experiments
