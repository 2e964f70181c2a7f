// Finds a plan for each problem once: in memory, on disk, by cuDNN's heuristics or by measuring.
#include "hanok/kernels/cuda/libraries/cudnn_convolution.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "hanok/kernels/cuda/conv/fused_convolution.h"
#include "hanok/kernels/cuda/libraries/cudnn_graph.h"
#include "hanok/kernels/cuda/libraries/cudnn_plans.h"
#include "hanok/kernels/cuda/ops/scratch.h"
#include "hanok/kernels/cuda/runtime/cuda.h"

namespace hanok::cuda {
namespace {

constexpr std::size_t kWorkspaceLimit = std::size_t{1} << 30;
constexpr std::size_t kPlansToTry = 8;
constexpr int kRunsToMeasure = 5;

// ---- process-wide: options and records ----

struct Shared {
  std::mutex mutex;
  CudnnOptions options;
  std::vector<std::string> records;
};

Shared& shared() {
  static Shared state;
  static const bool initialised = [] {
    const char* autotune = std::getenv("HANOK_CUDNN_AUTOTUNE");
    state.options.autotune = autotune != nullptr && std::string(autotune) == "1";
    const char* folder = std::getenv("HANOK_CUDNN_PLANS");
    if (folder != nullptr) state.options.shared_folder = folder;
    return true;
  }();
  static_cast<void>(initialised);
  return state;
}

void record(std::string line) {
  const std::lock_guard lock(shared().mutex);
  shared().records.push_back(std::move(line));
}

// ---- the plans of one device ----

// Measures with events, after one unmeasured run that loads the kernel.
float fastest_milliseconds(const CudnnPlan& plan, CudnnHandle handle, cudaStream_t stream,
                           const TensorPointers& tensors, void* workspace) {
  cudaEvent_t begin = nullptr, end = nullptr;
  check(cudaEventCreate(&begin), "cudaEventCreate");
  check(cudaEventCreate(&end), "cudaEventCreate");
  float fastest = 1e30F;
  for (int run = 0; run <= kRunsToMeasure; ++run) {
    check(cudaEventRecord(begin, stream), "cudaEventRecord");
    plan.execute(handle, tensors, workspace);
    check(cudaEventRecord(end, stream), "cudaEventRecord");
    check(cudaEventSynchronize(end), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
    if (run > 0) fastest = std::min(fastest, milliseconds);
  }
  check(cudaEventDestroy(begin), "cudaEventDestroy");
  check(cudaEventDestroy(end), "cudaEventDestroy");
  return fastest;
}

class Plans final : public ConvolutionEngines {
 public:
  explicit Plans(int device) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    device_ = std::string(properties.name) + ", sm_" + std::to_string(properties.major) +
              std::to_string(properties.minor);
    int current = 0;
    check(cudaGetDevice(&current), "cudaGetDevice");
    check(cudaSetDevice(device), "cudaSetDevice");
    handle_ = create_cudnn_handle();
    check(cudaSetDevice(current), "cudaSetDevice");
  }
  ~Plans() override {
    plans_.clear();
    guesses_.clear();
    destroy_cudnn_handle(handle_);
  }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;

  bool run(ExecContext& context, const ConvolutionProblem& problem,
           const TensorPointers& tensors) override {
    const CudnnPlan* plan = find(problem, &context, &tensors);
    if (plan == nullptr) return false;
    Workspace::Scope scope(context.workspace);
    set_cudnn_stream(handle_, stream_of(context));
    plan->execute(handle_, tensors, take_aligned(scope, plan->workspace_bytes()));
    return true;
  }

  std::string engine(const ConvolutionProblem& problem) override {
    const CudnnPlan* plan = find(problem, nullptr, nullptr);
    return plan != nullptr ? "cudnn " + plan->engine() : "";
  }

  std::size_t workspace_bytes(const ConvolutionProblem& problem) override {
    const CudnnPlan* plan = find(problem, nullptr, nullptr);
    return plan != nullptr ? plan->workspace_bytes() + kScratchAlignment : 0;
  }

 private:
  // Null if cuDNN has no engine. `context` and `tensors` (null for both: do not measure) are those
  // of the upcoming call; measuring may overwrite its outputs.
  const CudnnPlan* find(const ConvolutionProblem& problem, ExecContext* context,
                        const TensorPointers* tensors) {
    const std::string text = problem.text();
    if (const auto known = plans_.find(text); known != plans_.end()) return known->second.get();
    const CudnnOptions options = cudnn_options();
    StoredPlan stored{text, device_, cudnn_version(), options.autotune, "", 0, ""};
    std::unique_ptr<CudnnPlan> plan;
    if (load(options, stored, plan)) return keep(plans_, text, std::move(plan));

    // The last, short batch of an epoch is computed like the others.
    const CudnnPlan* whole = nullptr;
    bool follows = false;
    if (problem.follows_nominal()) {
      whole = find(problem.nominal(), nullptr, nullptr);
      follows = plans_.count(problem.nominal().text()) != 0;
    }
    const bool measure =
        options.autotune && !follows && context != nullptr && !is_capturing(stream_of(*context));
    // A plan that should be measured but cannot be yet is provisional.
    const bool final = measure || follows || !options.autotune;
    if (!final) {
      if (const auto known = guesses_.find(text); known != guesses_.end()) {
        return known->second.get();
      }
    }
    try {
      if (follows && whole == nullptr) throw CudnnRefusal("as for the nominal batch");
      auto plans =
          build_plans(problem, handle_, measure || follows ? kPlansToTry : 1, kWorkspaceLimit);
      const std::string origin = follows   ? choose_like(whole->engine(), plans)
                                 : measure ? choose_fastest(plans, *context, *tensors)
                                           : "chosen by cuDNN";
      plan = std::move(plans.front());
      stored.engine = plan->engine();
      stored.workspace_bytes = plan->workspace_bytes();
      stored.plan = plan->serialize();
      record(text + ": " + stored.engine + ", scratch " + std::to_string(stored.workspace_bytes) +
             " bytes, " + origin + (final ? "" : ", for now"));
    } catch (const CudnnRefusal& refusal) {
      record(text + ": no engine, separate kernels instead (" + refusal.what() + ")");
    }
    if (final) save(options, stored);
    return keep(final ? plans_ : guesses_, text, std::move(plan));
  }

  using PlansByProblem = std::map<std::string, std::unique_ptr<CudnnPlan>>;
  static const CudnnPlan* keep(PlansByProblem& plans, const std::string& text,
                               std::unique_ptr<CudnnPlan> plan) {
    return plans.emplace(text, std::move(plan)).first->second.get();
  }

  bool load(const CudnnOptions& options, const StoredPlan& wanted,
            std::unique_ptr<CudnnPlan>& plan) {
    return load_from(options.own_folder, true, options, wanted, plan) ||
           load_from(options.shared_folder, false, options, wanted, plan);
  }

  // `any`: also accept a plan that was chosen by the other method.
  bool load_from(const std::string& folder, bool any, const CudnnOptions& options,
                 const StoredPlan& wanted, std::unique_ptr<CudnnPlan>& plan) {
    if (folder.empty()) return false;
    try {
      const auto read = [&](bool tuned) {
        return read_plan(folder, wanted.problem, wanted.device, wanted.cudnn, tuned);
      };
      std::optional<StoredPlan> found = read(wanted.tuned);
      if (!found && any) found = read(!wanted.tuned);
      if (!found) return false;
      if (!found->engine.empty()) plan = load_plan(handle_, found->plan);
      record(wanted.problem + ": " +
             (found->engine.empty() ? "no engine, separate kernels instead" : found->engine) +
             ", scratch " + std::to_string(found->workspace_bytes) + " bytes, from " + folder);
      save(options, *found);
      return true;
    } catch (const Error& error) {
      record(wanted.problem + ": a stored plan is not used: " + error.what());
      return false;
    }
  }

  static void save(const CudnnOptions& options, const StoredPlan& plan) {
    for (const std::string& folder : {options.own_folder, options.shared_folder}) {
      if (folder.empty()) continue;
      try {
        if (!read_plan(folder, plan.problem, plan.device, plan.cudnn, plan.tuned)) {
          write_plan(folder, plan);
        }
      } catch (const Error& error) {
        record(std::string("a plan is not stored: ") + error.what());
      }
    }
  }

  // Moves the plan of that engine to the front, or one of the engine with other settings; returns
  // the text to record.
  static std::string choose_like(const std::string& engine,
                                 std::vector<std::unique_ptr<CudnnPlan>>& plans) {
    const auto kind = [](const std::string& name) { return name.substr(0, name.find('_')); };
    auto found = std::find_if(plans.begin(), plans.end(),
                              [&](const auto& plan) { return plan->engine() == engine; });
    if (found == plans.end()) {
      found = std::find_if(plans.begin(), plans.end(),
                           [&](const auto& plan) { return kind(plan->engine()) == kind(engine); });
    }
    if (found == plans.end()) return "chosen by cuDNN: none of the nominal batch's engine";
    std::iter_swap(plans.begin(), found);
    return plans.front()->engine() == engine ? "as for the nominal batch"
                                             : "the nominal batch's engine with other settings";
  }

  // Moves the fastest plan to the front; returns the text to record.
  std::string choose_fastest(std::vector<std::unique_ptr<CudnnPlan>>& plans, ExecContext& context,
                             const TensorPointers& tensors) {
    std::size_t best = 0;
    float best_milliseconds = 1e30F;
    set_cudnn_stream(handle_, stream_of(context));
    for (std::size_t i = 0; i < plans.size(); ++i) {
      try {
        Workspace::Scope scope(context.workspace);
        const float milliseconds =
            fastest_milliseconds(*plans[i], handle_, stream_of(context), tensors,
                                 take_aligned(scope, plans[i]->workspace_bytes()));
        if (milliseconds < best_milliseconds) {
          best_milliseconds = milliseconds;
          best = i;
        }
      } catch (const OutOfMemory&) {  // a plan whose workspace does not fit is not a candidate
        continue;
      }
    }
    std::swap(plans.front(), plans[best]);
    return "fastest of " + std::to_string(plans.size()) + ": " +
           std::to_string(best_milliseconds * 1000) + " us";
  }

  std::string device_;
  CudnnHandle handle_ = nullptr;
  PlansByProblem plans_;
  PlansByProblem guesses_;  // provisional plans that could not be measured yet
};

}  // namespace

CudnnOptions cudnn_options() {
  const std::lock_guard lock(shared().mutex);
  return shared().options;
}

void set_cudnn_options(const CudnnOptions& options) {
  const std::lock_guard lock(shared().mutex);
  shared().options = options;
}

std::unique_ptr<Convolution> make_cudnn_convolution(int device, std::string* missing) {
  if (!open_cudnn(missing)) return nullptr;
  return make_fused_convolution(std::make_unique<Plans>(device));
}

std::string cudnn_version() {
  const std::size_t version = cudnn_version_number();
  if (version == 0) return "";
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::vector<std::string> cudnn_plan_records() {
  const std::lock_guard lock(shared().mutex);
  return shared().records;
}

}  // namespace hanok::cuda
