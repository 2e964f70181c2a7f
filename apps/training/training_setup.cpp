#include "hanok/apps/training/training_setup.h"

#include "hanok/apps/options/device_option.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/training/optimization.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/precision.h"
#include "hanok/nn/models/registry.h"

namespace hanok::training {

TrainingSetup::TrainingSetup(const FoldJob& job, const FoldSamples& samples)
    : device(choose_device(job.options.device)) {
  const Options& options = job.options;
  const std::string head = nn::head_name(options.model);
  // Initial weights depend on the seed alone, not on what was trained before in this process.
  Generator::global().set_seed(options.seed);
  Generator::global().begin_step(0, 0);
  model = make_network(options.model, samples.classes(), options.image_size, options.hidden);
  if (!job.start_weights.empty()) {
    StartReport report = start_from(*model, options.model,
                                    {.path = job.start_weights, .renames = start_renames(options)});
    head_is_new = report.head_kept;
    start_notes = std::move(report.notes);
  }
  model->to(device);
  freezing = std::make_unique<FreezingPlan>(*model, head, freezing_rules(options));
  optimizer = make_optimizer(options, parameter_groups(options, *model, *freezing));
  schedule = make_schedule(options, samples.total_steps);
  if (options.class_weights != ClassWeights::None) {
    class_weights = Tensor::from_vector(training::class_weights(options.class_weights,
                                                                samples.dataset, samples.training),
                                        Shape{samples.classes()})
                        .to(device);
  }
  loss = std::make_unique<TrainingLoss>(options, samples.classes(), class_weights);
  if (options.ema > 0) ema = std::make_unique<nn::Ema>(*model, options.ema);
  if (options.precision == Precision::F16) {
    scaler = std::make_unique<nn::GradScaler>(device);
    optimizer->set_skip(scaler->found());
  }
}

}  // namespace hanok::training
