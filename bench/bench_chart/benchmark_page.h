// Figures of benchmarks as pages: read from what Google Benchmark and peers/run.py write.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hanok/apps/pages/charts.h"
#include "hanok/apps/pages/page.h"

namespace hanok::bench {

/// One file's figures as charts, in the file's order.
struct Figures {
  std::string heading;                    // "bench_kernels", "Beside other engines"
  std::vector<std::string> introduction;  // how and where it was measured
  std::vector<pages::Chart> charts;
};

/// Of --benchmark_out=FILE.json: a chart for each family of benchmarks (the first part of their
/// names) and what it measures: its rate, else the time of an iteration. Repeated benchmarks are
/// a bar from the median, with a whisker from the least to the largest.
/// Of bench-peers.json: hanok's speed as a multiple of each peer's.
/// Of bench-accuracy.json: the speed of every precision of every engine against its error, a chart
/// for each network and batch.
/// Of what bench_precision saves: the error of each convolution in integers against that in bf16.
/// Of training.json (train_precisions.py): losses by step.
/// Throws FormatError, without the file's name, for anything else.
Figures read_figures(const nlohmann::ordered_json& file);

/// One section a file.
pages::Page benchmark_page(const std::vector<Figures>& files);

}  // namespace hanok::bench
