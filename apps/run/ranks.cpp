#include "hanok/apps/run/ranks.h"

#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <sstream>
#include <thread>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/run/files.h"

namespace hanok::training {
namespace {

/// Never destroyed: it is used until the process ends.
Communicator& alone() {
  static Communicator* process = single_rank().release();
  return *process;
}

Communicator*& ranks_here() {
  static Communicator* here = &alone();
  return here;
}

/// The first line in which two texts differ, of each.
std::pair<std::string, std::string> first_difference(const std::string& one,
                                                     const std::string& other) {
  std::istringstream of_one(one), of_other(other);
  std::string line, other_line;
  do {
    line.clear();
    other_line.clear();
    std::getline(of_one, line);
    std::getline(of_other, other_line);
  } while (line == other_line && (of_one || of_other));
  return {line, other_line};
}

/// What all ranks find, rank 0 says for all. Waits for that a while: true if the launcher then ends
/// this process, as it does when a rank ends the job.
bool ended_by_first_rank() {
  constexpr int kLooks = 30;
  clear_interrupt();
  for (int look = 0; look < kLooks && !interrupted(); ++look) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return interrupted();
}

}  // namespace

Communicator& ranks() { return *ranks_here(); }

RanksScope::RanksScope(Communicator& communicator)
    : saved_(std::exchange(ranks_here(), &communicator)) {}
RanksScope::~RanksScope() { ranks_here() = saved_; }

bool any_rank(bool flag) {
  std::int64_t count = flag ? 1 : 0;
  ranks().all_reduce({&count, DType::I64, {1}});
  return count > 0;
}

bool first_rank_says(bool flag) {
  std::int64_t said = flag ? 1 : 0;
  ranks().broadcast({&said, DType::I64, {1}}, 0);
  return said != 0;
}

std::string first_rank_says(const std::string& text) {
  auto size = static_cast<std::int64_t>(text.size());
  ranks().broadcast({&size, DType::I64, {1}}, 0);
  std::string said = text;
  said.resize(static_cast<std::size_t>(size));
  ranks().broadcast({said.data(), DType::U8, {size}}, 0);
  return said;
}

bool interrupted_on_any_rank() {
  return has_other_ranks() ? any_rank(interrupted()) : interrupted();
}

void check_same_on_ranks(const std::vector<SameOnRanks>& things) {
  if (!has_other_ranks()) return;
  for (const SameOnRanks& thing : things) {
    const std::vector<std::string> all = all_gather(ranks(), thing.value);
    for (std::size_t rank = 1; rank < all.size(); ++rank) {
      if (all[rank] == all[0]) continue;
      const auto [here, there] = first_difference(all[0], all[rank]);
      throw UsageError(fmt::format(
          "rank {} has another {} than rank 0 ('{}' there, '{}' here): all ranks must be started "
          "with the same program, options and data",
          rank, thing.name, there, here));
    }
  }
}

void RankLog::print(const std::string& text) {
  if (path_.empty()) {
    kept_ += text;
    return;
  }
  std::FILE* file = std::fopen(path_.c_str(), "a");
  if (file == nullptr) return;  // on this machine the folder cannot be seen
  std::fwrite(text.data(), 1, text.size(), file);
  std::fclose(file);
}

void RankLog::open(const RunFolder& folder) {
  const std::string logs = folder.path() + "/ranks";
  try {
    make_folder(logs);
  } catch (const Error&) {
    return;
  }
  path_ = fmt::format("{}/{}.log", logs, ranks().rank());
  print(std::exchange(kept_, {}));
}

int run_ranked_program(const std::string& name, const std::function<int(Reporter&)>& body) {
  std::unique_ptr<Communicator> launched;
  const int exit_code = run_program(name, [&](Reporter& terminal) {
    launched = launched_ranks([&name](const std::string& message) {
      print_error(fmt::format("{}: {}\n", name, message));
    });
    const RanksScope scope(*launched);
    if (!has_other_ranks()) return body(terminal);
    try {
      if (is_first_rank()) return body(terminal);
      RankLog log;
      return body(log);
    } catch (...) {
      const Failure failure = current_failure();
      if (!is_first_rank() && ended_by_first_rank()) return failure.exit_code;
      print_error(fmt::format("{}: rank {}: {}\n", name, ranks().rank(), failure.message));
      launched->end_all(failure.exit_code);
      return failure.exit_code;
    }
  });
  return exit_code;
}

int run_single_program(const std::string& name, const std::function<int(Reporter&)>& body) {
  return run_program(name, [&](Reporter& reporter) {
    const Launch launch = launch_of_environment();
    if (launch.ranks > 1) {
      throw UsageError(fmt::format(
          "{} runs in one process, and {} says that {} were started: leave out mpirun or srun",
          name, launch.launcher, launch.ranks));
    }
    return body(reporter);
  });
}

}  // namespace hanok::training
