// SPDX-License-Identifier: Apache-2.0
#pragma once

// Terms of the cost table fitted to the reports of a user's own builds, and how far predictions are off before and after.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/hls/builds.hpp"
#include "sim/cost/cost_table.hpp"

namespace prelude::experiments {

/// Share by which a build differs from sums of priced counts even with the right prices: what the fit takes as noise.
inline constexpr double kBuildNoise = 0.05;
/// A term is fitted where the reports narrow its deviation by at least this share; of the others they say next to nothing.
inline constexpr double kLeastNarrowing = 0.1;
/// Designs that a fit needs: leaving one out has to leave two.
inline constexpr std::size_t kFewestBuilds = 3;

/// Of predictions, over all reports of a resource, in percent of what was measured.
struct FitError {
    double mean_pct = 0, worst_pct = 0;
    std::string worst;  ///< the design
};

struct FittedTerm {
    std::string term;
    sim::Figure before, after;
};

/// Of the counts of a term over the designs that were measured.
struct CountRange {
    double least = 0, most = 0;
};

/// A term that stays as it was, and why.
struct KeptTerm {
    std::string term, reason;
};

struct ResourceFit {
    std::string resource;         ///< lut | ff | dynamic_w
    std::size_t num_reports = 0;  ///< that say something of it
    std::vector<std::string> builds;
    FitError before, left_out;  ///< left_out: every design predicted by the fit of the others
    std::string not_fitted;     ///< why not; empty: fitted
    std::vector<FittedTerm> terms;
    std::vector<KeptTerm> kept;
    std::map<std::string, CountRange, std::less<>> seen;  ///< of every term that a design has
};

/// Of one device family and DSP generation.
struct CostFit {
    std::string family, dsp_generation;
    std::vector<std::string> builds;
    std::vector<ResourceFit> resources;
    sim::CostTable table;  ///< the whole table, fitted terms replaced
    std::vector<std::string> notes;
    [[nodiscard]] bool is_fitted() const noexcept;
    [[nodiscard]] std::string group() const { return family + "_" + dsp_generation; }
};

/// Fits what the reports of these builds say something about.
///
/// Meaning   lut = (fixed + sum count * term) * band.lut after implementation, without the factor after synthesis, times csynth.lut in a csynth report; ff alike;
///           dynamic_w = fixed + sum count * term in the energies of the family, at the resources of the table as it was
/// Prior     every term's present value; its deviation from its band (80 %): (high - low) / 2.56. A term without a band stays. Of the others the one that
///           the reports narrow least is held as it is until they narrow every one by kLeastNarrowing. Fit: product_fit.hpp, noise kBuildNoise
/// Status    calibrated, if predictions of designs left out one by one are better than those of the table as it was; else everything is kept. Bands: the wider of
///           the fit's own deviation and what left-out designs were off; of the factors the fit's alone
/// Limits    builds are of one family and DSP generation, `costs` is the table they were priced with
/// Throws    models::InputError where two reports of a build measure one thing differently
[[nodiscard]] CostFit fit_costs(std::span<const Build> builds, const sim::CostTable& costs);

/// A design's count outside of what the fit saw.
struct Extrapolation {
    std::string resource, term;
    double count = 0;
    std::optional<CountRange> seen;  ///< none: no design has it
};
/// Where a prediction with the fitted table leaves the range of the fit, fitted terms or not. Terms that the design does not use are not listed, nor are resources
/// that were not fitted.
[[nodiscard]] std::vector<Extrapolation> extrapolations(const CostFit& fit, const Expected& design);

/// What a table makes of a design's counts: LUT, FF after implementation, dynamic power.
struct Repriced {
    double lut = 0, ff = 0, dynamic_w = 0;
};
[[nodiscard]] Repriced repriced(const Expected& design, const sim::CostTable& costs);

}  // namespace prelude::experiments
