// Shared by the data tests: temporary folders, files, images from a formula, base64.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "hanok/data/image.h"
#include "tests/golden/golden.h"
#include "tests/support/paths.h"

namespace hanok::data::test {

namespace fs = std::filesystem;

/// An empty folder, removed at the end of the test.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (fs::temp_directory_path() / "hanok-data-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string path() const { return path_.string(); }
  /// Writes a file in the folder, creating its parents; returns its full path.
  std::string write(const std::string& name, const std::string& content) const {
    const fs::path file = path_ / name;
    fs::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }
  std::string write(const std::string& name, const std::vector<std::uint8_t>& content) const {
    return write(name, std::string(content.begin(), content.end()));
  }

 private:
  fs::path path_;
};

/// Pixels over the full range, as make_data.py's noise().
inline Image noise(const std::string& name, int width, int height) {
  Image image{width, height, {}};
  for (const std::int64_t value : golden::integers(name, std::int64_t{3} * width * height, 256)) {
    image.pixels.push_back(static_cast<std::uint8_t>(value));
  }
  return image;
}

/// A smooth picture without any symmetry.
inline Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<std::uint8_t>(255 * x / std::max(width - 1, 1)));
      image.pixels.push_back(static_cast<std::uint8_t>(255 * y / std::max(height - 1, 1)));
      image.pixels.push_back(static_cast<std::uint8_t>((7 * x + 3 * y) % 256));
    }
  }
  return image;
}

inline std::vector<std::uint8_t> from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes.push_back(static_cast<std::uint8_t>(bits >> held));
    }
  }
  return bytes;
}

/// The folder of files that are too large to commit or not free; empty if missing.
inline std::string shared_data() {
  const fs::path path = fs::path(hanok::test::source_dir()) / ".." / "shared" / "data";
  return fs::is_directory(path) ? path.string() : std::string();
}

/// The message of the E that `act` throws; fails the test if it does not.
template <typename E, typename Act>
std::string message_of(const Act& act) {
  try {
    act();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "an unexpected error: " << error.what();
    return {};
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

}  // namespace hanok::data::test
