// --detect-anomaly: names the layer that made the first value that is not finite.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "hanok/apps/options/options.h"
#include "hanok/engine/anomaly_detector.h"
#include "hanok/nn/module.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// Throws UsageError unless --detect-anomaly can read results there: the host does not see a GPU's.
void check_anomaly_device(Device device);

/// Without the option nothing is installed and nothing is checked.
class AnomalyWatch {
 public:
  /// The model outlives the watch.
  AnomalyWatch(const Options& options, nn::Module& model);

  /// For AnomalyDetector::Scope; null without the option.
  AnomalyDetector* detector() const { return detector_.get(); }
  /// "layer1.0.bn1, forward: batch_norm_apply [8,64,8,8]: 3 of ... are not finite ...", then what
  /// it was made of.
  std::string explain(const Anomaly& anomaly) const;

 private:
  std::string name_of_layer(const Anomaly& anomaly) const;
  /// "layer1.0.bn1.weight"; empty if it is no parameter or buffer.
  std::string name_of_tensor(const void* data) const;

  nn::Module& model_;
  std::unique_ptr<AnomalyDetector> detector_;
};

}  // namespace hanok::training
#pragma GCC visibility pop
