// Convolution algorithms that replace the shipped choice: measured on this machine (finetune
// --autotune), or one algorithm everywhere, for comparisons.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "hanok/kernels/cpu/conv2d/choose.h"

#pragma GCC visibility push(default)
namespace hanok {

/// From pass and sizes to an algorithm; images count as choose_conv2d counts them.
class Conv2dChoices {
 public:
  struct Choice {
    Conv2dPass pass;
    Conv2dShape shape;
    Conv2dAlgorithm algorithm;
  };

  Conv2dChoices() = default;
  /// Chooses `algorithm` for everything that it can compute.
  explicit Conv2dChoices(Conv2dAlgorithm algorithm) : everywhere_(algorithm) {}

  /// Throws ValueError if the algorithm cannot compute it.
  void set(const Choice& choice);
  std::optional<Conv2dAlgorithm> find(Conv2dPass pass, const Conv2dShape& shape) const;
  /// What was set, ordered by pass and sizes.
  std::vector<Choice> all() const;

 private:
  using Key = std::array<std::int64_t, 18>;
  static Key key_of(Conv2dPass pass, const Conv2dShape& shape);

  std::map<Key, Choice> set_;
  std::optional<Conv2dAlgorithm> everywhere_;
};

/// While one lives, choose_conv2d reads `choices` first, in all threads; the innermost one applies.
/// Must not be made or destroyed while convolutions run.
class UseConv2dChoices {
 public:
  /// What happens to a convolution that has no choice: it gets the shipped one, and Record adds
  /// that to `choices`; then only one thread may compute.
  enum class Missing { UseShipped, Record };
  explicit UseConv2dChoices(Conv2dChoices& choices, Missing missing = Missing::UseShipped);
  ~UseConv2dChoices();
  UseConv2dChoices(const UseConv2dChoices&) = delete;
  UseConv2dChoices& operator=(const UseConv2dChoices&) = delete;

 private:
  Conv2dChoices* saved_choices_;
  Missing saved_missing_;
};

/// What choose_conv2d returns under the choices in use, if its own choice is `shipped`.
Conv2dAlgorithm chosen_conv2d(Conv2dPass pass, const Conv2dShape& shape, Conv2dAlgorithm shipped);

}  // namespace hanok
#pragma GCC visibility pop
