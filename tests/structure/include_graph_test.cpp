// Arrows between rooms point one way only: a lower room never includes from a higher one.
#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <set>

#include "tests/structure/source_tree.h"

namespace hanok::structure {
namespace {

using ::testing::IsEmpty;

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"kernels", {"kernels"}},
    {"engine", {"kernels", "engine"}},
    {"nn", {"kernels", "engine", "nn"}},
    {"data", {"kernels", "engine", "data"}},
    {"weights", {"kernels", "engine", "weights"}},
    {"apps", {"kernels", "engine", "nn", "data", "weights", "apps"}},
    {"tests", {"kernels", "engine", "nn", "data", "weights", "apps", "tests"}},
    {"bench", {"kernels", "engine", "nn", "data", "weights", "apps", "tests", "bench"}},
};

/// Why `file` may not include `included`; empty if it may.
std::string objection(const std::string& file, const std::string& included) {
  const std::string from = room_of(file);
  const std::string to = room_of(included);
  // A weight file is a list of names and tensors, and that type lives in nn.
  if (from == "weights" && included == "nn/state_dict.h") return "";
  if (kMayInclude.count(to) == 0) return file + ": \"" + included + "\" does not start with a room";
  if (kMayInclude.at(from).count(to) == 0) return file + " includes " + included + " from above";
  if (file.rfind("kernels/base/", 0) == 0 && included.rfind("kernels/base/", 0) != 0) {
    return file + " includes " + included + ": kernels/base knows only itself";
  }
  return "";
}

TEST(IncludeGraph, ObjectsToArrowsThatPointUp) {
  EXPECT_EQ(objection("engine/ops/relu.cpp", "kernels/backend.h"), "");
  EXPECT_EQ(objection("weights/pth.cpp", "nn/state_dict.h"), "");
  EXPECT_NE(objection("kernels/cpu/pool.cpp", "engine/tensor.h"), "");
  EXPECT_NE(objection("data/loader.cpp", "nn/module.h"), "");
  EXPECT_NE(objection("weights/pth.cpp", "nn/module.h"), "");
  EXPECT_NE(objection("nn/init.cpp", "data/image.h"), "");
  EXPECT_NE(objection("engine/tensor.cpp", "tests/tolerance.h"), "");
  EXPECT_NE(objection("kernels/base/shape.cpp", "kernels/backend.h"), "");
  EXPECT_NE(objection("nn/layers.cpp", "layers.h"), "");
}

TEST(IncludeGraph, ReadsIncludes) {
  const Includes found =
      includes("#pragma once\n#include <vector>\n# include \"hanok/nn/init.h\"\n");
  EXPECT_EQ(found.angled, std::vector<std::string>{"vector"});
  EXPECT_EQ(found.quoted, std::vector<std::string>{"hanok/nn/init.h"});
  EXPECT_EQ(included_file("hanok/nn/init.h"), "nn/init.h");
  EXPECT_EQ(included_file("tests/support/paths.h"), "tests/support/paths.h");
  EXPECT_EQ(included_file("nn/init.h"), "");
}

TEST(IncludeGraph, NoRoomIncludesFromAHigherOne) {
  std::vector<std::string> objections;
  int checked = 0;
  for (const auto& [room, allowed] : kMayInclude) {
    for (const std::string& file : files(room)) {
      // Programs of other projects, which have folders of their own.
      if (file.rfind("tests/package/", 0) == 0) continue;
      for (const std::string& quoted : includes(read(file)).quoted) {
        // What stands in for the toolkit's headers is found as the toolkit's are.
        if (std::filesystem::exists(root() / "tests/cuda/emulator/include" / quoted)) continue;
        ++checked;
        const std::string included = included_file(quoted);
        if (included.empty()) {
          objections.push_back(file + ": \"" + quoted + "\" lacks the prefix hanok/");
        } else if (const std::string reason = objection(file, included); !reason.empty()) {
          objections.push_back(reason);
        } else if (!std::filesystem::exists(root() / included)) {
          objections.push_back(file + " includes " + included + ", which is not there");
        }
      }
    }
  }
  EXPECT_GT(checked, 100);
  EXPECT_THAT(objections, IsEmpty());
}

/// Folders of the library in apps, from the lowest to the highest.
const std::vector<std::string>& app_folders() {
  static const std::vector<std::string> folders = {
      "cli",          "run",        "pages",      "options",   "profiling",   "statistics",
      "faces",        "training",   "prediction", "preflight", "data_report", "run_report",
      "label_errors", "experiment", "inspection", "conversion"};
  return folders;
}

/// Why a file of apps may not include another one there; empty if it may.
std::string objection_in_apps(const std::string& file, const std::string& included) {
  const auto rank = [](const std::string& path) {
    const std::string folder = room_of(path.substr(std::string("apps/").size()));
    return std::find(app_folders().begin(), app_folders().end(), folder) - app_folders().begin();
  };
  const auto end = static_cast<std::ptrdiff_t>(app_folders().size());  // a program's folder
  if (rank(included) == end) return file + " includes " + included + " of a program";
  return rank(included) > rank(file) ? file + " includes " + included + " from above" : "";
}

TEST(IncludeGraph, ObjectsToArrowsThatPointUpWithinApps) {
  EXPECT_EQ(objection_in_apps("apps/training/loss.h", "apps/options/options.h"), "");
  EXPECT_EQ(objection_in_apps("apps/training/loss.h", "apps/training/freezing.h"), "");
  EXPECT_EQ(objection_in_apps("apps/predict/main.cpp", "apps/prediction/predict_command.h"), "");
  EXPECT_NE(objection_in_apps("apps/training/loss.h", "apps/preflight/plan.h"), "");
  EXPECT_NE(objection_in_apps("apps/cli/progress.h", "apps/run/files.h"), "");
  EXPECT_NE(objection_in_apps("apps/cli/progress.h", "apps/finetune/main.h"), "");
}

TEST(IncludeGraph, NoFolderOfAppsIncludesFromAHigherOne) {
  std::vector<std::string> objections;
  int checked = 0;
  for (const std::string& file : files("apps")) {
    for (const std::string& quoted : includes(read(file)).quoted) {
      const std::string included = included_file(quoted);
      if (room_of(included) != "apps") continue;
      ++checked;
      const std::string reason = objection_in_apps(file, included);
      if (!reason.empty()) objections.push_back(reason);
    }
  }
  EXPECT_GT(checked, 100);
  EXPECT_THAT(objections, IsEmpty());
}

TEST(IncludeGraph, HeadersFormNoCycle) {
  std::map<std::string, std::vector<std::string>> graph;
  for (const std::string& room : rooms()) {
    for (const std::string& header : files(room, {".h"})) {
      for (const std::string& quoted : includes(read(header)).quoted) {
        graph[header].push_back(included_file(quoted));
      }
    }
  }
  // Takes away headers that include none of those left, until nothing more can be taken.
  for (bool progress = true; progress;) {
    progress = false;
    for (auto it = graph.begin(); it != graph.end();) {
      const auto& wanted = it->second;
      if (std::none_of(wanted.begin(), wanted.end(),
                       [&](const std::string& header) { return graph.count(header) > 0; })) {
        it = graph.erase(it);
        progress = true;
      } else {
        ++it;
      }
    }
  }
  std::vector<std::string> cyclic;
  for (const auto& [header, wanted] : graph) cyclic.push_back(header);
  EXPECT_THAT(cyclic, IsEmpty());
}

// Inline functions of standard or third-party headers, compiled with -mavx2, could replace the
// portable path's copies at link time; so these files see C headers and plain types only.
TEST(IncludeGraph, InstructionSetFilesIncludePlainHeadersOnly) {
  const std::set<std::string> plain = {"immintrin.h", "stdint.h", "stddef.h",   "string.h",
                                       "math.h",      "cstdint",  "cstddef",    "cstring",
                                       "cfloat",      "climits",  "type_traits"};
  std::vector<std::string> objections;
  for (const std::string& file : files("kernels/cpu/isa")) {
    for (const std::string& included : includes(read(file)).angled) {
      if (plain.count(included) == 0) objections.push_back(file + " includes <" + included + ">");
    }
  }
  EXPECT_THAT(objections, IsEmpty());
}

}  // namespace
}  // namespace hanok::structure
