// How a training step would scale with ranks: docs/scaling.md.
//   bench_scaling record --out FILE.json           measures ResNet18 and ResNet50 on this machine
//   and
//                                                  draws them out to 1,024 ranks
//   bench_scaling draw FILE.json --out FILE.json   the curves again, from what was measured
//   bench_scaling compare FILE.json --model M ...  the model beside steps of real ranks
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <string>
#include <vector>

#include "bench/bench_scaling/measure.h"
#include "bench/bench_scaling/record.h"
#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/preflight/scaling_text.h"
#include "hanok/apps/run/files.h"
#include "hanok/engine/runtime.h"

namespace {

using hanok::bench::NamedWork;
using hanok::training::Reporter;
using nlohmann::json;

constexpr std::int64_t kGpuBatch = 256;  // images of a GPU
constexpr std::int64_t kShared = 1024;   // images of the batch that is shared out

struct Request {
  std::string out, from, model;
  std::int64_t batch_size = 32, image_size = 224;
  int threads = 0;  // 0: as many as cores
  double latency_us = 0, gigabytes = 0, busy_cores = 1;
  int cores = 0;
  std::vector<std::string> steps;
};

/// "key": [ an element a line ]
std::string lines_of(const std::string& key, const std::vector<json>& elements) {
  std::vector<std::string> lines;
  for (const json& element : elements) lines.push_back(element.dump());
  return fmt::format("\"{}\": [\n{}\n]", key, fmt::join(lines, ",\n"));
}

/// Writes the curves and prints them as tables.
void show(const Request& request, const std::string& conditions,
          const std::vector<NamedWork>& measured, Reporter& reporter) {
  reporter.print(conditions + "\n");
  std::vector<json> works;
  std::vector<json> curves;
  for (const NamedWork& named : measured) {
    works.push_back(to_json(named));
    const NamedWork written = hanok::bench::work_of_json(works.back());  // its numbers are rounded
    for (const json& curve : hanok::bench::curves_of(written)) curves.push_back(curve);
    reporter.print(fmt::format(
        "\n{} on {}\n{}", written.model, written.device,
        hanok::training::scaling_text(written.work, written.shared, hanok::bench::kMostRanks,
                                      hanok::bench::links_of(written))));
  }
  hanok::training::write_file(
      request.out, fmt::format("{{\n\"conditions\": {},\n{},\n{}\n}}\n", json(conditions).dump(),
                               lines_of("works", works), lines_of("curves", curves)));
}

void record(const Request& request, Reporter& reporter) {
  if (request.threads > 0) hanok::set_num_threads(request.threads);
  std::vector<NamedWork> works;
  for (const char* model : {"resnet18", "resnet50"}) {
    auto measured = hanok::bench::measure_network(model, request.batch_size, request.image_size);
    measured.h100.batch_size = kGpuBatch;
    works.push_back({.model = model, .device = "cpu", .shared = kShared, .work = measured.cpu});
    works.push_back({.model = model, .device = "h100", .shared = kShared, .work = measured.h100});
  }
  show(request,
       fmt::format("cpu: {} threads, f32, batch {}, {}x{}; h100: computed from its data sheet "
                   "(bf16, batch {}), not measured",
                   hanok::num_threads(), request.batch_size, request.image_size, request.image_size,
                   kGpuBatch),
       works, reporter);
}

json read_record(const std::string& path) {
  try {
    return json::parse(hanok::training::read_file(path));
  } catch (const json::exception& error) {
    throw hanok::FormatError(path + ": " + error.what());
  }
}

std::vector<NamedWork> works_of(const json& record, const std::string& path) {
  std::vector<NamedWork> works;
  for (const json& work : record.value("works", json::array())) {
    works.push_back(hanok::bench::work_of_json(work));
  }
  if (works.empty()) throw hanok::FormatError(path + ": holds no works of bench_scaling");
  return works;
}

void draw(const Request& request, Reporter& reporter) {
  const json record = read_record(request.from);
  show(request, record.value("conditions", ""), works_of(record, request.from), reporter);
}

/// "4x32:0.81": 4 ranks of 32 images each took 0.81 s a step.
hanok::training::MeasuredStep measured_step(const std::string& text) {
  long long ranks = 0;
  double images = 0;
  double seconds = 0;
  int end = 0;
  const int read = std::sscanf(text.c_str(), "%lldx%lf:%lf%n", &ranks, &images, &seconds, &end);
  if (read != 3 || static_cast<std::size_t>(end) != text.size() || ranks < 1 || images < 1 ||
      !(seconds > 0)) {
    throw hanok::training::UsageError(
        fmt::format("--step: expected RANKSxIMAGES:SECONDS, such as 2x32:0.81, got {}", text));
  }
  return {.ranks = ranks, .images = images, .seconds = seconds};
}

void compare(const Request& request, Reporter& reporter) {
  const json record = read_record(request.from);
  std::vector<hanok::training::MeasuredStep> steps;
  for (const std::string& step : request.steps) steps.push_back(measured_step(step));
  constexpr double kMicro = 1e-6, kGiga = 1e9;
  const hanok::training::Link link{.name = "measured",
                                   .latency_s = kMicro * request.latency_us,
                                   .bytes_per_s = kGiga * request.gigabytes,
                                   .busy_cores = request.busy_cores};
  for (const NamedWork& named : works_of(record, request.from)) {
    if (named.model != request.model || named.device != "cpu") continue;
    reporter.print(hanok::training::compare_with_measured(named.work, link, steps, request.cores));
    return;
  }
  throw hanok::training::UsageError(
      fmt::format("--model: {} has no {} measured on a CPU", request.from, request.model));
}

int run(int argc, char** argv, Reporter& reporter) {
  Request request;
  CLI::App app("How a training step would scale with ranks: docs/scaling.md.\n", "bench_scaling");
  app.require_subcommand(1);
  CLI::App* measured = app.add_subcommand("record", "measure ResNet18 and ResNet50");
  measured->add_option("--out", request.out, "JSON file")->required();
  measured->add_option("--batch-size", request.batch_size, "images")->check(CLI::Range(4, 1024));
  measured->add_option("--image-size", request.image_size, "pixels")->check(CLI::Range(32, 1024));
  measured->add_option("--threads", request.threads, "of a rank; 0: as many as cores")
      ->check(CLI::Range(0, 1024));
  CLI::App* drawn = app.add_subcommand("draw", "the curves again");
  drawn->add_option("from", request.from, "what record wrote")->required();
  drawn->add_option("--out", request.out, "JSON file")->required();
  CLI::App* compared = app.add_subcommand("compare", "the model beside steps of real ranks");
  compared->add_option("from", request.from, "what record wrote")->required();
  compared->add_option("--model", request.model, "resnet18 or resnet50")->required();
  compared->add_option("--latency-us", request.latency_us, "measured, one way")->required();
  compared->add_option("--gigabytes", request.gigabytes, "a second, measured, each way")
      ->required();
  compared->add_option("--busy-cores", request.busy_cores, "that a transfer keeps from computing")
      ->capture_default_str();
  compared->add_option("--cores", request.cores, "that all ranks share; 0: each has its own")
      ->capture_default_str();
  compared->add_option("--step", request.steps, "RANKSxIMAGES:SECONDS; repeatable")->required();
  measured->callback([&] { record(request, reporter); });
  drawn->callback([&] { draw(request, reporter); });
  compared->callback([&] { compare(request, reporter); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw hanok::training::UsageError(error.what());
    return app.exit(error);
  }
  return hanok::training::kSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  return hanok::training::run_program(
      "bench_scaling", [&](Reporter& reporter) { return run(argc, argv, reporter); });
}
