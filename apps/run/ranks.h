// The processes that train together (engine/communicator.h), as the programs see them. Rank 0
// prints and writes; the others compute.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/run/run_folder.h"
#include "hanok/engine/communicator.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// The ranks of this process: it alone, unless a RanksScope says otherwise.
Communicator& ranks();
inline bool is_first_rank() { return ranks().rank() == 0; }
inline bool has_other_ranks() { return ranks().size() > 1; }

/// While alive, ranks() are these.
class RanksScope {
 public:
  explicit RanksScope(Communicator& communicator);
  ~RanksScope();
  RanksScope(const RanksScope&) = delete;
  RanksScope& operator=(const RanksScope&) = delete;

 private:
  Communicator* saved_;
};

/// Whether any rank holds `flag`; every rank calls it.
bool any_rank(bool flag);
/// What rank 0 says; every rank calls it.
bool first_rank_says(bool flag);
std::string first_rank_says(const std::string& text);
/// Whether the user has interrupted any rank (signals.h); every rank calls it.
bool interrupted_on_any_rank();

/// What must be the same on every rank: a name for the user and the thing itself.
struct SameOnRanks {
  std::string name;
  std::string value;
};
/// Every rank calls it. Throws UsageError on all of them if one has something else than rank 0,
/// naming the rank, the thing and the first lines that differ.
void check_same_on_ranks(const std::vector<SameOnRanks>& things);

/// What the ranks but the first report: a short log in the run's folder, RUN/ranks/1.log, once it
/// is known, where that can be written.
class RankLog final : public Reporter {
 public:
  void print(const std::string& text) override;
  void show_progress(const ProgressState&) override {}
  void clear_progress() override {}
  double progress_interval() const override { return 3600; }
  void open(const RunFolder& folder);

 private:
  std::string kept_, path_;
};

/// main() of a program of which several ranks may be started: run_program(name, body) on each, with
/// ranks() being those of the launcher. An error on one ends all of them, with one message.
int run_ranked_program(const std::string& name, const std::function<int(Reporter&)>& body);
/// main() of one that runs in one process: if a launcher started several, all but the first end
/// with an error that says so.
int run_single_program(const std::string& name, const std::function<int(Reporter&)>& body);

}  // namespace hanok::training
#pragma GCC visibility pop
