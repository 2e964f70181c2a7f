// Findings: recorded during a launch, then thrown at its end or collected.
#include <mutex>
#include <set>

#include "tests/cuda/emulator/executor.h"

namespace hanok::emulator {
namespace {

std::vector<Report> pending;    // of the running launch
std::vector<Report> collected;  // since the oldest Collect
std::set<std::string> seen;     // texts in `collected`
int collectors = 0;
std::mutex mutex;

constexpr std::size_t kMostFindings = 100;  // per launch; a bug may cause thousands

}  // namespace

void report(Report::Kind kind, const std::string& text) {
  if (pending.size() >= kMostFindings) return;
  pending.push_back({kind, "", text});
}

void settle(const void* address) {
  if (pending.empty()) return;
  std::vector<Report> found;
  found.swap(pending);
  const std::string kernel = function_name(address);
  for (Report& one : found) {
    one.kernel = kernel;
    one.text = kernel + ": " + one.text;
  }
  const std::lock_guard lock(mutex);
  if (collectors == 0) {
    Report first = found.front();
    if (found.size() > 1) {
      first.text += " (and " + std::to_string(found.size() - 1) +
                    " more findings, the second: " + found[1].text + ")";
    }
    throw Fault(first);
  }
  for (const Report& one : found) {
    if (seen.insert(one.text).second) collected.push_back(one);
  }
}

Collect::Collect() {
  const std::lock_guard lock(mutex);
  if (collectors++ == 0) {
    collected.clear();
    seen.clear();
  }
}

Collect::~Collect() {
  const std::lock_guard lock(mutex);
  --collectors;
}

std::vector<Report> Collect::reports() const {
  const std::lock_guard lock(mutex);
  return collected;
}

std::string text_of(const uint3& index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," +
         std::to_string(index.z) + ")";
}

std::string text_of(const Site& site) {
  const std::string file = site.file == nullptr ? "?" : site.file;
  return std::string(site.what) + " at " + file.substr(file.rfind('/') + 1) + ":" +
         std::to_string(site.line);
}

}  // namespace hanok::emulator
