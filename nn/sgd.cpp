#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/optim.h"

namespace hanok::nn {
namespace {

class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
      : Optimizer(std::move(groups), options.learning_rate, options.weight_decay),
        options_(options) {
    check_not_negative("momentum", options.momentum);
    if (options.nesterov && (options.momentum <= 0 || options.dampening != 0)) {
      throw ValueError("optimizer: nesterov needs a momentum above 0 and no dampening");
    }
  }
  std::string type_name() const override { return "SGD"; }

 protected:
  int moment_count() const override { return options_.momentum != 0 ? 1 : 0; }

  void update(std::size_t group, const std::vector<Tensor>& parameters,
              std::vector<Moments*>& moments, const Tensor& learning_rate,
              const Tensor& step) override {
    SgdStep call;
    call.learning_rate = learning_rate.view();
    call.step = step.view();
    call.skip = skip_view();
    call.momentum = options_.momentum;
    call.dampening = options_.dampening;
    call.weight_decay = groups_[group].weight_decay;
    call.nesterov = options_.nesterov;
    call.slots = slots(parameters, moments);
    run_on(learning_rate.device(), call);
  }

 private:
  SgdOptions options_;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup> groups, const SgdOptions& options) {
  return std::make_unique<Sgd>(std::move(groups), options);
}

}  // namespace hanok::nn
