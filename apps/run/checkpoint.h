// A trained network with all that prediction needs, in one safetensors file; and the full state
// from which a training is resumed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/data/transforms.h"
#include "hanok/nn/module.h"
#include "hanok/nn/state.h"
#include "hanok/weights/weights.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Photographs are cropped to their largest face before they are preprocessed.
struct FaceCrop {
  double margin = 0;     // share of the box's longer side that is added on each side
  std::string finder{};  // what found the faces: faces::FaceFinder::name()
};

/// The metadata of every checkpoint.
struct ModelCard {
  std::string model;                     // name in nn's registry
  std::vector<std::string> class_names;  // in the order of the logits
  data::Preprocessing preprocessing;
  std::vector<std::int64_t> hidden{};  // units of the layers in front of the head
  std::optional<FaceCrop> face_crop{};
};

/// The card as safetensors metadata, and back. Reading throws FormatError (file name first) for a
/// missing key, damaged JSON or a newer version.
std::map<std::string, std::string> to_metadata(const ModelCard& card);
ModelCard card_from_metadata(const std::string& path,
                             const std::map<std::string, std::string>& metadata);

/// Parameters and buffers of `model`, with the card and free `notes` ("epoch", "macro_f1").
void save_model(const std::string& path, nn::Module& model, const ModelCard& card,
                const std::map<std::string, std::string>& notes = {});

struct LoadedModel {
  ModelCard card;
  std::unique_ptr<nn::Module> model;
  std::map<std::string, std::string> metadata;
  std::vector<std::string> notes{};  // of load_bare_model
};
/// Builds the network that the card names and loads it. Throws IoError, or FormatError where the
/// file does not fit its checksum or its card.
LoadedModel load_model(const std::string& path);

/// A bare state_dict file, as PyTorch writes it, by the names of torchvision or of a code base that
/// hanok knows: the number of classes is the head's; 1000 of them have ImageNet's names, others
/// their numbers. Preprocessing is the model's for ImageNet. `notes` says what was renamed. Throws
/// FormatError (file name first) unless the head and everything else fit.
LoadedModel load_bare_model(const std::string& model_name, const std::string& path);

/// A file that training starts from.
struct StartFile {
  std::string path;
  std::vector<weights::Rename> renames{};
};
struct StartReport {
  bool head_kept = false;          // the network's own, new head: the file's did not fit
  std::vector<std::string> notes;  // what was renamed or left out, one line each
};
/// Starts `network`, a `model` of the registry, from the file's state_dict as
/// weights::fit_to_model() says. Throws ValueError listing what is missing, left over or of another
/// shape.
StartReport start_from(nn::Module& network, const std::string& model, const StartFile& file);

/// Everything by name in one safetensors file with a checksum: tensors as they are, the rest as
/// JSON metadata. Reading throws IoError, or FormatError (file name first) where anything is
/// damaged.
void save_state(const std::string& path, const nn::State& state);
nn::State load_state(const std::string& path);

/// 64-bit FNV-1a over names, shapes and bytes of parameters and buffers, as 16 hex digits. Equal
/// hashes: bitwise equal networks.
std::string weights_hash(nn::Module& model);

/// A deep copy of the values.
nn::StateDict copy_state_dict(nn::Module& model);
/// The same into a copy of the same model.
void copy_state_dict(nn::Module& model, nn::StateDict& copy);

}  // namespace hanok::training
#pragma GCC visibility pop
