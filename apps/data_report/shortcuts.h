// Shortcuts: how far facts that have nothing to do with the subject (bytes of the file, width,
// height, JPEG tables, ...) predict the class, each alone, and which source of photographs is
// behind it. A network finds such facts, too, and then fails on photographs of another source
// (Geirhos et al., "Shortcut learning in deep neural networks", 2020).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/data_report/image_facts.h"
#include "hanok/apps/pages/page.h"
#include "hanok/apps/statistics/out_of_fold.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::data_report {

struct ShortcutOptions {
  int folds = 5;
  std::uint64_t seed = 0;
  int shuffles = 2000;                     // of the labels, for significance
  double level = 0.01;                     // of all tests together (Holm)
  double least_gain = 0.05;                // macro F1 above chance that is worth a sentence
  training::Reporter* reporter = nullptr;  // gets the progress; may be null
};

/// One fact alone.
struct Shortcut {
  std::string fact{};       // "bytes of the file"
  bool in_pixels = true;    // a network can see it, or what goes with it; false: name, time stamp
  bool of_subject = false;  // colours and sharpness: may belong to what is photographed
  std::int64_t samples = 0;
  double macro_f1 = 0;  // out of fold
  double chance = 0;    // of the same answers if they are independent of the labels
  statistics::Interval interval{};
  double p_value = 1;      // corrected for the number of facts
  bool predicts = false;   // significant, and by least_gain above chance
  std::string constant{};  // the value, where all samples have the same one: nothing is measured
};

/// A property that says where photographs come from, and its values by class.
struct Source {
  std::string name{};                               // "the name's prefix"
  std::vector<std::string> values{};                // most frequent first; rare ones are "other"
  std::vector<std::vector<std::int64_t>> counts{};  // [values][classes]
  /// Share of the fact's advantage over chance that remains where labels and answers are
  /// independent within each value: what the source accounts for.
  double explained = 0;
};

struct ShortcutReport {
  std::vector<Shortcut> facts{};        // the best first, constant ones last
  std::string explained_fact{};         // the best one of the file's that predicts; may be empty
  std::optional<Source> source{};       // that is behind it
  std::vector<std::string> findings{};  // sentences; one if nothing was found
  std::vector<std::string> class_names{};
};

/// The letters before the first digit, '_' or other sign of a file's name; "(no letters)".
std::string name_prefix(const std::string& path);

/// Samples that cannot be decoded are left out. `facts`: of dataset's samples, in their order. The
/// same report for any number of threads.
ShortcutReport find_shortcuts(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                              const ShortcutOptions& options = {});

/// The section "Shortcuts" of a page.
std::vector<pages::Block> shortcut_blocks(const ShortcutReport& report);

}  // namespace hanok::data_report
#pragma GCC visibility pop
