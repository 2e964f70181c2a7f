// inspect transforms: what a file for --augment can list.
#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/options/augmentation_toml.h"

namespace hanok::inspection {

void inspect_transforms(Reporter& reporter) { reporter.print(training::transforms_table()); }

}  // namespace hanok::inspection
