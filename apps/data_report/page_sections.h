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

// page_problems.cpp: without `pictures`, only texts and tables.
Blocks duplicates_section(const DataPageInput& input, const PagePictures* pictures);
Blocks contradictions_section(const DataPageInput& input, const PagePictures* pictures);
Blocks odd_section(const DataPageInput& input, const PagePictures* pictures);
Blocks files_section(const DataPageInput& input);

}  // namespace hanok::data_report
#pragma GCC visibility pop
