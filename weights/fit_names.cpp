#include "hanok/weights/fit_names.h"

#include <algorithm>
#include <array>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/name_maps.h"
#include "hanok/weights/quoted.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kMostLines = 10;  // of each kind in a message

/// Parts of prefixes that stand for a copy which averages the trained network.
constexpr std::array<std::string_view, 5> kAveragedCopies{"encoder_k", "momentum", "target", "ema",
                                                          "shadow"};

bool is_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

std::string first_part(const std::string& name) { return name.substr(0, name.find('.')); }

bool is_below(const std::string& name, const std::string& path) {
  return name.starts_with(path) && name.size() > path.size() && name[path.size()] == '.';
}

/// Names in the file are `from` + rest, in the model `to` + rest.
struct Prefix {
  std::string from, to;
  std::size_t shapes = 0;  // tensors of the model that are there with their shape
  std::size_t names = 0;   // and in any shape
  auto rank() const { return std::pair(shapes, names); }
  bool changes_nothing() const { return from.empty() && to.empty(); }
};

/// All prefixes under which at least one name of the file is one of the model.
std::vector<Prefix> find_prefixes(const nn::StateDict& given, const nn::StateDict& own) {
  std::map<std::pair<std::string, std::string>, Prefix> found;
  const auto count = [&](const std::string& from, const std::string& to, bool same_shape) {
    Prefix& prefix = found[{from, to}];
    prefix.from = from;
    prefix.to = to;
    ++prefix.names;
    prefix.shapes += same_shape ? 1 : 0;
  };
  // Calls visit(start, rest) for each way to cut a name at a dot.
  const auto for_each_cut = [](const std::string& name, const auto& visit) {
    for (std::size_t dot = name.find('.'); dot != std::string::npos;
         dot = name.find('.', dot + 1)) {
      visit(name.substr(0, dot + 1), name.substr(dot + 1));
    }
  };
  for (const auto& [name, tensor] : given) {
    if (is_counter(name)) continue;
    const Shape& shape = tensor.shape();
    if (const Tensor* same = own.find(name)) count("", "", same->shape() == shape);
    for_each_cut(name, [&](const std::string& from, const std::string& rest) {
      if (const Tensor* same = own.find(rest)) count(from, "", same->shape() == shape);
    });
  }
  for (const auto& [name, tensor] : own) {
    if (is_counter(name)) continue;
    const Shape& shape = tensor.shape();
    for_each_cut(name, [&](const std::string& to, const std::string& rest) {
      if (const Tensor* same = given.find(rest)) count("", to, same->shape() == shape);
    });
  }
  std::vector<Prefix> prefixes;
  for (auto& [key, prefix] : found) prefixes.push_back(std::move(prefix));
  return prefixes;
}

bool is_averaged_copy(const Prefix& prefix) {
  return std::any_of(kAveragedCopies.begin(), kAveragedCopies.end(), [&](std::string_view part) {
    return prefix.from.find(part) != std::string::npos;
  });
}

[[noreturn]] void ask_for_prefix(const FitTarget& target, const std::vector<Prefix>& equal) {
  std::vector<std::string> lines;
  for (const Prefix& prefix : equal) {
    lines.push_back(fmt::format("--rename {}={}", prefix.from, prefix.to));
  }
  throw ValueError(
      fmt::format("holds {} tensors of {} under each of several prefixes; take one: {}",
                  equal[0].shapes, target.model, fmt::join(lines, " or ")));
}

/// The prefix with the most tensors; the one that changes nothing, where it is as good as others.
Prefix choose_prefix(const nn::StateDict& given, const FitTarget& target,
                     std::vector<std::string>& notes) {
  const std::vector<Prefix> all = find_prefixes(given, target.tensors);
  if (all.empty()) return {};
  const auto expected = static_cast<std::size_t>(
      std::count_if(target.tensors.begin(), target.tensors.end(),
                    [](const auto& entry) { return !is_counter(entry.first); }));
  const auto best = std::max_element(all.begin(), all.end(), [](const Prefix& a, const Prefix& b) {
                      return a.rank() < b.rank();
                    })->rank();
  // A few equal names ("conv1.weight") are found under many prefixes: that says nothing.
  if (best.second * 2 < expected) return {};
  std::vector<Prefix> equal;
  std::copy_if(all.begin(), all.end(), std::back_inserter(equal),
               [&](const Prefix& prefix) { return prefix.rank() == best; });
  for (const Prefix& prefix : equal) {
    if (prefix.changes_nothing()) return prefix;
  }
  if (equal.size() == 1) return equal[0];
  std::vector<Prefix> trained;
  std::copy_if(equal.begin(), equal.end(), std::back_inserter(trained),
               [](const Prefix& prefix) { return !is_averaged_copy(prefix); });
  if (trained.size() == 1) {
    std::vector<std::string> others;
    for (const Prefix& prefix : equal) {
      if (prefix.from != trained[0].from) others.push_back(in_quotes(prefix.from));
    }
    notes.push_back(
        fmt::format("{} holds the same tensors, averaged during training; those of {} "
                    "were taken (--rename chooses others)",
                    fmt::join(others, ", "), in_quotes(trained[0].from)));
    return trained[0];
  }
  ask_for_prefix(target, equal);
}

/// "5 under 'criterion.', 1 under 'step'"
std::string describe_groups(const std::vector<std::string>& names) {
  std::map<std::string, std::size_t> groups;
  for (const std::string& name : names) ++groups[first_part(name)];
  std::vector<std::string> lines;
  for (const auto& [part, count] : groups) {
    if (lines.size() == kMostLines) {
      lines.emplace_back("...");
      break;
    }
    lines.push_back(fmt::format("{} of {}", count, in_quotes(part)));
  }
  return fmt::format("{}", fmt::join(lines, ", "));
}

/// What the names of a model and a file have in common, and what not.
class Comparison {
 public:
  Comparison(const WeightFile& file, AlignedTensors aligned, const FitTarget& target)
      : file_(file), target_(target), given_(std::move(aligned.tensors)) {
    fit_.notes = std::move(aligned.notes);
    mapped_ = std::move(aligned.mapped);
    head_block_ = first_part(target.head);
    for (const auto& [name, tensor] : target.tensors) {
      if (!is_below(name, target.head)) blocks_.insert(first_part(name));
    }
  }

  Fit run() {
    decide_head();
    for (const auto& [name, tensor] : target_.tensors) take(name, tensor);
    for (const auto& [name, tensor] : given_) {
      if (!target_.tensors.contains(name)) leave_out(name);
    }
    if (!missing_.empty() || !left_over_.empty() || !mismatched_.empty()) refuse();
    add_notes();
    return std::move(fit_);
  }

 private:
  /// A head is taken if all of its names and shapes are the model's.
  void decide_head() {
    bool block_is_given = false;
    for (const auto& [name, tensor] : target_.tensors) {
      const Tensor* given = given_.find(name);
      if (is_below(name, target_.head)) {
        fit_.head_is_new =
            fit_.head_is_new || given == nullptr || !(given->shape() == tensor.shape());
      } else if (is_below(name, head_block_)) {
        block_is_given = block_is_given || given != nullptr;
      }
    }
    for (const auto& [name, tensor] : given_) {
      if (is_below(name, target_.head) && !target_.tensors.contains(name)) fit_.head_is_new = true;
    }
    block_is_new_ = fit_.head_is_new && !block_is_given;
  }

  void take(const std::string& name, const Tensor& own) {
    const Tensor* given = given_.find(name);
    const bool of_head = is_below(name, target_.head);
    const bool of_new_block = block_is_new_ && is_below(name, head_block_);
    if (of_head ? fit_.head_is_new : of_new_block) {
      fit_.tensors.insert(name, own);
      if (!of_head) new_beside_head_.push_back(name);
      if (given == nullptr && !is_counter(name)) missing_in_head_.push_back(name);
    } else if (given == nullptr) {
      if (!is_counter(name)) missing_.push_back(name);
    } else if (!(given->shape() == own.shape()) || given->dtype() != own.dtype()) {
      mismatched_.push_back(name);
    } else {
      fit_.tensors.insert(name, *given);
    }
  }

  void leave_out(const std::string& name) {
    const bool may_be_head = fit_.head_is_new && first_part(name) == head_block_;
    const bool of_other_block = !blocks_.contains(first_part(name)) && !is_beside_mapped(name);
    (may_be_head || of_other_block ? left_out_ : left_over_).push_back(name);
  }

  /// True for what a block of another code base holds besides the tensors that were mapped: the
  /// file is of another network, such as one with squeeze-and-excitation.
  bool is_beside_mapped(const std::string& name) const {
    const std::string part = first_part(name) + ".";
    return std::any_of(mapped_.begin(), mapped_.end(), [&](const std::string& mapped) {
      return mapped.starts_with(part) || mapped.find("." + part) != std::string::npos;
    });
  }

  void add_notes() {
    if (!new_beside_head_.empty()) {
      fit_.notes.push_back(
          fmt::format("the file has none of {}: {} tensors before the head are new",
                      in_quotes(head_block_ + "."), new_beside_head_.size()));
    }
    if (!left_out_.empty()) {
      fit_.notes.push_back(fmt::format("tensors that {} does not have were left out: {}",
                                       target_.model, describe_groups(left_out_)));
    }
  }

  [[noreturn]] void refuse() const {
    const std::size_t expected =
        static_cast<std::size_t>(std::count_if(target_.tensors.begin(), target_.tensors.end(),
                                               [](const auto& e) { return !is_counter(e.first); }));
    std::vector<std::string> missing = missing_;
    missing.insert(missing.end(), missing_in_head_.begin(), missing_in_head_.end());
    std::string message = fmt::format(
        "does not fit {}: of its {} tensors {} are missing and {} have another shape or type; the "
        "file has {} others",
        target_.model, expected, missing.size(), mismatched_.size(),
        left_over_.size() + left_out_.size());
    add_lines(message, missing, [this](const std::string& name) { return describe_missing(name); });
    add_lines(message, mismatched_, [this](const std::string& name) {
      const Tensor& given = given_.at(name);
      const Tensor& own = target_.tensors.at(name);
      return fmt::format("mismatch: {}: found {} {}, expected {} {}", name, name_of(given.dtype()),
                         given.shape().to_string(), name_of(own.dtype()), own.shape().to_string());
    });
    std::vector<std::string> left_over = left_over_;
    left_over.insert(left_over.end(), left_out_.begin(), left_out_.end());
    add_lines(message, left_over, [this](const std::string& name) {
      return fmt::format("left over: {} {}", in_quotes(name), given_.at(name).shape().to_string());
    });
    if (!missing_.empty()) {
      message +=
          "\n  --rename FROM=TO gives names other beginnings (`convert --inspect` lists the "
          "file's)";
    }
    throw ValueError(message);
  }

  template <typename Describe>
  static void add_lines(std::string& message, const std::vector<std::string>& names,
                        const Describe& describe) {
    for (std::size_t i = 0; i < std::min(names.size(), kMostLines); ++i) {
      message += "\n  " + describe(names[i]);
    }
    if (names.size() > kMostLines) {
      message += fmt::format("\n  ... and {} more", names.size() - kMostLines);
    }
  }

  /// A missing tensor, and what may be it: of a kind that hanok lacks, or of the same shape.
  std::string describe_missing(const std::string& name) const {
    for (const auto& [other, kind] : file_.unsupported) {
      if (other == name || other.ends_with("." + name)) {
        return fmt::format("missing: {}: the file's {} is {}, which hanok cannot use", name,
                           in_quotes(other), kind);
      }
    }
    const Shape& shape = target_.tensors.at(name).shape();
    std::vector<std::string> same_shape;
    for (const auto& [other, tensor] : file_.tensors) {
      if (tensor.shape() == shape && !fit_.tensors.contains(other)) same_shape.push_back(other);
    }
    const std::string line = fmt::format("missing: {} {}", name, shape.to_string());
    if (same_shape.empty()) return line;
    const std::vector<std::string> near = nn::near_names(name, same_shape, /*count=*/1);
    return line +
           fmt::format(
               "; of this shape is {}{}", in_quotes(near.empty() ? same_shape[0] : near[0]),
               same_shape.size() > 1 ? fmt::format(" (and {} more)", same_shape.size() - 1) : "");
  }

  const WeightFile& file_;
  const FitTarget& target_;
  const nn::StateDict given_;
  Fit fit_;
  std::vector<std::string> mapped_;
  std::string head_block_;        // "classifier" of the head "classifier.6"
  std::set<std::string> blocks_;  // the first parts of the names outside the head
  bool block_is_new_ = false;
  std::vector<std::string> missing_, missing_in_head_, mismatched_, left_over_, left_out_,
      new_beside_head_;
};

}  // namespace

AlignedTensors align_names(const WeightFile& file, const FitTarget& target) {
  AlignedTensors aligned;
  nn::StateDict given = with_f32_values(file.tensors);
  if (const std::optional<std::string> code_base = rename_to_torchvision(given, target.model)) {
    aligned.notes.push_back(
        fmt::format("the names are {}'s; they were mapped to {}'s", *code_base, target.model));
    const std::string difference = difference_in_computation(*code_base, target.model);
    if (!difference.empty()) aligned.notes.push_back(difference);
  }
  const Prefix prefix = choose_prefix(given, target, aligned.notes);
  for (const auto& [name, tensor] : file.tensors) {
    if (!given.contains(name)) aligned.mapped.push_back(name);
  }
  std::vector<std::string> without_prefix, outside;
  std::size_t renamed = 0;
  for (const auto& [name, tensor] : given) {
    if (!name.starts_with(prefix.from)) {
      without_prefix.push_back(name);
      continue;
    }
    ++renamed;
    aligned.tensors.insert(prefix.to + name.substr(prefix.from.size()), tensor);
  }
  // A head beside a wrapped backbone has its own name already.
  for (const std::string& name : without_prefix) {
    const Tensor* own = target.tensors.find(name);
    const Tensor& tensor = given.at(name);
    if (own != nullptr && own->shape() == tensor.shape() && !aligned.tensors.contains(name)) {
      aligned.tensors.insert(name, tensor);
    } else {
      outside.push_back(name);
    }
  }
  if (!prefix.from.empty()) {
    aligned.notes.push_back(
        fmt::format("the prefix {} was removed from {} names", in_quotes(prefix.from), renamed));
  }
  if (!prefix.to.empty()) {
    aligned.notes.push_back(
        fmt::format("the prefix {} was put in front of {} names", in_quotes(prefix.to), renamed));
  }
  if (!outside.empty()) {
    aligned.notes.push_back(fmt::format("{} tensors without that prefix were left out: {}",
                                        outside.size(), describe_groups(outside)));
  }
  return aligned;
}

Fit fit_to_model(const WeightFile& file, const FitTarget& target) {
  return Comparison(file, align_names(file, target), target).run();
}

}  // namespace hanok::weights
