#include "hanok/weights/weights.h"

#include <fmt/format.h>

#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/inspection/weight_table.h"

namespace hanok::inspection {

void inspect_weights(const std::string& path, Reporter& reporter) {
  reporter.print(training::weight_table(weights::load(path)));
}

}  // namespace hanok::inspection
