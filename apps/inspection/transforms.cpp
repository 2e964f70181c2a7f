// inspect transforms: what a file for --augment can list.
#include <fmt/format.h>

#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/options/augmentation_toml.h"

namespace hanok::inspection {

void inspect_transforms() { fmt::print("{}", training::transforms_table()); }

}  // namespace hanok::inspection
