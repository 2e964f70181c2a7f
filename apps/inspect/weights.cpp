#include "weights/weights.h"

#include <fmt/format.h>

#include "apps/inspect/inspect.h"
#include "apps/cli/weight_table.h"

namespace hanok::inspection {

void inspect_weights(const std::string& path) {
  fmt::print("{}", training::weight_table(weights::load(path)));
}

}  // namespace hanok::inspection
