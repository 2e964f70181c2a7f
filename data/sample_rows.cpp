#include "hanok/data/sample_rows.h"

#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <string>

#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

/// How paths are compared.
std::string key_of(const std::string& path) {
  return nfc(std::filesystem::path(path).lexically_normal().string());
}

}  // namespace

std::vector<std::size_t> samples_of_rows(const Csv& csv, const Dataset& dataset) {
  const std::size_t path = csv.column("path");
  std::map<std::string, std::size_t> sample_of;
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    sample_of.emplace(dataset.samples[i].path, i);
  }
  for (std::size_t i = 0; i < dataset.samples.size(); ++i) {
    sample_of.emplace(key_of(dataset.samples[i].path), i);
  }
  if (sample_of.empty()) throw ValueError(csv.path + ": the data set has no samples");
  std::vector<std::size_t> samples;
  std::vector<std::int64_t> line_of(dataset.samples.size(), 0);  // of its row; 0: none yet
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    const std::string& name = csv.rows[row][path];
    auto found = sample_of.find(name);
    if (found == sample_of.end()) found = sample_of.find(key_of(name));
    if (found == sample_of.end()) {
      std::error_code error;
      const bool missing = !std::filesystem::exists(dataset.root + "/" + name, error);
      throw FormatError(fmt::format("{}:{}: '{}' is not in the data set {}{}", csv.path,
                                    csv.lines[row], name, dataset.root,
                                    missing ? ": there is no such file" : ""));
    }
    std::int64_t& line = line_of[found->second];
    if (line != 0) {
      throw FormatError(fmt::format("{}:{}: '{}' occurs twice: also in line {}", csv.path,
                                    csv.lines[row], name, line));
    }
    line = csv.lines[row];
    samples.push_back(found->second);
  }
  return samples;
}

}  // namespace hanok::data
