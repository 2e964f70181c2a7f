#include "hanok/data/shards/shard_content.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "hanok/data/files.h"
#include "hanok/data/image_files.h"
#include "hanok/data/shards/tar_scan.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

constexpr std::int64_t kLongestLabel = 4 << 10, kLongestJson = 1 << 20;  // bytes

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

/// Puts members together to samples.
class Samples {
 public:
  explicit Samples(const std::string& path) : path_(path), scan_(path) {}

  ShardContent read() {
    TarMember member;
    while (scan_.next(member)) add(member);
    finish();
    for (const auto& [reason, count] : scan_.skipped()) content_.skipped[reason] += count;
    return std::move(content_);
  }

 private:
  [[noreturn]] void fail(const std::string& member, const std::string& what) const {
    throw FormatError(fmt::format("{}: '{}': {}", path_, member, what));
  }

  void add(const TarMember& member) {
    const std::size_t slash = member.name.rfind('/');
    const std::string base =
        slash == std::string::npos ? member.name : member.name.substr(slash + 1);
    const std::string key = shard_key(member.name);
    const std::string extension = lower(member.name.substr(key.size()));
    const bool is_image =
        has_image_extension("image" + extension) && extension.find('.', 1) == std::string::npos;
    const bool is_label = extension == ".cls" || extension == ".json";
    if (base[0] == '.' || (!is_image && !is_label)) {
      const std::string reason = skip_reason(base);
      ++content_
            .skipped[reason.empty() ? fmt::format("extension {} in a shard", extension) : reason];
      return;
    }
    if (key != key_) start(key, member.name);
    if (is_image) {
      if (!sample_.member.empty()) {
        fail(member.name,
             fmt::format("is a second image of one sample, beside '{}'", sample_.member));
      }
      sample_.member = member.name;
      sample_.place.offset = member.offset;
      sample_.place.bytes = member.bytes;
    } else if (extension == ".cls") {
      read_label(member.name);
    } else {
      read_json(member.name);
    }
  }

  void start(const std::string& key, const std::string& name) {
    finish();
    key_ = key;
    if (!keys_.insert(key).second) {
      fail(name, "does not follow the other files of its sample, or occurs twice");
    }
  }

  void finish() {
    if (key_.empty()) return;
    if (sample_.member.empty()) {
      ++content_.skipped["label without an image in a shard"];
    } else {
      if (sample_.label.empty()) sample_.label = class_;
      content_.samples.push_back(std::move(sample_));
    }
    sample_ = {};
    class_.clear();
    key_.clear();
  }

  void read_label(const std::string& name) {
    class_ = trimmed(scan_.text(kLongestLabel));
    if (class_.empty()) fail(name, "is empty, expected a class");
  }

  void read_json(const std::string& name) {
    using nlohmann::json;
    const std::string text = scan_.text(kLongestJson);
    // Nothing below the outermost object is kept.
    const json::parser_callback_t flat = [](int depth, json::parse_event_t, json&) {
      return depth <= 1;
    };
    const json value = json::parse(text, flat, /*allow_exceptions=*/false);
    if (!value.is_object()) fail(name, "is no JSON object");
    sample_.label = field(name, value, "label");
    sample_.group = field(name, value, "group");
  }

  std::string field(const std::string& name, const nlohmann::json& object, const char* key) const {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) return {};
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number_unsigned()) return std::to_string(found->get<std::uint64_t>());
    if (found->is_number_integer()) return std::to_string(found->get<std::int64_t>());
    fail(name, fmt::format("\"{}\" is neither text nor an integer", key));
  }

  const std::string& path_;
  TarScan scan_;
  ShardContent content_;
  std::set<std::string> keys_;
  std::string key_;  // of the sample that is read; empty: none is
  ShardSample sample_;
  std::string class_;  // of its .cls
};

}  // namespace

std::string shard_key(const std::string& member) {
  const std::size_t slash = member.rfind('/');
  return member.substr(0, member.find('.', slash == std::string::npos ? 0 : slash + 1));
}

ShardContent read_shard(const std::string& path) { return Samples(path).read(); }

}  // namespace hanok::data
