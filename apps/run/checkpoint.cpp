#include "hanok/apps/run/checkpoint.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string_view>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/apps/run/network.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/file_checksum.h"
#include "hanok/weights/fit_names.h"
#include "hanok/weights/imagenet_classes.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

using nlohmann::json;

constexpr int kCardVersion = 2;
constexpr int kCardVersionWithoutFaces = 1;
constexpr int kStateVersion = 1;
constexpr int kMostPixels = 8192;  // of a side; --image-size takes 4096

const std::string& need(const std::string& path, const std::map<std::string, std::string>& metadata,
                        const char* key) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) {
    throw FormatError(fmt::format(
        "{}: holds no \"{}\"; it is not a checkpoint of finetune (for bare weights give --model "
        "NAME --weights FILE)",
        path, key));
  }
  return found->second;
}

json preprocessing_to_json(const ModelCard& card) {
  const data::Preprocessing& p = card.preprocessing;
  json value = {{"resize", p.resize},
                {"image_size", p.image_size},
                {"mean", p.mean},
                {"stddev", p.stddev},
                {"grayscale", p.grayscale},
                {"filter", p.filter == data::Filter::Bilinear ? "bilinear" : "bicubic"}};
  if (card.face_crop) {
    value["crop"] = "face";
    value["face_margin"] = card.face_crop->margin;
    value["face_finder"] = card.face_crop->finder;
  }
  return value;
}

std::optional<FaceCrop> face_crop_from_json(const std::string& path, const json& value) {
  if (!value.contains("crop")) return {};
  const auto crop = value.at("crop").get<std::string>();
  if (crop != "face") throw FormatError(fmt::format("{}: unknown crop \"{}\"", path, crop));
  const FaceCrop face{.margin = value.at("face_margin").get<double>(),
                      .finder = value.at("face_finder").get<std::string>()};
  if (!(face.margin >= 0)) {
    throw FormatError(fmt::format("{}: face_margin is {}, expected 0 or more", path, face.margin));
  }
  return face;
}

data::Preprocessing preprocessing_from_json(const std::string& path, const json& value) {
  data::Preprocessing p;
  p.resize = value.at("resize").get<int>();
  p.image_size = value.at("image_size").get<int>();
  if (p.image_size < 1 || p.image_size > kMostPixels || p.resize < 0 || p.resize > kMostPixels) {
    throw FormatError(fmt::format("{}: images of {} pixels, resized to {}; at most {} are read",
                                  path, p.image_size, p.resize, kMostPixels));
  }
  p.mean = value.at("mean").get<std::array<float, 3>>();
  p.stddev = value.at("stddev").get<std::array<float, 3>>();
  p.grayscale = value.value("grayscale", false);
  const auto filter = value.at("filter").get<std::string>();
  if (filter != "bilinear" && filter != "bicubic") {
    throw FormatError(fmt::format("{}: unknown filter \"{}\"", path, filter));
  }
  p.filter = filter == "bilinear" ? data::Filter::Bilinear : data::Filter::Bicubic;
  return p;
}

/// "fc.weight" of the head "fc" -> its number of rows; 0 if the dictionary has no such tensor.
std::int64_t head_rows(const nn::StateDict& tensors, const std::string& head) {
  const Tensor* weight = tensors.find(head + ".weight");
  return weight == nullptr || weight->rank() < 1 ? 0 : weight->size(0);
}

/// A bare file's tensors by the names of `model`, whatever its number of classes.
weights::AlignedTensors align_bare(const std::string& path, const weights::WeightFile& file,
                                   const std::string& model, std::int64_t image_size) {
  constexpr std::int64_t kAnyClasses = 1000;
  const nn::WithoutInit without_init;
  const auto network = nn::make_model(model, kAnyClasses, image_size);
  try {
    return weights::align_names(
        file, {.model = model, .head = nn::head_name(model), .tensors = network->state_dict()});
  } catch (const ValueError& error) {
    throw FormatError(fmt::format("{}: {} (convert takes --rename)", path, error.what()));
  }
}

/// Throws FormatError for a record of more units than the file can have weights for: the network is
/// made before they are compared.
void check_sizes(const std::string& path, const ModelCard& card, const nn::StateDict& tensors) {
  std::int64_t values = 0;
  for (const auto& [name, tensor] : tensors) values += tensor.numel();
  std::vector<std::int64_t> units = card.hidden;
  units.push_back(static_cast<std::int64_t>(card.class_names.size()));
  std::int64_t before = 1;
  for (const std::int64_t count : units) {
    if (count < 1 || count > values / before) {
      throw FormatError(
          fmt::format("{}: its record has a layer of {} units, but its tensors have "
                      "{} values",
                      path, count, values));
    }
    before = count;
  }
  const std::int64_t side = card.preprocessing.image_size;
  if (nn::model_info(card.model).fixed_image_size && side > values / side) {
    throw FormatError(
        fmt::format("{}: its record has images of {} pixels, but its tensors have {} "
                    "values",
                    path, side, values));
  }
}

/// Names that may be the head by their shape, with the command that renames them.
std::string other_heads(const nn::StateDict& tensors, const nn::ModelInfo& info) {
  constexpr std::string_view kWeight = ".weight";
  for (const auto& [name, tensor] : tensors) {
    if (tensor.rank() == 2 && tensor.size(1) == info.head_features && name.ends_with(kWeight)) {
      const std::string found = name.substr(0, name.size() - kWeight.size());
      return fmt::format("; {} may be it: convert IN OUT.safetensors --rename {}={}", found, found,
                         info.head);
    }
  }
  return "; a network without a head cannot predict: finetune gives it a new one";
}

/// A line that names the first other model of the registry that takes the file; else empty.
std::string other_model_that_fits(const weights::WeightFile& file, const std::string& refused) {
  constexpr std::int64_t kAnyClasses = 1000;
  const nn::WithoutInit without_init;
  for (const nn::ModelInfo& info : nn::models()) {
    if (info.name == refused || info.fixed_image_size) continue;
    try {
      const auto network = nn::make_model(info.name, kAnyClasses);
      weights::fit_to_model(
          file, {.model = info.name, .head = info.head, .tensors = network->state_dict()});
      return "\n  it fits --model " + info.name;
    } catch (const ValueError&) {
      continue;  // the next one
    }
  }
  return "";
}

}  // namespace

std::map<std::string, std::string> to_metadata(const ModelCard& card) {
  const int version = card.face_crop ? kCardVersion : kCardVersionWithoutFaces;
  return {{"hanok.version", std::to_string(version)},
          {"hanok.model", card.model},
          {"hanok.class_names", json(card.class_names).dump()},
          {"hanok.hidden", json(card.hidden).dump()},
          {"hanok.preprocessing", preprocessing_to_json(card).dump()}};
}

ModelCard card_from_metadata(const std::string& path,
                             const std::map<std::string, std::string>& metadata) {
  try {
    const int version = std::stoi(need(path, metadata, "hanok.version"));
    if (version > kCardVersion) {
      throw FormatError(
          fmt::format("{}: written by a newer hanok (version {} of its record; this "
                      "one reads up to {})",
                      path, version, kCardVersion));
    }
    ModelCard card;
    card.model = need(path, metadata, "hanok.model");
    card.class_names =
        json::parse(need(path, metadata, "hanok.class_names")).get<std::vector<std::string>>();
    const json preprocessing = json::parse(need(path, metadata, "hanok.preprocessing"));
    card.preprocessing = preprocessing_from_json(path, preprocessing);
    card.face_crop = face_crop_from_json(path, preprocessing);
    if (const auto hidden = metadata.find("hanok.hidden"); hidden != metadata.end()) {
      card.hidden = json::parse(hidden->second).get<std::vector<std::int64_t>>();
    }
    return card;
  } catch (const json::exception& error) {
    throw FormatError(
        fmt::format("{}: its record of network and classes {}", path, json_problem(error.id)));
  } catch (const std::logic_error&) {  // from stoi
    throw FormatError(fmt::format("{}: damaged record: version is no number", path));
  }
}

void save_model(const std::string& path, nn::Module& model, const ModelCard& card,
                const std::map<std::string, std::string>& notes) {
  std::map<std::string, std::string> metadata = to_metadata(card);
  for (const auto& [key, value] : notes) metadata["hanok." + key] = value;
  weights::save_safetensors(path, model.state_dict(), metadata, weights::Checksum::Yes);
}

LoadedModel load_model(const std::string& path) {
  weights::verify_checksum(path);
  const weights::WeightFile file = weights::load(path);
  LoadedModel loaded{
      .card = card_from_metadata(path, file.metadata), .model = nullptr, .metadata = file.metadata};
  try {
    check_sizes(path, loaded.card, file.tensors);
    loaded.model =
        make_network(loaded.card.model, static_cast<std::int64_t>(loaded.card.class_names.size()),
                     loaded.card.preprocessing.image_size, loaded.card.hidden);
    loaded.model->load_state_dict(file.tensors);
  } catch (const ValueError& error) {
    throw FormatError(fmt::format("{}: {}", path, error.what()));
  }
  return loaded;
}

LoadedModel load_bare_model(const std::string& model_name, const std::string& path) {
  weights::WeightFile file = weights::load(path);
  if (file.metadata.count("hanok.model") != 0) {
    throw UsageError(fmt::format(
        "--weights: {}: is a checkpoint of finetune, which has its own preprocessing and class "
        "names; give it as --checkpoint, without --model",
        path));
  }
  const std::string head = nn::head_name(model_name);
  const data::Preprocessing preprocessing = pretrained_preprocessing(model_name);
  const weights::AlignedTensors aligned =
      align_bare(path, file, model_name, preprocessing.image_size);
  const std::int64_t classes = head_rows(aligned.tensors, head);
  if (classes == 0) {
    throw FormatError(fmt::format("{}: holds no \"{}.weight\", the head of {}{}", path, head,
                                  model_name,
                                  other_heads(aligned.tensors, nn::model_info(model_name))));
  }
  LoadedModel loaded{
      .card = {.model = model_name, .class_names = {}, .preprocessing = preprocessing},
      .model = nullptr,
      .metadata = file.metadata,
      .notes = aligned.notes};
  const std::vector<std::string>& imagenet = weights::imagenet_classes();
  if (classes == static_cast<std::int64_t>(imagenet.size())) {
    loaded.card.class_names = imagenet;
  } else {
    for (std::int64_t i = 0; i < classes; ++i) {
      loaded.card.class_names.push_back(std::to_string(i));
    }
  }
  loaded.model = nn::make_model(model_name, classes, preprocessing.image_size);
  try {
    loaded.model->load_state_dict(aligned.tensors);
  } catch (const ValueError& error) {
    throw FormatError(fmt::format("{}: {}", path, error.what()));
  }
  return loaded;
}

StartReport start_from(nn::Module& network, const std::string& model, const StartFile& file) {
  weights::WeightFile loaded;
  try {
    loaded = weights::load(file.path, file.renames);
    weights::Fit fit = weights::fit_to_model(
        loaded, {.model = model, .head = nn::head_name(model), .tensors = network.state_dict()});
    network.load_state_dict(fit.tensors);
    StartReport report{.head_kept = fit.head_is_new, .notes = loaded.notes};
    report.notes.insert(report.notes.end(), fit.notes.begin(), fit.notes.end());
    return report;
  } catch (const ValueError& error) {
    throw ValueError(
        fmt::format("{}: {}{}", file.path, error.what(), other_model_that_fits(loaded, model)));
  }
}

void save_state(const std::string& path, const nn::State& state) {
  nn::StateDict tensors;
  for (const auto& [name, tensor] : state.tensors) tensors.insert(name, tensor);
  weights::save_safetensors(path, tensors,
                            {{"hanok.state_version", std::to_string(kStateVersion)},
                             {"hanok.numbers", json(state.numbers).dump()},
                             {"hanok.integers", json(state.integers).dump()},
                             {"hanok.texts", json(state.texts).dump()}},
                            weights::Checksum::Yes);
}

nn::State load_state(const std::string& path) {
  weights::verify_checksum(path);
  const weights::WeightFile file = weights::load(path);
  const std::string& version = need(path, file.metadata, "hanok.state_version");
  if (version != std::to_string(kStateVersion)) {
    throw FormatError(fmt::format("{}: version {} of the training state; this hanok reads {}", path,
                                  version, kStateVersion));
  }
  nn::State state;
  try {
    json::parse(need(path, file.metadata, "hanok.numbers")).get_to(state.numbers);
    json::parse(need(path, file.metadata, "hanok.integers")).get_to(state.integers);
    json::parse(need(path, file.metadata, "hanok.texts")).get_to(state.texts);
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("{}: its training state {}", path, json_problem(error.id)));
  }
  for (const auto& [name, tensor] : file.tensors) state.tensors[name] = tensor;
  return state;
}

std::string weights_hash(nn::Module& model) {
  FnvHash hash;
  for (const auto& [name, tensor] : model.state_dict()) {
    hash.add(name + tensor.shape().to_string());
    const Tensor on_cpu = tensor.to(Device::cpu());
    hash.add(on_cpu.view().data, on_cpu.bytes());
  }
  return hash.hex();
}

nn::StateDict copy_state_dict(nn::Module& model) {
  const MemoryTag tag("best weights");
  nn::StateDict copy;
  for (const auto& [name, tensor] : model.state_dict()) {
    copy.insert(name, tensor.device().is_cpu() ? tensor.clone() : tensor.to(Device::cpu()));
  }
  return copy;
}

void copy_state_dict(nn::Module& model, nn::StateDict& copy) {
  for (const auto& [name, tensor] : model.state_dict()) {
    Tensor to = copy.at(name);
    to.copy_from(tensor.to(Device::cpu()));
  }
}

}  // namespace hanok::training
