// The page of `inspect data DIR --report FILE.html`, and what of it the terminal shows.
#pragma once

#include <string>
#include <vector>

#include "hanok/apps/data_report/data_findings.h"
#include "hanok/apps/pages/page.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// What a page is made of; all of it outlives the call.
struct DataPageInput {
  const data::Dataset& dataset;
  const std::vector<ImageFacts>& facts;
  const DataFindings& findings;
  /// How features told near duplicates, besides their hashes; empty: they did not.
  std::string feature_rule{};
  /// Sections of others: shortcuts, train against test, faces. Their findings and warnings are
  /// repeated in the summary.
  std::vector<pages::Block> more{};
};

/// Starts with a summary: every warning and finding of the sections below it. Pictures are chosen
/// so that the page stays far below pages::kMostPageBytes for any number of photographs; each of
/// them is decoded once more.
pages::Page data_page(const DataPageInput& input);

/// The summary, and the lists of duplicates, contradictions and odd photographs: what the terminal
/// prints after the counts of `inspect data`. No file is read. Without `all`, tables are short.
pages::Page data_text(const DataPageInput& input, bool all);

}  // namespace hanok::data_report
#pragma GCC visibility pop
