#include "tests/fuzz/targets.h"

namespace hanok::fuzz {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = {
      {"jpeg", run_jpeg},
      {"png", run_png},
      {"webp", run_webp},
      {"gif", run_gif},
      {"tiff", run_tiff},
      {"bmp", run_bmp},
      {"orientation", run_orientation},
      {"image_header", run_image_header},
      {"pth", run_pth},
      {"pickle", run_pickle},
      {"zip", run_zip},
      {"safetensors", run_safetensors},
      {"wheel", run_wheel},
      {"names", run_names},
      {"csv", run_csv},
      {"labels", run_labels},
      {"folds", run_folds},
      {"corrections", run_corrections},
      {"shards", run_shards},
      {"config", run_config},
      {"augmentation", run_augmentation},
      {"run_folder", run_run_folder},
      {"checkpoint", run_checkpoint},
      {"standard_input", run_standard_input},
  };
  return all;
}

const Target* find_target(const std::string& name) {
  for (const Target& target : targets()) {
    if (name == target.name) return &target;
  }
  return nullptr;
}

}  // namespace hanok::fuzz
