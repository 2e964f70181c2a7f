// The page on which suspected labels are looked at and decided.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hanok/apps/label_errors/suspects.h"
#include "hanok/apps/pages/page.h"

#pragma GCC visibility push(default)
namespace hanok::label_errors {

/// Reads the thumbnail of an image; empty bytes where it cannot be read.
using ReadThumbnail = std::function<pages::Picture(const std::string& path)>;

/// What was decided about an image before.
struct MadeDecision {
  std::string action{};     // as in corrections.csv: keep, relabel or drop
  std::string label{};      // of the image when it was decided
  std::string new_label{};  // of relabel
};
/// By path, also of images that are not shown.
struct MadeDecisions {
  std::string file{};  // from which they come
  std::map<std::string, MadeDecision> of_path{};
};

struct LabelsPage {
  std::vector<std::string> runs{};
  const RunPredictions& predictions;
  const ConfidentJoint& joint;
  const std::vector<Suspect>& suspects;  // those that are shown come first
  std::size_t shown = 200;
  MadeDecisions made{};  // the page starts with them
};

/// Summary, the estimated noise of each pair of classes, and a card for each of the first suspects:
/// keep, relabel or drop by keyboard, and corrections.csv is saved by the browser.
pages::Page labels_page(const LabelsPage& content, const ReadThumbnail& read);

/// path,label,suggestion,score,label_probability,suggestion_probability,agreement,counted of all.
std::string suspects_csv(const RunPredictions& predictions, const std::vector<Suspect>& suspects);

}  // namespace hanok::label_errors
#pragma GCC visibility pop
