// Optimisers with PyTorch's formulas, each step one fused sweep over all parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hanok/engine/tensor.h"
#include "hanok/kernels/backend.h"
#include "hanok/nn/state.h"

namespace hanok::nn {

/// Parameters that share hyper-parameters. Negative values mean "the optimiser's default".
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

  /// One update from the parameters' gradients. Parameters without a gradient, or with
  /// requires_grad=false, are left alone, and their own step count (Adam's bias correction) stays.
  /// Takes all its memory before it writes anything.
  void step();
  /// step() in pieces, for a step that is recorded and replayed (engine/recording.h). Recorded:
  /// prepare_step() and enqueue_step(), after a step() that made the moments. At each replay:
  /// write_rates() before it, count_step() after it.
  ///
  /// Chooses the parameters that take part and takes all memory.
  void prepare_step();
  /// Brings the groups' learning rates to the device: as arguments of kernels, nobody waits.
  void write_rates();
  /// The device's work: counts the step there and updates.
  void enqueue_step();
  /// The host's counts. Cannot fail.
  void count_step();
  /// Changes whenever prepare_step() chose other parameters than before: what was recorded then is
  /// of no use any more.
  std::int64_t choice() const { return choice_; }

  /// From now on steps are left out where `skip` (f32 [1], on the parameters' device) is not 0 when
  /// the device comes to them: parameters, moments and their step counts stay as they are. See
  /// nn/grad_scaler.h. Throws ValueError for another shape.
  void set_skip(const Tensor& skip);

  void zero_grad();
  std::size_t group_count() const { return groups_.size(); }
  const ParameterGroup& group(std::size_t i) const { return groups_[i]; }
  double learning_rate(std::size_t group = 0) const { return groups_[group].learning_rate; }
  void set_learning_rate(std::size_t group, double value);
  /// The rate each group started with: what schedules multiply.
  double base_learning_rate(std::size_t group) const { return base_learning_rates_[group]; }
  std::int64_t steps() const { return steps_; }

  /// A snapshot (copies) of moments, step counts and learning rates; parameters are matched by
  /// position.
  State state() const;
  /// Throws ValueError or ShapeError, and then changes nothing, if `state` is another optimiser's.
  void load_state(const State& state);
  virtual std::string type_name() const = 0;

 protected:
  /// Throws ValueError for no parameters, one given twice, and negative rates.
  Optimizer(std::vector<ParameterGroup> groups, double learning_rate, double weight_decay);
  /// Moments of one parameter, made at its first update.
  struct Moments {
    Tensor a, b;
    std::int64_t step = 0;
  };
  virtual int moment_count() const = 0;
  virtual void update(std::size_t group, const std::vector<Tensor>& parameters,
                      std::vector<Moments*>& moments, const Tensor& learning_rate,
                      const Tensor& step) = 0;
  /// What set_skip() was given; undefined without.
  const Tensor& skip() const { return skip_; }
  ConstView skip_view() const { return skip_.defined() ? skip_.view() : ConstView{}; }
  /// What a backend's fused sweep takes. Bumps the versions of parameters and moments.
  static std::vector<OptimizerSlot> slots(const std::vector<Tensor>& parameters,
                                          const std::vector<Moments*>& moments);
  std::vector<ParameterGroup> groups_;

 private:
  /// Parameters of one group and device that are at the same step: one fused sweep updates them.
  /// Usually that is all of a group; those unfrozen later form a sweep of their own.
  struct Sweep {
    std::size_t group = 0;
    std::vector<Tensor> parameters;
    std::vector<Moments*> moments;
    Tensor learning_rate;  // f32 [1] on the device
    Tensor step;           // i64 [1] on the device: steps done
    double rate_written = -1;

    bool chooses_as(const Sweep& other) const;
  };
  std::vector<Sweep> choose_sweeps();
  /// The host's counts of steps that the device may have left out, from the device.
  void read_steps() const;

  std::vector<double> base_learning_rates_;
  std::vector<std::vector<Moments>> moments_;
  std::vector<Sweep> sweeps_;
  Tensor skip_;
  std::int64_t choice_ = 0;
  std::int64_t steps_ = 0;
};

struct SgdOptions {
  double learning_rate = 0.01, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};
std::unique_ptr<Optimizer> make_sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);

struct AdamOptions {
  double learning_rate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
};
/// L2 penalty added to the gradient.
std::unique_ptr<Optimizer> make_adam(std::vector<ParameterGroup> groups,
                                     const AdamOptions& options);
/// Decoupled weight decay (Loshchilov and Hutter 2019); PyTorch's default decay is 0.01.
std::unique_ptr<Optimizer> make_adamw(std::vector<ParameterGroup> groups,
                                      const AdamOptions& options);

struct RmsPropOptions {
  double learning_rate = 0.01, alpha = 0.99, epsilon = 1e-8, momentum = 0, weight_decay = 0;
};
/// Hinton's lecture 6e of 2012, as PyTorch has it (not centred).
std::unique_ptr<Optimizer> make_rmsprop(std::vector<ParameterGroup> groups,
                                        const RmsPropOptions& options);

}  // namespace hanok::nn
