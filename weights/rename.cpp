// Renames tensors as the user asks: FROM=TO.
#include <fmt/core.h>
#include <unordered_set>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/quoted.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

void drop_last_dot(std::string& text) {
  if (text.ends_with('.')) text.pop_back();
}

/// "encoder.fc" with encoder -> model: "model.fc"; unchanged if it does not start with FROM.
std::string renamed(const std::string& name, const Rename& rename, bool& changed) {
  const std::string& from = rename.from;
  if (from.empty()) {
    changed = true;
    return rename.to + "." + name;
  }
  if (name == from && !rename.to.empty()) {
    changed = true;
    return rename.to;
  }
  if (!name.starts_with(from + ".")) return name;
  changed = true;
  return rename.to.empty() ? name.substr(from.size() + 1) : rename.to + name.substr(from.size());
}

}  // namespace

Rename parse_rename(const std::string& text) {
  const std::size_t equals = text.find('=');
  Rename rename;
  if (equals != std::string::npos) {
    rename = {text.substr(0, equals), text.substr(equals + 1)};
    drop_last_dot(rename.from);
    drop_last_dot(rename.to);
  }
  if (rename.from.empty() && rename.to.empty()) {
    throw ValueError(fmt::format(
        "--rename {}: is not FROM=TO (e.g. encoder= to remove the prefix \"encoder.\")", text));
  }
  return rename;
}

void rename_tensors(nn::StateDict& tensors, const std::vector<Rename>& renames) {
  for (const Rename& rename : renames) {
    nn::StateDict result;
    bool any = false;
    for (const auto& [name, tensor] : tensors) {
      bool changed = false;
      std::string new_name = renamed(name, rename, changed);
      any = any || changed;
      if (result.contains(new_name)) {
        throw ValueError(fmt::format("--rename {}={}: gives two tensors the name {}", rename.from,
                                     rename.to, in_quotes(new_name)));
      }
      result.insert(new_name, tensor);
    }
    if (!any) {
      throw ValueError(fmt::format("--rename {}={}: no name is {} or starts with it and a dot",
                                   rename.from, rename.to, in_quotes(rename.from)));
    }
    tensors = std::move(result);
  }
}

}  // namespace hanok::weights
