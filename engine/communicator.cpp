#include "hanok/engine/communicator.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>
#include <utility>

#include "hanok/engine/ranks/mpi_transport.h"
#include "hanok/engine/ranks/tree_communicator.h"

namespace hanok {
namespace {

class SingleRank final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(const View&) override {}
  void broadcast(const View&, int) override {}
  void all_gather(const ConstView& x, const View& all) override {
    std::memmove(all.data, x.data, static_cast<std::size_t>(x.numel()) * size_of(x.dtype));
  }
  void barrier() override {}
  std::unique_ptr<Pending> start_all_reduce(const View&) override {
    class Done final : public Pending {
      void wait() override {}
    };
    return std::make_unique<Done>();
  }
  void observe(const std::function<void(const Communication&)>&) override {}
  [[noreturn]] void end_all(int exit_code) override { std::_Exit(exit_code); }
};

/// The value of an environment variable that must be a positive number of seconds.
double seconds_of(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return otherwise;
  char* end = nullptr;
  const double seconds = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(seconds > 0)) {
    throw ValueError(std::string(variable) + " is '" + text +
                     "', expected a positive number of seconds");
  }
  return seconds;
}

template <typename Action>
void on_cpu(Tensor& x, const Action& action) {
  Tensor host = x.device().is_cpu() ? x : x.to(Device::cpu());
  action(host.mutable_view());
  if (!x.device().is_cpu()) x.copy_from(host.to(x.device()));
}

}  // namespace

void all_reduce(Communicator& communicator, Tensor& x) {
  if (communicator.size() == 1) return;
  on_cpu(x, [&](const View& view) { communicator.all_reduce(view); });
}

void broadcast(Communicator& communicator, Tensor& x, int root) {
  if (communicator.size() == 1) return;
  on_cpu(x, [&](const View& view) { communicator.broadcast(view, root); });
}

std::vector<std::string> all_gather(Communicator& communicator, const std::string& text) {
  const auto ranks = static_cast<std::size_t>(communicator.size());
  std::vector<std::int64_t> lengths(ranks);
  const auto length = static_cast<std::int64_t>(text.size());
  communicator.all_gather({&length, DType::I64, {1}},
                          {lengths.data(), DType::I64, {static_cast<std::int64_t>(ranks)}});
  std::int64_t most = 0;
  for (const std::int64_t of_rank : lengths) most = std::max(most, of_rank);
  std::string mine = text;
  mine.resize(static_cast<std::size_t>(most));
  std::string all(mine.size() * ranks, '\0');
  communicator.all_gather({mine.data(), DType::U8, {most}},
                          {all.data(), DType::U8, {static_cast<std::int64_t>(all.size())}});
  std::vector<std::string> texts;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    texts.push_back(all.substr(rank * mine.size(), static_cast<std::size_t>(lengths[rank])));
  }
  return texts;
}

std::unique_ptr<Communicator> single_rank() { return std::make_unique<SingleRank>(); }

namespace {

/// Of the first variable that is set to a number; -1 if none is.
int number_of(std::initializer_list<const char*> variables) {
  for (const char* variable : variables) {
    if (const char* text = std::getenv(variable)) return std::max(0, std::atoi(text));
  }
  return -1;
}

}  // namespace

Launch launch_of_environment() {
  const auto launch = [](int ranks, const char* variable) {
    Launch found{.ranks = std::max(1, ranks), .launcher = variable};
    found.local_rank =
        std::max(0, number_of({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}));
    found.local_ranks = std::max(1, number_of({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS",
                                               "SLURM_STEP_TASKS_PER_NODE"}));
    return found;
  };
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    if (const int ranks = number_of({variable}); ranks > 0) return launch(ranks, variable);
  }
  // PMIx tells a process its rank, and no size before MPI begins; Slurm does.
  if (std::getenv("PMIX_RANK") != nullptr) {
    return launch(number_of({"SLURM_STEP_NUM_TASKS"}), "PMIX_RANK");
  }
  if (const int tasks = number_of({"SLURM_STEP_NUM_TASKS"}); tasks > 1) {
    return launch(tasks, "SLURM_STEP_NUM_TASKS");
  }
  return {};
}

RankLimits RankLimits::of_environment() {
  const RankLimits defaults;
  return {.silence_seconds = seconds_of("HANOK_RANK_SILENCE", defaults.silence_seconds),
          .lag_seconds = seconds_of("HANOK_RANK_LAG", defaults.lag_seconds)};
}

std::unique_ptr<Communicator> launched_ranks(
    const std::function<void(const std::string&)>& report) {
  const Launch launch = launch_of_environment();
  if (launch.launcher.empty()) return single_rank();
  if (launch.launcher == "SLURM_STEP_NUM_TASKS") {
    throw Error("srun started " + std::to_string(launch.ranks) +
                " tasks that know nothing of each other; start them with srun --mpi=pmix (srun "
                "--mpi=list says what there is), or with mpirun");
  }
  if (launch.ranks == 1 && launch.launcher != "PMIX_RANK") return single_rank();
  std::unique_ptr<ranks::Transport> transport = ranks::open_mpi_transport();
  if (launch.ranks > 1 && transport->size() != launch.ranks) {
    throw Error(
        "a launcher (" + launch.launcher + ") started " + std::to_string(launch.ranks) +
        " processes, and MPI knows " + std::to_string(transport->size()) +
        " of them; start them with the mpirun of the MPI that hanok was built with, or with "
        "an srun --mpi=... that this MPI supports");
  }
  if (transport->size() == 1) return single_rank();
  const auto end_job = [report, other = transport.get()](const std::string& message) {
    report(message);
    std::thread([other] { other->end_all(1); }).detach();
    // MPI may wait for a rank that is cut off.
    std::this_thread::sleep_for(std::chrono::seconds(5));
    std::_Exit(1);
  };
  return std::make_unique<ranks::TreeCommunicator>(std::move(transport),
                                                   RankLimits::of_environment(), end_job);
}

}  // namespace hanok
