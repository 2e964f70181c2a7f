// The photographs that a data set's page shows, chosen within a budget and decoded once.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "hanok/apps/data_report/data_findings.h"
#include "hanok/apps/pages/page.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

/// What is shown of each kind. With all of them, some 800 thumbnails of about 5 kB.
constexpr std::size_t kSheetPhotographs = 480;  // on all contact sheets together
constexpr std::size_t kSheetClasses = 60;
constexpr std::size_t kShownSets = 30, kShownOfSet = 6;
constexpr std::size_t kShownOdd = 12;  // of each kind
constexpr std::size_t kShownContradictions = 10;

/// The first kShownOfSet.
std::vector<std::size_t> shown_of(const std::vector<std::size_t>& samples);
/// The first kShownOdd of a kind.
std::vector<OddPhotograph> shown_of(const std::vector<OddPhotograph>& odd, Oddity oddity);

class PagePictures {
 public:
  /// Decodes and scales what the page shows, in parallel. If the user interrupts, some are missing.
  PagePictures(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
               const DataFindings& findings);
  /// Of each of the first kSheetClasses classes, the photographs of its contact sheet.
  const std::vector<std::vector<std::size_t>>& sheets() const { return sheets_; }
  /// A tile for each; unreadable photographs have none.
  pages::Gallery gallery(const std::string& caption, const std::vector<std::size_t>& samples,
                         const std::vector<std::vector<std::string>>& lines) const;

 private:
  const data::Dataset& dataset_;
  std::vector<std::vector<std::size_t>> sheets_;
  std::map<std::size_t, pages::Picture> pictures_;
};

}  // namespace hanok::data_report
#pragma GCC visibility pop
