#include "hanok/kernels/cpu/conv2d/choices.h"

#include <string>
#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {

Conv2dChoices* choices_in_use = nullptr;
UseConv2dChoices::Missing missing_choice = UseConv2dChoices::Missing::UseShipped;

}  // namespace

Conv2dChoices::Key Conv2dChoices::key_of(Conv2dPass pass, const Conv2dShape& s) {
  const Window2d& w = s.window;
  return {static_cast<std::int64_t>(pass),
          s.nominal_n > 0 ? s.nominal_n : s.n,
          s.c,
          s.h,
          s.w,
          s.k,
          s.r,
          s.s,
          s.groups,
          w.stride_h,
          w.stride_w,
          w.pad_h,
          w.pad_w,
          w.dilation_h,
          w.dilation_w,
          s.extra_h,
          s.extra_w,
          s.int16};
}

void Conv2dChoices::set(const Choice& choice) {
  if (!can_compute(choice.algorithm, choice.pass, choice.shape)) {
    const Conv2dShape& s = choice.shape;
    throw ValueError(std::string("Conv2dChoices: ") + name_of(choice.algorithm) +
                     " cannot compute this pass of x " + s.input_shape().to_string() + ", w " +
                     s.weight_shape().to_string());
  }
  set_.insert_or_assign(key_of(choice.pass, choice.shape), choice);
}

std::optional<Conv2dAlgorithm> Conv2dChoices::find(Conv2dPass pass,
                                                   const Conv2dShape& shape) const {
  const auto found = set_.find(key_of(pass, shape));
  if (found != set_.end()) return found->second.algorithm;
  if (everywhere_ && can_compute(*everywhere_, pass, shape)) return everywhere_;
  return {};
}

std::vector<Conv2dChoices::Choice> Conv2dChoices::all() const {
  std::vector<Choice> choices;
  for (const auto& [key, choice] : set_) choices.push_back(choice);
  return choices;
}

UseConv2dChoices::UseConv2dChoices(Conv2dChoices& choices, Missing missing)
    : saved_choices_(std::exchange(choices_in_use, &choices)),
      saved_missing_(std::exchange(missing_choice, missing)) {}

UseConv2dChoices::~UseConv2dChoices() {
  choices_in_use = saved_choices_;
  missing_choice = saved_missing_;
}

Conv2dAlgorithm chosen_conv2d(Conv2dPass pass, const Conv2dShape& shape, Conv2dAlgorithm shipped) {
  if (choices_in_use == nullptr) return shipped;
  const std::optional<Conv2dAlgorithm> own = choices_in_use->find(pass, shape);
  if (own) return *own;
  if (missing_choice == UseConv2dChoices::Missing::Record)
    choices_in_use->set({pass, shape, shipped});
  return shipped;
}

}  // namespace hanok
