// inspect transforms: what a file for --augment can list.
#include <fmt/format.h>

#include "apps/inspect/inspect.h"
#include "apps/options/augmentation_toml.h"

namespace hanok::inspection {

void inspect_transforms() { fmt::print("{}", training::transforms_table()); }

}  // namespace hanok::inspection
