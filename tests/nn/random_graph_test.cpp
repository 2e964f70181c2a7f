// Random graphs of ops against PyTorch, if a Python ($HANOK_TEST_PYTHON, else python3) has it:
// every step's value and every leaf's gradient. A failing graph is shrunk to the fewest steps that
// still fail, and printed. $HANOK_RANDOM_GRAPHS sets their number (default 150), $HANOK_RANDOM_SEED
// the first seed.
#include "tests/nn/random_graph.h"

#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hanok/engine/ops.h"
#include "tests/golden/golden.h"
#include "tests/support/paths.h"

namespace hanok::random_graph {
namespace {

constexpr int kLargestGraph = 12;
// Rounding may change the outcome of comparisons closer to their limit than this (relative).
constexpr double kSmallestMargin = 1e-4;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Answer {
  Results results;
  double margin = 0;
  bool same_shapes = true;
};

std::vector<std::vector<double>> numbers(const Json& tensors) {
  std::vector<std::vector<double>> result;
  for (const Json& tensor : tensors) {
    result.emplace_back();
    for (const Json& value : tensor) result.back().push_back(golden::number(value));
  }
  return result;
}

class Torch {
 public:
  Torch() : folder_(fmt::format("{}/hanok_random_graphs_{}", testing::TempDir(), getpid())) {
    std::filesystem::create_directories(folder_);
  }
  ~Torch() { std::filesystem::remove_all(folder_); }
  Torch(const Torch&) = delete;
  Torch& operator=(const Torch&) = delete;

  /// Empty, with `skip` set, without PyTorch.
  std::vector<Answer> run(const std::vector<Graph>& graphs) {
    Json all = Json::array();
    for (const Graph& graph : graphs) all.push_back(to_json(graph));
    std::ofstream(folder_ + "/graphs.json") << all.dump();
    const char* chosen = std::getenv("HANOK_TEST_PYTHON");
    const std::string python = chosen == nullptr || *chosen == '\0' ? "python3" : chosen;
    const std::string tests = hanok::test::source_dir() + "/tests";
    const int status =
        std::system(fmt::format("'{}' -B '{}/nn/random_graph.py' '{}/golden' '{}/graphs.json' "
                                "'{}/results.json' > '{}/output.txt' 2>&1",
                                python, tests, tests, folder_, folder_, folder_)
                        .c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    constexpr int kCannotImport = 77, kNoProgram = 127;
    std::ifstream output(folder_ + "/output.txt");
    const std::string said{std::istreambuf_iterator<char>(output), {}};
    if (code == kCannotImport || code == kNoProgram) {
      skip = fmt::format("no comparison with PyTorch: {} ({}; HANOK_TEST_PYTHON names another)",
                         said, python);
      return {};
    }
    EXPECT_EQ(code, 0) << said;
    if (code != 0) return {};
    std::ifstream results(folder_ + "/results.json");
    std::vector<Answer> answers;
    for (const Json& json : Json::parse(results)) {
      Answer answer{
          {numbers(json.at("values")), numbers(json.at("gradients"))}, json.at("margin"), true};
      const auto& steps = graphs[answers.size()].steps;
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto sizes = json.at("shapes")[i].get<std::vector<std::int64_t>>();
        if (sizes != std::vector<std::int64_t>(steps[i].shape.begin(), steps[i].shape.end())) {
          answer.same_shapes = false;
        }
      }
      answers.push_back(std::move(answer));
    }
    return answers;
  }

  std::string skip;

 private:
  std::string folder_;
};

// "" if both agree, or if rounding may change the graph's result.
std::string problem(const Graph& graph, const Answer& answer, const OpTable& table) {
  if (!answer.same_shapes) return "a shape differs";
  if (answer.margin < kSmallestMargin) return "";
  try {
    return difference(graph, run(graph, table), answer.results);
  } catch (const std::exception& error) {
    return std::string("hanok throws: ") + error.what();
  }
}

// Removes steps as long as a difference remains.
Graph shrink(Torch& torch, Graph graph, const OpTable& table, std::string& what) {
  for (bool again = true; again;) {
    again = false;
    const std::vector<Graph> candidates = simpler(graph);
    const std::vector<Answer> answers = torch.run(candidates);
    std::size_t best = candidates.size();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const std::string found = problem(candidates[i], answers[i], table);
      if (found.empty()) continue;
      if (best < candidates.size() && candidates[best].steps.size() <= candidates[i].steps.size()) {
        continue;
      }
      best = i;
      what = found;
      again = true;
    }
    if (again) graph = candidates[best];
  }
  return graph;
}

TEST(RandomGraphs, ValuesAndGradientsEqualPyTorch) {
  const std::uint64_t count = number_from("HANOK_RANDOM_GRAPHS", 150);
  const std::uint64_t first = number_from("HANOK_RANDOM_SEED", 1);
  std::vector<Graph> graphs;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    graphs.push_back(draw(seed, kLargestGraph));
  }
  Torch torch;
  const std::vector<Answer> answers = torch.run(graphs);
  if (!torch.skip.empty()) GTEST_SKIP() << torch.skip;
  ASSERT_EQ(answers.size(), graphs.size());
  std::size_t undecided = 0, with_gradients = 0, failures = 0;
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    if (answers[i].margin < kSmallestMargin) ++undecided;
    for (const auto& gradient : answers[i].results.gradients) {
      if (gradient.empty()) continue;
      ++with_gradients;
      break;
    }
    std::string what = problem(graphs[i], answers[i], ops_of_hanok());
    if (what.empty()) continue;
    constexpr std::size_t kShrunk = 5;
    if (++failures > kShrunk) continue;
    const Graph small = shrink(torch, graphs[i], ops_of_hanok(), what);
    ADD_FAILURE() << "seed " << graphs[i].seed << ", shrunk:\n" << to_string(small) << what;
  }
  EXPECT_EQ(failures, 0U);
  // Otherwise the comparison would be empty.
  EXPECT_LT(undecided, graphs.size() / 8 + 1);
  EXPECT_GT(with_gradients, graphs.size() / 2);
}

// The comparison must be able to fail, and its report must be short.
TEST(RandomGraphs, AWrongGradientIsFoundAndShrunkToItsOp) {
  OpTable wrong = ops_of_hanok();
  wrong["tanh"] = [](const std::vector<Tensor>& x, const Json&) {  // correct value, half a gradient
    const Tensor y = ops::tanh(x[0]);
    return ops::add(ops::affine(y, 0.5F, 0), ops::affine(y.detach(), 0.5F, 0));
  };
  std::vector<Graph> graphs;
  for (std::uint64_t seed = 1; graphs.size() < 10; ++seed) {
    Graph graph = draw(seed, 4);
    if (to_string(graph).find("= tanh(") != std::string::npos) graphs.push_back(std::move(graph));
  }
  Torch torch;
  const std::vector<Answer> answers = torch.run(graphs);
  if (!torch.skip.empty()) GTEST_SKIP() << torch.skip;
  ASSERT_EQ(answers.size(), graphs.size());
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    std::string what = problem(graphs[i], answers[i], wrong);
    if (what.empty()) continue;  // no gradient is needed there
    const Graph small = shrink(torch, graphs[i], wrong, what);
    EXPECT_THAT(what, testing::HasSubstr("gradient of t0"));
    ASSERT_EQ(small.steps.size(), 2U) << to_string(small);
    EXPECT_EQ(small.steps[1].op, "tanh");
    return;
  }
  FAIL() << "no graph revealed it";
}

TEST(RandomGraphs, TheSameSeedDrawsTheSameGraph) {
  EXPECT_EQ(to_json(draw(7, kLargestGraph)), to_json(draw(7, kLargestGraph)));
  EXPECT_NE(to_json(draw(7, kLargestGraph)), to_json(draw(8, kLargestGraph)));
}

TEST(RandomGraphs, EveryOpIsDrawn) {
  std::map<std::string, int> count;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    for (const Step& step : draw(seed, kLargestGraph).steps) ++count[step.op];
  }
  for (const auto& [name, op] : ops_of_hanok()) EXPECT_GT(count[name], 0) << name;
}

}  // namespace
}  // namespace hanok::random_graph
