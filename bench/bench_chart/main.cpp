// Draws figures of benchmarks:
//   bench_chart FILE.json... OUT.html    all of them on one page
//   bench_chart FILE.json OUT.svg        the first chart of a file
// FILE.json is what --benchmark_out, peers/run.py, bench_precision or train_precisions.py wrote.
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/bench_chart/benchmark_page.h"
#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/pages/html.h"
#include "hanok/apps/pages/svg_charts.h"
#include "hanok/apps/run/files.h"

namespace {

using hanok::bench::Figures;

Figures read(const std::string& path) {
  const auto json = nlohmann::ordered_json::parse(hanok::training::read_file(path), nullptr,
                                                  /*allow_exceptions=*/false);
  if (json.is_discarded()) throw hanok::FormatError(path + ": is no JSON");
  try {
    return hanok::bench::read_figures(json);
  } catch (const hanok::FormatError& error) {
    throw hanok::FormatError(fmt::format("{}: {}", path, error.what()));
  }
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

void draw(std::vector<std::string> files) {
  if (files.size() < 2) {
    throw hanok::training::UsageError("usage: bench_chart FILE.json... OUT.html|OUT.svg");
  }
  const std::string out = files.back();
  files.pop_back();
  std::vector<Figures> all;
  for (const std::string& file : files) all.push_back(read(file));
  if (ends_with(out, ".html")) {
    hanok::pages::write_page(out, hanok::bench::benchmark_page(all));
  } else if (ends_with(out, ".svg")) {
    if (all.front().charts.empty()) throw hanok::ValueError(files.front() + ": has no figures");
    hanok::training::write_file(out, hanok::pages::to_svg(all.front().charts.front()));
  } else {
    throw hanok::training::UsageError(out + ": the name must end in .html or .svg");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return hanok::training::run_program("bench_chart", [&](hanok::training::Reporter& reporter) {
    draw({argv + 1, argv + argc});
    reporter.print(fmt::format("{}\n", argv[argc - 1]));
    return hanok::training::kSuccess;
  });
}
