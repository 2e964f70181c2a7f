#include "hanok/engine/transaction.h"

#include <utility>

#include "hanok/kernels/base/error.h"

namespace hanok {
namespace {
thread_local StepTransaction* open_transaction = nullptr;
thread_local bool discarding = false;
}  // namespace

StepTransaction::StepTransaction() {
  if (open_transaction != nullptr) {
    throw ValueError("StepTransaction: one is already open on this thread; they do not nest");
  }
  open_transaction = this;
}

StepTransaction::~StepTransaction() { open_transaction = nullptr; }

void StepTransaction::commit() {
  const auto actions = std::move(actions_);
  actions_.clear();
  for (const auto& action : actions) action();
}

void StepTransaction::rollback() { actions_.clear(); }

void StepTransaction::write(std::function<void()> action) {
  if (discarding) return;
  if (open_transaction == nullptr) {
    action();
  } else {
    open_transaction->actions_.push_back(std::move(action));
  }
}

StepTransaction::Discard::Discard() : saved_(discarding) { discarding = true; }
StepTransaction::Discard::~Discard() { discarding = saved_; }

}  // namespace hanok
