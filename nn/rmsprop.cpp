#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

// Composed from elementwise ops, which sweep over memory several times, unlike a fused step.
//   g += decay * p;  s = alpha * s + (1 - alpha) * g^2;  d = g / (sqrt(s) + epsilon)
//   with momentum: m = momentum * m + d, p -= rate * m;  without: p -= rate * d
class RmsProp final : public Optimizer {
 public:
  RmsProp(std::vector<ParameterGroup> groups, const RmsPropOptions& options)
      : Optimizer(std::move(groups), options.learning_rate, options.weight_decay),
        options_(options) {
    check_below_one("alpha", options.alpha);
    check_not_negative("momentum", options.momentum);
    check_not_negative("epsilon", options.epsilon);
  }
  std::string type_name() const override { return "RMSprop"; }

 protected:
  int moment_count() const override { return options_.momentum > 0 ? 2 : 1; }

  void update(std::size_t group, const std::vector<Tensor>& parameters,
              std::vector<Moments*>& moments, const Tensor& learning_rate,
              const Tensor& /*step*/) override {
    const NoGrad no_grad;
    const auto decay = static_cast<float>(groups_[group].weight_decay);
    const auto keep = static_cast<float>(options_.alpha);
    const auto take = static_cast<float>(1 - options_.alpha);
    const auto epsilon = static_cast<float>(options_.epsilon);
    const Tensor skipped = skip().defined() ? skip().to(DType::U8) : Tensor();
    const auto assign = [&skipped](Tensor& to, const Tensor& value) {
      to.copy_from(skipped.defined() ? ops::where(skipped, to, value) : value);
    };
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      Tensor parameter = parameters[i];
      Moments& state = *moments[i];
      Tensor g = parameter.grad();
      if (decay != 0) g = g + parameter * decay;
      assign(state.a, state.a * keep + ops::square(g) * take);
      Tensor direction = g / (ops::sqrt(state.a) + epsilon);
      if (options_.momentum > 0) {
        assign(state.b, state.b * static_cast<float>(options_.momentum) + direction);
        direction = state.b;
      }
      assign(parameter, parameter - direction * learning_rate);
    }
  }

 private:
  RmsPropOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> make_rmsprop(std::vector<ParameterGroup> groups,
                                        const RmsPropOptions& options) {
  return std::make_unique<RmsProp>(std::move(groups), options);
}

}  // namespace hanok::nn
