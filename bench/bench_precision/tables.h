// What bench_precision prints and saves.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/bench_precision/measurements.h"

namespace hanok::bench {

/// A row for each pass that --precision int16 computes in another way than f32, and sentences on
/// all of them: whether each error is at most that of bf16. In Markdown.
std::string to_text(const std::vector<NamedErrors>& rows);
std::string to_text(const std::vector<LogitError>& rows);
std::string to_text(const GradientError& gradients);

/// What bench_chart reads; `conditions` says how and where it was measured.
nlohmann::ordered_json to_json(const std::vector<NamedErrors>& rows, const std::string& conditions);
nlohmann::ordered_json to_json(const std::vector<LogitError>& rows, const std::string& conditions);
nlohmann::ordered_json to_json(const GradientError& gradients, const std::string& conditions);

}  // namespace hanok::bench
