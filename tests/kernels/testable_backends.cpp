// In test_kernels: the CPU's instruction-set paths.
#include "tests/kernels/kernel_context.h"

namespace hanok::test {

std::vector<std::shared_ptr<Backend>> testable_backends() {
  std::vector<std::shared_ptr<Backend>> backends;
  for (const cpu::Isa isa : cpu::isas_of_this_cpu()) backends.push_back(cpu::make_backend(isa));
  return backends;
}

}  // namespace hanok::test
