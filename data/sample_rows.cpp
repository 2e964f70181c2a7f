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
  std::vector<bool> seen(dataset.samples.size(), false);
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
    if (seen[found->second]) {
      throw FormatError(fmt::format("{}:{}: '{}' occurs twice", csv.path, csv.lines[row], name));
    }
    seen[found->second] = true;
    samples.push_back(found->second);
  }
  return samples;
}

}  // namespace hanok::data
