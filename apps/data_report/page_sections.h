// The sections of a data set's page, each with its findings as sentences.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/data_report/data_page.h"
#include "hanok/apps/data_report/page_pictures.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

using Blocks = std::vector<pages::Block>;

// page_counts.cpp
Blocks counts_section(const DataPageInput& input);
Blocks facts_section(const DataPageInput& input);

/// How much of the problems is shown.
struct Detail {
  const PagePictures* pictures = nullptr;  // null: only texts and tables
  bool all_of_set = false;                 // name every photograph of a set, not the first few
};

// page_problems.cpp
Blocks duplicates_section(const DataPageInput& input, const Detail& detail);
Blocks contradictions_section(const DataPageInput& input, const Detail& detail);
Blocks odd_section(const DataPageInput& input, const Detail& detail);
Blocks files_section(const DataPageInput& input);

}  // namespace hanok::data_report
#pragma GCC visibility pop
