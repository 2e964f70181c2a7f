// The pretrained models that can be fetched, and where fetched files are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hanok::weights {

/// One published file with the ImageNet-1k weights of one model.
struct CatalogueEntry {
  std::string name;   // what the user asks for: "resnet50", "resnet50-v2"
  std::string model;  // the architecture: "resnet50"
  std::string url;
  std::optional<std::int64_t> size;  // bytes, where known exactly
  double mebibytes = 0;              // size as published, to three decimals
  /// All 64 hexadecimal digits where known, else the 8 that the publisher put into the file's name.
  std::string sha256;
  double top1 = 0;  // per cent of ImageNet's validation images, as published
  std::int64_t parameters = 0;
  std::int64_t resize = 256;  // pixels of the shorter side before the crop, at which top1 holds
  std::int64_t crop = 224;

  bool sha256_is_complete() const { return sha256.size() == 64; }
  /// "resnet18-f37072fd.pth"
  std::string file_name() const;
};

/// Licence of all entries' files, and where their figures come from.
extern const char* const kCatalogueLicence;
extern const char* const kCatalogueSource;

const std::vector<CatalogueEntry>& catalogue();
/// Throws ValueError with near names.
const CatalogueEntry& find_in_catalogue(const std::string& name);

/// The folder of fetched files: $HANOK_HOME/weights, else hanok/weights in the user's cache
/// ($XDG_CACHE_HOME or ~/.cache). Throws ValueError if none of these variables is set.
std::string cache_folder();

}  // namespace hanok::weights
