#include "bench/bench_precision/tables.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace hanok::bench {
namespace {

using nlohmann::ordered_json;

std::string shape_of(const Conv2dShape& s) {
  return fmt::format("{}-{} {}x{}{}, {}x{}", s.c, s.k, s.r, s.s,
                     s.window.stride_h > 1 ? fmt::format("/{}", s.window.stride_h) : "", s.h, s.w);
}

std::string in_figures(const RelativeError& error) {
  return fmt::format("{:.1e} ({:.1e})", error.rms, error.worst);
}

/// "yes", or which of the two figures is larger than bf16's.
std::string verdict(const Conv2dErrors& errors) {
  if (errors.int16.at_most(errors.bf16)) return "yes";
  if (errors.int16.rms <= errors.bf16.rms) return "rms alone";
  return errors.int16.worst <= errors.bf16.worst ? "max alone" : "NO";
}

std::string summary(const std::vector<NamedErrors>& rows, Conv2dPass pass) {
  int passes = 0, integers = 0, rms = 0, worst = 0;
  RelativeError most{.rms = 0, .worst = 0}, of_bf16{.rms = 0, .worst = 0};
  for (const auto& [name, errors] : rows) {
    if (errors.pass != pass) continue;
    ++passes;
    if (!errors.is_integer) continue;
    ++integers;
    rms += errors.int16.rms <= errors.bf16.rms ? 1 : 0;
    worst += errors.int16.worst <= errors.bf16.worst ? 1 : 0;
    most = {std::max(most.rms, errors.int16.rms), std::max(most.worst, errors.int16.worst)};
    of_bf16 = {std::max(of_bf16.rms, errors.bf16.rms), std::max(of_bf16.worst, errors.bf16.worst)};
  }
  if (integers == 0) return fmt::format("- {}: none of {} in integers\n", name_of(pass), passes);
  return fmt::format(
      "- {}: {} of {} in integers; rms at most bf16's in {}, max in {}; at most {} (bf16: {})\n",
      name_of(pass), integers, passes, rms, worst, in_figures(most), in_figures(of_bf16));
}

ordered_json figures(const RelativeError& error) {
  return {{"rms", error.rms}, {"max", error.worst}};
}

}  // namespace

std::string to_text(const std::vector<NamedErrors>& rows) {
  std::string out =
      "Error over the result's rms (max in brackets), against double precision:\n\n"
      "| convolution | pass | channels, filter, input | int16 | operands in bf16 | at most bf16's "
      "| "
      "f32 | algorithm |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n";
  for (const auto& [name, errors] : rows) {
    if (!errors.is_integer) continue;
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {:.1e} | {} |\n", name,
                       name_of(errors.pass), shape_of(errors.shape), in_figures(errors.int16),
                       in_figures(errors.bf16), verdict(errors), errors.f32.rms, errors.algorithm);
  }
  out += "\n";
  for (const Conv2dPass pass :
       {Conv2dPass::Forward, Conv2dPass::BackwardData, Conv2dPass::BackwardWeights}) {
    out += summary(rows, pass);
  }
  return out;
}

std::string to_text(const std::vector<LogitError>& rows) {
  std::string out =
      "| logits | photographs | rms of the difference over their rms (max) | same best class |\n"
      "| --- | --- | --- | --- |\n";
  for (const LogitError& row : rows) {
    out += fmt::format("| {} | {} | {} | {:.2f}% |\n", row.name, row.images, in_figures(row.error),
                       100 * row.agreement);
  }
  return out;
}

std::string to_text(const GradientError& gradients) {
  return fmt::format("Gradients of {} numbers, int16 against f32: {} of their rms (worst number)\n",
                     gradients.numbers, in_figures(gradients.error));
}

ordered_json to_json(const std::vector<NamedErrors>& rows, const std::string& conditions) {
  ordered_json out = {{"conditions", conditions}, {"convolutions", ordered_json::array()}};
  for (const auto& [name, errors] : rows) {
    out["convolutions"].push_back({{"name", name},
                                   {"pass", name_of(errors.pass)},
                                   {"shape", shape_of(errors.shape)},
                                   {"algorithm", errors.algorithm},
                                   {"integers", errors.is_integer},
                                   {"int16", figures(errors.int16)},
                                   {"bf16", figures(errors.bf16)},
                                   {"f32", figures(errors.f32)}});
  }
  return out;
}

ordered_json to_json(const std::vector<LogitError>& rows, const std::string& conditions) {
  ordered_json out = {{"conditions", conditions}, {"logits", ordered_json::array()}};
  for (const LogitError& row : rows) {
    out["logits"].push_back({{"name", row.name},
                             {"images", row.images},
                             {"error", figures(row.error)},
                             {"agreement", row.agreement}});
  }
  return out;
}

ordered_json to_json(const GradientError& gradients, const std::string& conditions) {
  return {{"conditions", conditions},
          {"gradients", {{"numbers", gradients.numbers}, {"error", figures(gradients.error)}}}};
}

}  // namespace hanok::bench
