// SPDX-License-Identifier: Apache-2.0
#pragma once

// Everything the configuration keys of one design point resolve to: plain values with their defaults.
// The key table (keys.hpp) documents each and is the only way in from text.

#include "models/data/mask_folder.hpp"
#include "models/graph/sam_config.hpp"
#include "models/stress.hpp"
#include "quant/settings.hpp"
#include "sim/design.hpp"
#include "sim/mapping/mapping.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prelude::experiments {

/// `model.config.*`: what tensors cannot tell, or what differs from the preset. Empty: the preset's, or inferred from the checkpoint.
struct ModelConfig {
    std::optional<int> image_size, patch_size;
    std::optional<int> width, mlp_width, depth, num_heads, window_size;
    std::optional<std::vector<int>> global_blocks;
    std::optional<bool> relative_positions;
    std::optional<int> prompt_width, mask_in_channels, decoder_depth, decoder_heads, decoder_mlp_width, decoder_downsample;
    std::optional<int> num_multimask_outputs, iou_head_depth, iou_head_width;
    friend bool operator==(const ModelConfig&, const ModelConfig&) = default;

    /// What is set here, as the checkpoint reader takes it.
    [[nodiscard]] models::PartialSamConfig partial() const;
    /// Replaces in `config` what is set here.
    void apply(models::SamConfig& config) const;
};

/// sam: a Segment Anything Model; layers: a list of operators, shapes only.
enum class ModelKind { sam, layers };

/// What model.checkpoint says where shapes are all there is.
inline constexpr std::string_view kNoWeights = "none";

struct ModelSettings {
    ModelKind kind = ModelKind::sam;
    std::string preset = "sam_nano";  ///< sam_nano | sam_vit_b | sam_vit_l | sam_vit_h | custom
    std::string checkpoint;           ///< path; "": the weights shipped with the preset, else shapes only; "none": shapes only
    std::string path;                 ///< of the list of layers
    ModelConfig config;
    models::StressSettings stress;
    friend bool operator==(const ModelSettings&, const ModelSettings&) = default;
};

enum class DataKind { phantom, scene, coco, masks };
enum class DataSplit { train, dev, test };
enum class PromptKind { box, point };

/// What ranks the masks of a detector's boxes: the detector, the network's own estimate of its mask, or both multiplied.
enum class MaskScore { detector, predicted_iou, product };
/// How many detections of an image and category count: pycocotools' 1, 10, 100 or mmdet's 100, 300, 1000.
enum class DetectionLimits { coco, mmdet };

struct DataSettings {
    std::vector<DataKind> kinds{DataKind::phantom, DataKind::scene};
    DataSplit split = DataSplit::test;
    std::string path;   ///< COCO-format data set, or folder of pictures and masks
    std::string boxes;  ///< detections in COCO's result format; "": the annotations' boxes
    models::MaskReading masks;
    int num_images = 16;
    int prompts_per_image = 4;
    std::vector<PromptKind> prompts{PromptKind::box, PromptKind::point};
    int max_detections = 100;  ///< of `boxes`, per image, that average precision is measured on; 0: it is not
    MaskScore score = MaskScore::product;
    DetectionLimits detection_limits = DetectionLimits::coco;
    bool boundary = false;  ///< whether distances between boundaries are measured
    std::uint64_t seed = 1;
    friend bool operator==(const DataSettings&, const DataSettings&) = default;
};

enum class WorkloadParts { encoder, decoder, all };

/// What one row of the results executes: one image through the encoder, some prompts through the decoder.
struct WorkloadSettings {
    int prompts_per_image = 1;
    PromptKind prompt = PromptKind::box;
    WorkloadParts parts = WorkloadParts::all;
    friend bool operator==(const WorkloadSettings&, const WorkloadSettings&) = default;
};

enum class SweepStrategy { grid, random };
/// Where operand toggle rates come from.
enum class ToggleSource { assumed, measured };

/// What a key of swept keys says where nothing is asked for.
inline constexpr std::string_view kNone = "none";

struct SweepSettings {
    SweepStrategy strategy = SweepStrategy::grid;
    std::int64_t samples = 64;
    std::uint64_t seed = 1;
    std::vector<std::string> constraints;
    std::vector<std::string> maximize{"miou"};
    std::vector<std::string> minimize{"latency_ms", "power_w"};
    bool prune = false;          ///< points that cannot reach the Pareto front are not simulated
    ToggleSource toggles = ToggleSource::assumed;
    std::string compare{kNone};  ///< swept keys joined by commas: what is compared after the sweep
    std::string table_rows{kNone}, table_columns{kNone}, table_cell = "miou";
    friend bool operator==(const SweepSettings&, const SweepSettings&) = default;
};

/// `hw.mapping`: mappings used as given.
struct MappingSettings {
    std::string path;                         ///< "": none
    std::vector<sim::PinnedMapping> entries;  ///< what the file says, as the configuration read it
    friend bool operator==(const MappingSettings&, const MappingSettings&) = default;
};

struct Settings {
    ModelSettings model;
    DataSettings data;
    quant::Settings quant;
    sim::Design hw = default_design();
    MappingSettings mapping;
    std::string cost_table = "default";
    WorkloadSettings workload;
    SweepSettings sweep;

    /// Before the device file is read, a design knows its device by name alone.
    [[nodiscard]] static sim::Design default_design() {
        sim::Design design;
        design.device.name = "zcu102";
        return design;
    }
};

}  // namespace prelude::experiments
