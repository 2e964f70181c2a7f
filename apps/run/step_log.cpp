#include "hanok/apps/run/step_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/data/dataset.h"

namespace hanok::training {

StepLog::StepLog(Reporter& reporter, std::string path, std::int64_t last_step)
    : reporter_(reporter),
      path_(std::move(path)),
      text_("epoch,step,loss,learning_rate,gradient_norm\n") {
  if (path_.empty() || !exists(path_)) return;
  const data::Csv csv = data::read_csv(path_);
  const std::size_t step_column = csv.column("step");
  for (const std::vector<std::string>& row : csv.rows) {
    try {
      if (std::stoll(row[step_column]) > last_step) continue;
    } catch (const std::logic_error&) {  // from stoll
      throw FormatError(fmt::format("{}: \"{}\" is no step", path_, row[step_column]));
    }
    text_ += fmt::format("{}\n", fmt::join(row, ","));
  }
  changed_ = true;
}

void StepLog::append(const StepMetrics& m) {
  text_ +=
      fmt::format("{},{},{},{},{}\n", m.epoch, m.step, m.loss, m.learning_rate, m.gradient_norm);
  changed_ = true;
  reporter_.print(fmt::format("  step {}  loss {:.4f}  lr {:.2e}  gradient norm {:.3g}\n", m.step,
                              m.loss, m.learning_rate, m.gradient_norm));
}

void StepLog::save() {
  if (path_.empty() || !changed_) return;
  write_file(path_, text_);
  changed_ = false;
}

}  // namespace hanok::training
