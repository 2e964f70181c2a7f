#include "hanok/apps/experiment/traced_training.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string_view>

#include "hanok/apps/training/trainer.h"
#include "hanok/engine/generator.h"

namespace hanok::training {

namespace {

/// Makes what otherwise the first draws of a process make. A training sets its seed afterwards.
void make_generator_ready() {
  Generator::global().next(RandomStream::Init, Device::cpu());
  Generator::global().position(Device::cpu());
}

}  // namespace

bool train_again(const FoldJob& job) { return Trainer(job).train(); }

std::vector<NamedOp> train_traced(const FoldJob& job) {
  make_generator_ready();
  const OpTrace trace;
  Trainer trainer(job);
  trainer.train();
  std::map<const void*, std::string> names;
  for (const nn::NamedModule& entry : trainer.model().named_modules()) {
    names[entry.module] = entry.name.empty() ? entry.module->type_name() : entry.name;
  }
  std::vector<NamedOp> ops;
  std::int64_t step = 1;
  bool updated = false;  // updates end a step
  for (const TracedOp& op : trace.ops()) {
    const auto name = names.find(op.layer);
    const bool updates = op.pass == KernelCall::Pass::Update;
    if (updated && !updates) ++step;
    updated = updates;
    ops.push_back({.op = op, .layer = name == names.end() ? "" : name->second, .step = step});
  }
  return ops;
}

std::string first_difference(const std::vector<NamedOp>& a, const std::vector<NamedOp>& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const TracedOp& one = a[i].op;
    const TracedOp& other = b[i].op;
    const std::string where =
        fmt::format("step {}, op {}: {} of {}, {}", b[i].step, i + 1, other.kernel,
                    b[i].layer.empty() ? "no layer (loss, clipping, optimizer)" : b[i].layer,
                    name_of(other.pass));
    if (std::string_view(one.kernel) != other.kernel || a[i].layer != b[i].layer) {
      return fmt::format("{}, where {} ran before", where, one.kernel);
    }
    if (one.read != other.read) return where + " is the first op that reads other values";
    if (one.written != other.written) return where + " makes other values of the same ones";
  }
  if (a.size() != b.size()) return fmt::format("{} ops, then {} ops", a.size(), b.size());
  return "";
}

}  // namespace hanok::training
