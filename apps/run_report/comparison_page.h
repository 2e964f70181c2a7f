// The page that compares several runs.
#pragma once

#include <vector>

#include "hanok/apps/pages/page.h"
#include "hanok/apps/run_report/run_record.h"

#pragma GCC visibility push(default)
namespace hanok::run_report {

/// Each run is compared with the one of the highest macro F1: scores with intervals, a verdict,
/// settings that differ, curves, classes, images. What cannot be compared is named. Throws
/// ValueError for fewer than two runs.
pages::Page comparison_page(std::vector<RunRecord> runs);

}  // namespace hanok::run_report
#pragma GCC visibility pop
