// Output files that would replace what the command reads.
#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::training {

/// Throws UsageError naming `option` if `out` is one of `inputs`, by whatever path either is named.
void refuse_to_overwrite(const std::string& out, const std::vector<std::string>& inputs,
                         const std::string& option = "--out");

/// The files that finetune wrote into a run folder: its records, scores and checkpoints.
std::vector<std::string> files_of_run(const std::string& run);

}  // namespace hanok::training
#pragma GCC visibility pop
