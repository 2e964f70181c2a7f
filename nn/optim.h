// Optimisers with PyTorch's formulas, each step one fused sweep over all parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"
#include "hanok/nn/state.h"

#pragma GCC visibility push(default)
namespace hanok::nn {

/// Parameters that share hyper-parameters. A negative value selects the optimiser's default.
struct ParameterGroup {
  std::string name;  // for reports: "head", "backbone"
  std::vector<Tensor> parameters;
  double learning_rate = -1;
  double weight_decay = -1;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Updates the parameters from their gradients. Parameters without a gradient, or with
  /// requires_grad=false, are unchanged and keep their own step count (for Adam's bias correction).
  /// Allocates all its memory before it writes anything.
  void step();
  /// step() in four parts, for a step that is recorded and replayed (engine/recording.h). Recorded
  /// are prepare_step() and enqueue_step(), after an ordinary step() that allocated the moments.
  /// Each replay calls write_rates() before it and count_step() after it. prepare_step() selects
  /// the parameters to update and allocates all memory.
  void prepare_step();
  /// Allocates now what the first step would allocate for parameters that require a gradient:
  /// memory that stays should not lie among memory that passes.
  void allocate_moments();
  /// Copies the groups' learning rates to the device, as kernel arguments and without
  /// synchronising.
  void write_rates();
  /// Enqueues the device's work: increments its step counts and updates.
  void enqueue_step();
  /// Increments the host's counts. Does not throw.
  void count_step();
  /// Changes whenever prepare_step() selected other parameters than before; a recorded step is then
  /// invalid.
  std::int64_t choice() const { return choice_; }

  /// From now on a step is skipped if `skip` (f32 [1], on the parameters' device) is not 0 when the
  /// device executes it: parameters, moments and their step counts are unchanged. See
  /// nn/grad_scaler.h. Throws ValueError for another shape.
  void set_skip(const Tensor& skip);

  /// Removes the gradients of all parameters.
  void zero_grad();
  std::size_t group_count() const { return groups_.size(); }
  /// These throw ValueError if there is no such group.
  const ParameterGroup& group(std::size_t i) const { return groups_[checked_group(i)]; }
  double learning_rate(std::size_t group = 0) const {
    return groups_[checked_group(group)].learning_rate;
  }
  /// Throws ValueError for a negative value, too.
  void set_learning_rate(std::size_t group, double value);
  /// The group's initial rate, which schedules multiply.
  double base_learning_rate(std::size_t group) const {
    return base_learning_rates_[checked_group(group)];
  }
  std::int64_t steps() const { return steps_; }

  /// A snapshot (copies) of moments, step counts and learning rates; parameters are identified by
  /// position.
  State state() const;
  /// The same without copies, to be written at once: the next step changes it.
  State shared_state() const;
  /// Throws ValueError or ShapeError, without changing anything, if `state` is another optimiser's.
  void load_state(const State& state);
  /// The same, each tensor freed once it is copied, so that there are never two of all.
  void load_state(State&& state);
  virtual std::string type_name() const = 0;

 protected:
  /// Throws ValueError for no parameters, a duplicate or an op's result, and negative rates.
  Optimizer(std::vector<ParameterGroup> groups, double learning_rate, double weight_decay);
  /// Throw ValueError naming the option unless value >= 0, or 0 <= value < 1.
  static void check_not_negative(const char* name, double value);
  static void check_below_one(const char* name, double value);
  /// Moments of one parameter, allocated at its first update.
  struct Moments {
    Tensor a, b;
    std::int64_t step = 0;
  };
  virtual int moment_count() const = 0;
  void allocate(Moments& moments, const Tensor& parameter) const;
  virtual void update(std::size_t group, const std::vector<Tensor>& parameters,
                      std::vector<Moments*>& moments, const Tensor& learning_rate,
                      const Tensor& step) = 0;
  /// The tensor of set_skip(), or undefined.
  const Tensor& skip() const { return skip_; }
  ConstView skip_view() const { return skip_.defined() ? skip_.view() : ConstView{}; }
  /// The arguments of a backend's fused sweep. Bumps the versions of parameters and moments.
  static std::vector<OptimizerSlot> slots(const std::vector<Tensor>& parameters,
                                          const std::vector<Moments*>& moments);
  std::vector<ParameterGroup> groups_;

 private:
  /// Parameters of one group and device with the same step count; one fused sweep updates them.
  /// Usually that is the whole group; parameters unfrozen later form their own sweep.
  struct Sweep {
    std::size_t group = 0;
    std::vector<Tensor> parameters;
    std::vector<Moments*> moments;
    Tensor learning_rate;  // f32 [1] on the device
    Tensor step;           // i64 [1] on the device: step count
    double rate_written = -1;

    bool chooses_as(const Sweep& other) const;
  };
  /// The index itself. Throws ValueError if it is out of range.
  std::size_t checked_group(std::size_t index) const;
  std::vector<Sweep> choose_sweeps();
  /// Copies the device's step counts to the host, since the device may have skipped steps.
  void read_steps() const;

  std::vector<double> base_learning_rates_;
  std::vector<std::vector<Moments>> moments_;
  std::vector<Sweep> sweeps_;
  Tensor skip_;
  std::int64_t choice_ = 0;
  std::int64_t steps_ = 0;
};

// Defaults are those of PyTorch's optimisers.

struct SgdOptions {
  double learning_rate = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};
/// SGD with momentum (Sutskever et al. 2013); weight_decay is an L2 penalty added to the gradient.
/// These functions throw ValueError for options out of range.
std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);

struct AdamOptions {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  std::optional<double> weight_decay{};  // not given: 0 for Adam, 0.01 for AdamW
};
/// Adam; weight_decay is an L2 penalty added to the gradient (Kingma and Ba 2015).
std::unique_ptr<Optimizer> make_adam(std::vector<ParameterGroup> groups,
                                     const AdamOptions& options);
/// AdamW: decoupled weight decay (Loshchilov and Hutter 2019), 0.01 unless given.
std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup> groups,
                                      const AdamOptions& options);

struct RmsPropOptions {
  double learning_rate = 0.01, alpha = 0.99, epsilon = 1e-8, momentum = 0, weight_decay = 0;
};
/// RMSprop (Hinton, lecture 6e, 2012), as in PyTorch, not centred.
std::unique_ptr<Optimizer> make_rmsprop(std::vector<ParameterGroup> groups,
                                        const RmsPropOptions& options);

}  // namespace hanok::nn
#pragma GCC visibility pop
