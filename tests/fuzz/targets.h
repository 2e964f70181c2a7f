// The fuzz targets: each gives bytes that anybody may have made to one family of readers. They may
// refuse them with an hanok::Error; anything else (a crash, another exception, a sanitizer's
// finding, too much time or memory) is a fault. `./dev fuzz` looks for such bytes, and
// corpus_test.cpp runs the committed ones in every build.
#pragma once

#include <string>
#include <vector>

#include "tests/fuzz/byte_source.h"

namespace hanok::fuzz {

struct Target {
  const char* name;  // of its folder in tests/fuzz/corpus, too
  void (*run)(Bytes bytes);
};
/// In the order in which `./dev fuzz` runs them.
const std::vector<Target>& targets();
/// Null if there is none of that name.
const Target* find_target(const std::string& name);

// ---- images.cpp: decode_image(), and what else looks into photographs ----
void run_jpeg(Bytes bytes);
void run_png(Bytes bytes);
void run_webp(Bytes bytes);
void run_gif(Bytes bytes);
void run_tiff(Bytes bytes);
void run_bmp(Bytes bytes);
void run_orientation(Bytes bytes);
void run_image_header(Bytes bytes);

// ---- weight_files.cpp ----
void run_pth(Bytes bytes);
void run_pickle(Bytes bytes);
void run_zip(Bytes bytes);
void run_safetensors(Bytes bytes);
void run_wheel(Bytes bytes);
void run_names(Bytes bytes);

// ---- tables.cpp ----
void run_csv(Bytes bytes);
void run_labels(Bytes bytes);
void run_folds(Bytes bytes);
void run_corrections(Bytes bytes);

// ---- shards.cpp ----
void run_shards(Bytes bytes);

// ---- options.cpp ----
void run_config(Bytes bytes);
void run_augmentation(Bytes bytes);

// ---- run_folder.cpp ----
void run_run_folder(Bytes bytes);
void run_checkpoint(Bytes bytes);

// ---- standard_input.cpp ----
void run_standard_input(Bytes bytes);

}  // namespace hanok::fuzz
