#include "hanok/engine/runtime.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

enum class WeightDecay { L2, Decoupled };

constexpr double default_of(WeightDecay kind) { return kind == WeightDecay::Decoupled ? 0.01 : 0; }

class Adam final : public Optimizer {
 public:
  Adam(std::vector<ParameterGroup> groups, const AdamOptions& options, WeightDecay weight_decay)
      : Optimizer(std::move(groups), options.learning_rate,
                  options.weight_decay.value_or(default_of(weight_decay))),
        options_(options),
        weight_decay_(weight_decay) {
    check_below_one("beta1", options.beta1);
    check_below_one("beta2", options.beta2);
    check_not_negative("epsilon", options.epsilon);
  }
  std::string type_name() const override {
    return weight_decay_ == WeightDecay::Decoupled ? "AdamW" : "Adam";
  }

 protected:
  int moment_count() const override { return 2; }

  void update(std::size_t group, const std::vector<Tensor>& parameters,
              std::vector<Moments*>& moments, const Tensor& learning_rate,
              const Tensor& step) override {
    AdamStep call;
    call.learning_rate = learning_rate.view();
    call.step = step.view();
    call.skip = skip_view();
    call.beta1 = options_.beta1;
    call.beta2 = options_.beta2;
    call.epsilon = options_.epsilon;
    call.weight_decay = groups_[group].weight_decay;
    call.decoupled = weight_decay_ == WeightDecay::Decoupled;
    call.slots = slots(parameters, moments);
    run_on(learning_rate.device(), call);
  }

 private:
  AdamOptions options_;
  WeightDecay weight_decay_;
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(std::vector<ParameterGroup> groups,
                                     const AdamOptions& options) {
  return std::make_unique<Adam>(std::move(groups), options, WeightDecay::L2);
}

std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup> groups,
                                      const AdamOptions& options) {
  return std::make_unique<Adam>(std::move(groups), options, WeightDecay::Decoupled);
}

}  // namespace hanok::nn
