#include "hanok/weights/other_formats.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "hanok/weights/quoted.h"

namespace hanok::weights {
namespace {

/// What a file is that has `text` at `at`.
struct Signature {
  std::size_t at;
  std::string_view text;
  std::string_view meaning;
};

constexpr std::string_view kTensorFlow =
    "it is TensorFlow's; load the model there and save its weights by their PyTorch names as "
    "safetensors";
constexpr std::string_view kKeras =
    "it is an HDF5 file, as Keras and TensorFlow write; load the model there and save its weights "
    "by their PyTorch names as safetensors";
constexpr std::string_view kPacked = "it is a compressed archive; unpack it first";
constexpr std::string_view kGitLfs =
    "it is a Git LFS pointer, not the file itself; `git lfs pull` brings the file";
constexpr std::string_view kGguf = "it is a GGUF file, which holds language models";
constexpr std::string_view kNpy =
    "it is one NumPy array; name the arrays of a model and save them as safetensors";
constexpr std::string_view kWebPage = "it looks like a web page; the download went wrong";

constexpr std::array<Signature, 13> kSignatures{{
    {0, "version https://git-lfs", kGitLfs},
    {0, "\x89HDF\r\n\x1a\n", kKeras},
    {0, "GGUF", kGguf},
    {0, "\x93NUMPY", kNpy},
    {4, "TFL3", "it is a TensorFlow Lite model, which holds no names of PyTorch"},
    {0, "\x1f\x8b", kPacked},
    {0, "BZh", kPacked},
    {0, "7z\xbc\xaf\x27\x1c", kPacked},
    {0, "Rar!", kPacked},
    {0,
     "\xfd"
     "7zXZ",
     kPacked},
    {0, "\x28\xb5\x2f\xfd", kPacked},
    {0, "<?xml", "it is XML, not weights (of an OpenVINO model it is the description)"},
    {0, "<", kWebPage},
}};

/// The last eight bytes of TensorFlow's tables (LevelDB's magic number).
constexpr std::string_view kTableEnd = "\x57\xfb\x80\x8b\x24\x75\x47\xdb";

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

constexpr std::string_view kOnnx =
    "it is an ONNX model; save the state_dict of the PyTorch model it was exported from";

}  // namespace

bool has_at(Bytes bytes, std::size_t at, std::string_view text) {
  return range_fits(at, text.size(), bytes.size()) &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

std::string other_format(const std::string& path, Bytes bytes) {
  if (bytes.empty()) return "it is empty";
  for (const Signature& signature : kSignatures) {
    if (has_at(bytes, signature.at, signature.text)) return std::string(signature.meaning);
  }
  if (has_at(bytes, 0, "{")) {
    constexpr std::size_t kLookedAt = 4096;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                                std::min(bytes.size(), kLookedAt));
    if (text.find("\"weight_map\"") != std::string_view::npos || path.ends_with(".index.json")) {
      return "it is the index of weights that are divided into several files; load the model in "
             "Python and save its whole state_dict as one file";
    }
    return "it is JSON text";
  }
  const bool is_table =
      bytes.size() >= kTableEnd.size() && has_at(bytes, bytes.size() - kTableEnd.size(), kTableEnd);
  if (is_table || path.find(".data-0000") != std::string::npos || path.ends_with(".pb") ||
      has_at(bytes, 0, "model_checkpoint_path:")) {
    return std::string(kTensorFlow);
  }
  // A protobuf message whose first fields are the version and the producer ("pytorch").
  if (path.ends_with(".onnx") ||
      (has_at(bytes, 0, "\x08") && has_at(bytes, 2, "\x12\x07pytorch"))) {
    return std::string(kOnnx);
  }
  if (path.ends_with(".caffemodel")) return "it is a Caffe model";
  if (ends_with_any(path, {".engine", ".trt", ".plan"})) return "it is an engine of TensorRT";
  if (path.ends_with(".msgpack")) return "it is a Flax file; save its PyTorch version instead";
  return "";
}

std::string other_zip(const std::string& path, Bytes bytes) {
  constexpr std::size_t kDirectory = 1 << 20;  // the directory is at the end
  const Bytes end = bytes.subspan(bytes.size() - std::min(bytes.size(), kDirectory));
  const std::string_view text(reinterpret_cast<const char*>(end.data()), end.size());
  const auto has = [&](std::string_view name) { return text.find(name) != std::string_view::npos; };
  if (has("/constants.pkl")) {
    return "is a TorchScript program, which contains code; save its state_dict: "
           "torch.save(torch.jit.load(" +
           in_quotes(path) + ", map_location='cpu').state_dict(), 'state_dict.pth')";
  }
  if (has("serialized_exported_program.json") || has("/archive_format")) {
    return "is a program that torch.export saved; save its state_dict: "
           "torch.save(torch.export.load(" +
           in_quotes(path) + ").state_dict, 'state_dict.pth')";
  }
  if (has("/data.pkl")) return "";
  if (has(".npyPK")) {
    return "is an archive of NumPy arrays (.npz); where their names are PyTorch's: "
           "torch.save({k: torch.from_numpy(v) for k, v in numpy.load(" +
           in_quotes(path) + ").items()}, 'state_dict.pth')";
  }
  if (has("model.weights.h5")) {
    return "is a model of Keras; load it there and save its weights by their PyTorch names as "
           "safetensors";
  }
  for (const std::string_view ending : {".pthPK", ".ptPK", ".safetensorsPK", ".ckptPK", ".binPK"}) {
    if (has(ending)) return "is a zip archive with a weight file in it; unpack it first";
  }
  return "";
}

}  // namespace hanok::weights
