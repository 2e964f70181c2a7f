#include "hanok/weights/survey.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "hanok/weights/quoted.h"

namespace hanok::weights {
namespace {

constexpr std::size_t kDeepestNesting = 8;
constexpr std::size_t kLongestKey = 200;
constexpr std::size_t kNoParent = static_cast<std::size_t>(-1);

/// Parts of keys under which training scripts store what is no model.
constexpr std::array<std::string_view, 5> kNotWeights{"optim", "sched", "scaler", "rng",
                                                      "criterion"};

/// A value on the way, with the steps that lead to it as a chain.
struct Node {
  const pickle::Value* value;
  std::size_t parent;
  std::size_t depth;
  const pickle::Value* key;  // null: `index` leads here
  std::size_t index;
};

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

class Walk {
 public:
  Survey run(const pickle::Value& root) {
    add({&root, kNoParent, 0, nullptr, 0});
    for (std::size_t i = 0; i < nodes_.size(); ++i) visit(i);
    return std::move(result_);
  }

 private:
  /// Each value is visited once, so the nodes are no more than the pickle's values.
  void add(const Node& node) {
    const pickle::Value& value = *node.value;
    const bool holds_others =
        value.as<pickle::Opaque>() != nullptr || value.as<pickle::Dict>() != nullptr ||
        value.as<pickle::List>() != nullptr || value.as<pickle::Tuple>() != nullptr;
    if (holds_others && seen_.insert(&value).second) nodes_.push_back(node);
  }

  void visit(std::size_t at) {
    const Node node = nodes_[at];
    if (const auto* object = node.value->as<pickle::Opaque>()) {
      add_object(at, *object);
      if (object->elements != nullptr) add_list(at, object->elements->as<pickle::List>()->items);
    } else if (const auto* list = node.value->as<pickle::List>()) {
      add_list(at, list->items);
    } else if (const auto* tuple = node.value->as<pickle::Tuple>()) {
      add_list(at, tuple->items);
    }
    if (const pickle::Dict* dict = items_of(*node.value)) add_dict(at, *dict);
  }

  void add_dict(std::size_t at, const pickle::Dict& dict) {
    const Node node = nodes_[at];
    std::size_t tensors = 0;
    for (const auto& [key, value] : dict.items) {
      const auto* name = key->as<std::string>();
      if (name != nullptr && as_tensor(*value) != nullptr) ++tensors;
      // An optimizer's state has numbers for keys.
      if (node.depth < kDeepestNesting && name != nullptr) {
        add({value, at, node.depth + 1, key, 0});
      }
    }
    if (tensors == 0) return;
    if (result_.dictionaries.size() == kMostDictionaries) {
      ++result_.more_dictionaries;
      return;
    }
    CheckpointPath path = path_of(at);
    const bool may_be_weights =
        std::none_of(path.steps.begin(), path.steps.end(), [](const CheckpointPath::Step& step) {
          const std::string key = lower_case(step.text);
          return std::any_of(kNotWeights.begin(), kNotWeights.end(), [&](std::string_view part) {
            return key.find(part) != std::string::npos;
          });
        });
    result_.dictionaries.push_back({std::move(path), &dict, tensors, may_be_weights});
  }

  void add_list(std::size_t at, const std::vector<pickle::Ref>& items) {
    const std::size_t depth = nodes_[at].depth;
    if (depth >= kDeepestNesting) return;
    for (std::size_t i = 0; i < items.size(); ++i) {
      add({items[i], at, depth + 1, nullptr, i});
    }
  }

  void add_object(std::size_t at, const pickle::Opaque& object) {
    const std::string& type = type_name(object);
    const Node& node = nodes_[at];
    if (node.key == nullptr && node.parent != kNoParent) {
      const auto [known, is_new] =
          in_lists_.emplace(std::pair{node.parent, &type}, result_.objects.size());
      if (!is_new) {
        ++result_.objects[known->second].count;
        return;
      }
    }
    if (result_.objects.size() == kMostObjects) {
      ++result_.more_objects;
      if (node.key == nullptr) in_lists_.erase(std::pair{node.parent, &type});
      return;
    }
    result_.objects.push_back({path_of(at), type.substr(0, kLongestKey), 1, is_module(object)});
  }

  /// An instance of torch.nn.Module keeps its content in dictionaries of these names.
  static bool is_module(const pickle::Opaque& object) {
    const auto* state = object.state == nullptr ? nullptr : object.state->as<pickle::Dict>();
    if (state == nullptr) return false;
    int found = 0;
    for (const auto& [key, value] : state->items) {
      const auto* name = key->as<std::string>();
      found += name != nullptr && (*name == "_parameters" || *name == "_modules") ? 1 : 0;
    }
    return found == 2;
  }

  CheckpointPath path_of(std::size_t at) const {
    CheckpointPath path;
    for (; nodes_[at].parent != kNoParent; at = nodes_[at].parent) {
      const Node& node = nodes_[at];
      path.steps.push_back(
          node.key != nullptr
              ? CheckpointPath::Step{node.key->as<std::string>()->substr(0, kLongestKey), false}
              : CheckpointPath::Step{std::to_string(node.index), true});
    }
    std::reverse(path.steps.begin(), path.steps.end());
    return path;
  }

  Survey result_;
  std::vector<Node> nodes_;
  std::unordered_set<const pickle::Value*> seen_;
  /// Position in result_.objects by the list that holds them and by their type.
  std::map<std::pair<std::size_t, const std::string*>, std::size_t> in_lists_;
};

}  // namespace

std::string CheckpointPath::display() const {
  std::string result;
  for (const Step& step : steps) {
    const std::string quoted = in_quotes(step.text);  // escapes control characters
    result += "[" + quoted.substr(1, quoted.size() - 2) + "]";
  }
  return result;
}

std::string CheckpointPath::dotted() const {
  std::string result;
  for (const Step& step : steps) result += (result.empty() ? "" : ".") + step.text;
  return result;
}

std::string CheckpointPath::python() const {
  std::string result;
  for (const Step& step : steps) {
    result += "[" + (step.is_index ? step.text : in_quotes(step.text)) + "]";
  }
  return result;
}

const pickle::Dict* items_of(const pickle::Value& value) {
  if (const auto* dict = value.as<pickle::Dict>()) return dict;
  const auto* object = value.as<pickle::Opaque>();
  return object == nullptr || object->items == nullptr ? nullptr
                                                       : object->items->as<pickle::Dict>();
}

Survey survey(const pickle::Value& root) { return Walk().run(root); }

}  // namespace hanok::weights
