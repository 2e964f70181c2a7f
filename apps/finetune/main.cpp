// finetune: argument parsing plus calls into apps/training.
#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/experiment.h"
#include "hanok/apps/experiment/finetune_command.h"
#include "hanok/apps/options/device_option.h"
#include "hanok/apps/preflight/check.h"
#include "hanok/apps/run/run_folder.h"

namespace {

using namespace hanok::training;

/// Beside --resume only options that leave the result alone may be given.
int resume(const CommandLine& command) {
  constexpr std::array<const char*, 9> kFree = {"threads",        "workers",      "device",
                                                "cuda-graph",     "cache-images", "image-budget",
                                                "cache-features", "cache-budget", "profile"};
  for (const std::string& name : command.given) {
    if (std::find(kFree.begin(), kFree.end(), name) == kFree.end()) {
      throw UsageError(fmt::format(
          "--resume: goes on with the options in the run's config.toml; beside it only --{} may be "
          "given (found --{})",
          fmt::join(kFree, ", --"), name));
    }
  }
  return resume_run(command.resume, [&command](Options& options) {
    for (const std::string& name : command.given) {
      const OptionEntry& entry = find_option(name);
      entry.set(options, entry.get(command.options));
    }
  });
}

int start(CommandLine command) {
  if (command.out.empty()) throw UsageError("--out: missing; name a new folder for the run");
  if (command.demo) {
    RunFolder::check_free(command.out);
    // A missing GPU is told before anything is drawn.
    check_precision(command.options.precision, choose_device(command.options.device));
    fmt::print("drawing {} people's faces into {}/data\n", command.people, command.out);
    command.options.data =
        draw_demo_data(command.out + "/data", command.people, command.options.seed);
  }
  return start_run(command.options, command.out);
}

int run(int argc, const char* const* argv) {
  const CommandLine command = parse_command_line(argc, argv);
  if (command.done) return kSuccess;
  watch_for_interrupts();
  if (!command.write_synthetic.empty()) {
    draw_demo_data(command.write_synthetic, command.people, command.options.seed);
    fmt::print("drew {} people's faces into {}\n", command.people, command.write_synthetic);
    return kSuccess;
  }
  if (command.print_config) {
    fmt::print("{}", to_toml(command.options));
    return kSuccess;
  }
  if (command.check) return check_recipe(command.options);
  if (command.dry_run) {
    dry_run(command.options);
    return kSuccess;
  }
  if (command.plan) {
    plan_run(command.options);
    return kSuccess;
  }
  return command.resume.empty() ? start(command) : resume(command);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (...) {
    return report_current_exception("finetune");
  }
}
