#include "hanok/apps/data_report/shortcuts.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <utility>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/data_report/step_progress.h"

namespace hanok::data_report {
namespace {

using statistics::Columns;

constexpr const char* kPrefix = "the name's prefix";
constexpr const char* kNoLetters = "(no letters)";

/// What is measured: decodable samples of known class.
struct Measured {
  statistics::Target target{};
  std::vector<const ImageFacts*> facts{};
  std::vector<std::string> paths{};
};

Measured measured(const data::Dataset& dataset, const std::vector<ImageFacts>& facts) {
  Measured out;
  out.target.classes = static_cast<std::int64_t>(dataset.class_names.size());
  for (std::size_t i = 0; i < facts.size(); ++i) {
    const data::Sample& sample = dataset.samples[i];
    if (!facts[i].problem.empty() || sample.label < 0) continue;
    out.target.labels.push_back(sample.label);
    out.target.groups.push_back(sample.group);
    out.facts.push_back(&facts[i]);
    out.paths.push_back(sample.path);
  }
  return out;
}

using Number = std::function<float(const ImageFacts&)>;

std::vector<float> numbers(const Measured& data, const Number& number) {
  std::vector<float> column;
  for (const ImageFacts* facts : data.facts) column.push_back(number(*facts));
  return column;
}

std::vector<std::string> texts(const Measured& data,
                               const std::function<std::string(const ImageFacts&)>& text) {
  std::vector<std::string> column;
  for (const ImageFacts* facts : data.facts) column.push_back(text(*facts));
  return column;
}

/// A fact before it is measured.
struct Question {
  Shortcut shortcut;
  Columns columns;
};

std::string size_text(const ImageFacts& f) { return fmt::format("{} x {}", f.width, f.height); }
std::string tables_text(const ImageFacts& f) {
  if (f.jpeg_tables == 0) return f.format.empty() ? "no JPEG" : f.format;
  return fmt::format("JPEG, quality {}, tables {:04x}", f.jpeg_quality, f.jpeg_tables >> 48);
}

std::vector<std::string> prefixes(const Measured& data) {
  std::vector<std::string> prefixes;
  for (const std::string& path : data.paths) prefixes.push_back(name_prefix(path));
  return prefixes;
}

/// Names of files that the layout itself demands say the class, and are no finding.
bool names_are_free(const data::Dataset& dataset) { return dataset.layout != "competition"; }

std::vector<Question> questions(const data::Dataset& dataset, const Measured& data) {
  std::vector<Question> all;
  const auto file = [&](const char* name, std::vector<std::vector<float>> columns) {
    all.push_back({{.fact = name}, {std::move(columns)}});
  };
  const auto subject = [&](const char* name, std::vector<std::vector<float>> columns) {
    all.push_back({{.fact = name, .of_subject = true}, {std::move(columns)}});
  };
  const auto outside = [&](const char* name, std::vector<float> column) {
    all.push_back({{.fact = name, .in_pixels = false}, {{std::move(column)}}});
  };
  const auto number = [&data](const Number& of) { return numbers(data, of); };
  using F = ImageFacts;
  const auto width = number([](const F& f) { return static_cast<float>(f.width); });
  const auto height = number([](const F& f) { return static_cast<float>(f.height); });
  file("bytes of the file", {number([](const F& f) { return static_cast<float>(f.bytes); })});
  file("width", {width});
  file("height", {height});
  file("width and height", {width, height});
  file("JPEG quality", {number([](const F& f) { return static_cast<float>(f.jpeg_quality); })});
  file("format and JPEG tables", {statistics::categories(texts(data, tables_text))});
  const auto colours = [&](const std::array<float, 3> ImageFacts::*colour) {
    std::vector<std::vector<float>> columns;
    for (std::size_t c = 0; c < 3; ++c) {
      columns.push_back(number([colour, c](const F& f) { return (f.*colour)[c]; }));
    }
    return columns;
  };
  subject("mean colour", colours(&ImageFacts::mean_colour));
  subject("border's colour", colours(&ImageFacts::border_colour));
  subject("brightness and contrast", {number([](const F& f) { return f.brightness; }),
                                      number([](const F& f) { return f.contrast; })});
  subject("sharpness", {number([](const F& f) { return f.sharpness; })});
  if (names_are_free(dataset)) {
    outside("name's prefix", statistics::categories(prefixes(data)));
  }
  // Seconds since the first one: as floats, times of today would be minutes apart.
  std::int64_t first = data.facts.front()->modified;
  for (const ImageFacts* facts : data.facts) first = std::min(first, facts->modified);
  outside("time stamp",
          number([first](const F& f) { return static_cast<float>(f.modified - first); }));
  return all;
}

bool is_constant(const Columns& columns) {
  return std::all_of(columns.values.begin(), columns.values.end(), [](const auto& column) {
    return std::all_of(column.begin(), column.end(), [&](float v) { return v == column.front(); });
  });
}

statistics::Predictions predictions_of(const Measured& data, const statistics::OutOfFold& answers) {
  statistics::Predictions predictions{.predicted = answers.predicted,
                                      .classes = data.target.classes};
  for (const std::size_t row : answers.rows) {
    predictions.labels.push_back(data.target.labels[row]);
    predictions.groups.push_back(data.target.groups[row]);
  }
  return predictions;
}

double macro_f1_of(const statistics::Predictions& predictions) {
  nn::ConfusionMatrix matrix(predictions.classes);
  for (std::size_t i = 0; i < predictions.labels.size(); ++i) {
    matrix.add(predictions.labels[i], predictions.predicted[i]);
  }
  return matrix.macro_f1();
}

/// A source before it is known whether it explains anything.
struct Candidate {
  std::string name;
  std::string fact;  // the fact that is the source itself
  std::vector<std::string> values;
};

/// Values of fewer samples than this are "other": a value of one sample would explain its label.
std::int64_t least_members(std::size_t samples) {
  return std::max<std::int64_t>(10, static_cast<std::int64_t>(samples) / 100);
}

std::vector<Candidate> candidates(const data::Dataset& dataset, const Measured& data) {
  std::vector<Candidate> all;
  if (names_are_free(dataset)) all.push_back({kPrefix, "name's prefix", prefixes(data)});
  all.push_back({"format and JPEG tables", "format and JPEG tables", texts(data, tables_text)});
  all.push_back({"the exact size", "width and height", texts(data, size_text)});
  all.push_back({"the colour mode", "", texts(data, [](const ImageFacts& f) { return f.mode; })});
  std::vector<Candidate> kept;
  for (Candidate& candidate : all) {
    std::map<std::string, std::int64_t> counts;
    for (const std::string& value : candidate.values) ++counts[value];
    for (std::string& value : candidate.values) {
      if (counts[value] < least_members(candidate.values.size())) value = "other";
    }
    const std::string& first = candidate.values.front();
    const bool varies = std::any_of(candidate.values.begin(), candidate.values.end(),
                                    [&first](const std::string& value) { return value != first; });
    if (varies) kept.push_back(std::move(candidate));
  }
  return kept;
}

Source table_of(const Candidate& candidate, const Measured& data) {
  std::map<std::string, std::vector<std::int64_t>> counts;
  std::map<std::string, std::int64_t> totals;
  for (std::size_t i = 0; i < candidate.values.size(); ++i) {
    std::vector<std::int64_t>& row = counts[candidate.values[i]];
    row.resize(static_cast<std::size_t>(data.target.classes), 0);
    ++row[static_cast<std::size_t>(data.target.labels[i])];
    ++totals[candidate.values[i]];
  }
  Source source{.name = candidate.name};
  for (const auto& [value, total] : totals) source.values.push_back(value);
  std::stable_sort(source.values.begin(), source.values.end(), [&](const auto& a, const auto& b) {
    return std::pair(a == "other", -totals[a]) < std::pair(b == "other", -totals[b]);
  });
  for (const std::string& value : source.values) source.counts.push_back(counts[value]);
  return source;
}

/// The source that accounts for most of the fact's advantage; among nearly equal ones the one of
/// fewest values.
std::optional<Source> source_behind(const data::Dataset& dataset, const Measured& data,
                                    const Shortcut& fact, const statistics::OutOfFold& answers) {
  constexpr double kLeastExplained = 0.25;
  constexpr double kNearlyEqual = 0.1;
  const statistics::Predictions predictions = predictions_of(data, answers);
  std::optional<Source> best;
  for (const Candidate& candidate : candidates(dataset, data)) {
    if (candidate.fact == fact.fact) {  // the fact is the source
      Source source = table_of(candidate, data);
      source.explained = 1;
      return source;
    }
    std::vector<std::string> stratum;
    for (const std::size_t row : answers.rows) stratum.push_back(candidate.values[row]);
    Source source = table_of(candidate, data);
    source.explained = (statistics::chance_macro_f1(predictions, stratum) - fact.chance) /
                       (fact.macro_f1 - fact.chance);
    if (source.explained < kLeastExplained) continue;
    const bool better = !best || source.explained > best->explained + kNearlyEqual ||
                        (source.explained > best->explained - kNearlyEqual &&
                         source.values.size() < best->values.size());
    if (better) best = std::move(source);
  }
  return best;
}

/// "whose names do not begin with 'maksssksksss'"
std::string membership(const std::string& source, const std::string& value, bool negated) {
  if (source != kPrefix || value == "other") {
    return fmt::format("of which {} is {}'{}'", source, negated ? "not " : "", value);
  }
  if (value == kNoLetters) {
    return fmt::format("whose names begin with {}", negated ? "letters" : "no letters");
  }
  return fmt::format("whose names {} with '{}'", negated ? "do not begin" : "begin", value);
}

/// How many of each class have the value, or do not have it, that tells the classes apart best.
std::string source_sentence(const Source& source, const std::vector<std::string>& class_names) {
  const std::size_t classes = class_names.size();
  std::vector<std::int64_t> totals(classes, 0);
  for (const auto& row : source.counts) {
    for (std::size_t c = 0; c < classes; ++c) totals[c] += row[c];
  }
  const auto share = [&](std::size_t value, std::size_t c) {
    return totals[c] > 0
               ? static_cast<double>(source.counts[value][c]) / static_cast<double>(totals[c])
               : 0.0;
  };
  std::size_t value = 0;
  double widest = -1;
  for (std::size_t v = 0; v < source.values.size(); ++v) {
    double low = 1;
    double high = 0;
    for (std::size_t c = 0; c < classes; ++c) {
      if (totals[c] == 0) continue;
      low = std::min(low, share(v, c));
      high = std::max(high, share(v, c));
    }
    if (high - low > widest + 1e-12) {
      widest = high - low;
      value = v;
    }
  }
  // The others may be many values: they are named by what they are not.
  const bool negated = source.values[value] != "other" && source.values.size() > 1;
  std::vector<std::size_t> order(classes);
  for (std::size_t c = 0; c < classes; ++c) order[c] = c;
  const auto members = [&](std::size_t c) {
    return negated ? totals[c] - source.counts[value][c] : source.counts[value][c];
  };
  const auto member_share = [&](std::size_t c) {
    return negated ? 1 - share(value, c) : share(value, c);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return member_share(a) > member_share(b); });
  constexpr std::size_t kNamed = 4;  // classes in the sentence
  std::string parts;
  for (std::size_t i = 0; i < std::min(classes, kNamed); ++i) {
    const std::size_t c = order[i];
    if (i > 0) parts += i + 1 == std::min(classes, kNamed) ? " and " : ", ";
    parts += fmt::format("{} of {} {}", training::with_commas(members(c)),
                         training::with_commas(totals[c]), class_names[c]);
  }
  return fmt::format("{} come from files {}.", parts,
                     membership(source.name, source.values[value], negated));
}

std::vector<std::string> findings_of(const ShortcutReport& report, const ShortcutOptions& options) {
  std::vector<std::string> findings;
  const auto score = [](const Shortcut& s) {
    return fmt::format("{:.2f} [{:.2f}, {:.2f}]; chance is {:.2f}", s.macro_f1, s.interval.low,
                       s.interval.high, s.chance);
  };
  for (const Shortcut& s : report.facts) {
    if (s.predicts && s.fact == report.explained_fact) {
      findings.push_back(fmt::format("Shortcut: the {} alone: macro F1 {}.", s.fact, score(s)));
    }
  }
  if (report.source) {
    findings.push_back(fmt::format("Behind it: {} accounts for {:.0f}% of that advantage. {}",
                                   report.source->name,
                                   100 * std::clamp(report.source->explained, 0.0, 1.0),
                                   source_sentence(*report.source, report.class_names)));
    findings.emplace_back(
        "A network can tell the sources apart instead of the subject: look at the scores within "
        "one source before you trust the total.");
  } else if (!report.explained_fact.empty()) {
    findings.emplace_back(
        "No property of the files (name, format, size, colour mode) accounts for a quarter of it.");
  }
  std::string others;
  for (const Shortcut& s : report.facts) {
    if (!s.predicts || s.fact == report.explained_fact) continue;
    others += fmt::format("{}{} {:.2f}", others.empty() ? "" : ", ", s.fact, s.macro_f1);
  }
  if (!others.empty()) {
    findings.push_back(
        fmt::format("{} that predict the class better than chance, each alone (macro F1): {}.",
                    report.explained_fact.empty() ? "Facts" : "Other facts", others));
  }
  if (findings.empty()) {
    findings.push_back(fmt::format(
        "No fact predicts the class by {:.2f} above chance at a level of {:.0f}% for all facts "
        "together: there is no sign of a shortcut.",
        options.least_gain, 100 * options.level));
  }
  return findings;
}

/// True if there are two groups at least, and two photographs of some class.
bool can_be_folded(const statistics::Target& target) {
  std::map<std::int64_t, std::int64_t> members;
  bool groups = false;
  std::int64_t most = 0;
  for (std::size_t i = 0; i < target.labels.size(); ++i) {
    groups = groups || target.groups[i] != target.groups.front();
    most = std::max(most, ++members[target.labels[i]]);
  }
  return groups && most > 1;
}

/// What every question's columns say of the samples.
std::vector<statistics::OutOfFold> answer(const std::vector<Question>& questions,
                                          const Measured& data, const ShortcutOptions& options) {
  const std::vector<statistics::FoldRows> folds =
      statistics::grouped_folds(data.target, options.folds, options.seed);
  statistics::ForestOptions forest{.seed = options.seed};
  const StepProgress progress(
      options.reporter,
      {.label = "shortcuts",
       .total = static_cast<std::int64_t>(questions.size() * folds.size()) * forest.trees,
       .unit = "trees"});
  forest.on_tree = progress.on_step();
  std::vector<statistics::OutOfFold> answers;
  for (const Question& question : questions) {
    answers.push_back(
        statistics::predict_out_of_fold(question.columns, data.target, folds, forest));
  }
  return answers;
}

/// All answers are about the same rows in one order, so that they share the shuffled labels.
std::vector<double> p_values_of(const std::vector<statistics::OutOfFold>& answers,
                                const Measured& data, const ShortcutOptions& options) {
  if (answers.empty()) return {};
  const statistics::Predictions first = predictions_of(data, answers.front());
  std::vector<std::vector<std::int64_t>> predicted;
  for (const statistics::OutOfFold& each : answers) predicted.push_back(each.predicted);
  const StepProgress progress(
      options.reporter,
      {.label = "shortcuts by chance", .total = options.shuffles, .unit = "shuffles"});
  return statistics::p_values_of_macro_f1(
      {.labels = first.labels, .groups = first.groups, .classes = first.classes}, predicted,
      options.shuffles, options.seed, progress.on_step());
}

/// The scores of the answers, and their intervals.
void measure(std::vector<Shortcut>& shortcuts, const std::vector<statistics::OutOfFold>& answers,
             const Measured& data, const ShortcutOptions& options) {
  statistics::BootstrapOptions bootstrap{.seed = options.seed};
  const StepProgress progress(
      options.reporter, {.label = "intervals of the shortcuts",
                         .total = static_cast<std::int64_t>(shortcuts.size()) * bootstrap.draws,
                         .unit = "draws"});
  bootstrap.on_draw = progress.on_step();
  for (std::size_t i = 0; i < shortcuts.size(); ++i) {
    const statistics::Predictions predictions = predictions_of(data, answers[i]);
    shortcuts[i].macro_f1 = macro_f1_of(predictions);
    shortcuts[i].chance = statistics::chance_macro_f1(predictions);
    shortcuts[i].interval = statistics::macro_f1_interval(predictions, bootstrap);
  }
}

}  // namespace

std::string name_prefix(const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  std::size_t end = 0;
  while (end < name.size() && (std::isalpha(static_cast<unsigned char>(name[end])) != 0 ||
                               static_cast<unsigned char>(name[end]) >= 0x80)) {
    ++end;
  }
  return end == 0 ? kNoLetters : name.substr(0, end);
}

ShortcutReport find_shortcuts(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                              const ShortcutOptions& options) {
  ShortcutReport report{.class_names = dataset.class_names};
  const Measured data = measured(dataset, facts);
  if (data.facts.empty()) {
    report.findings.emplace_back("No photograph can be decoded: nothing was measured.");
    return report;
  }
  if (!can_be_folded(data.target)) {
    report.findings.emplace_back(
        "Too few photographs, or all of one group: shortcuts were not measured.");
    return report;
  }
  std::vector<Question> varying;
  std::vector<Shortcut> constant;
  for (Question& question : questions(dataset, data)) {
    question.shortcut.samples = static_cast<std::int64_t>(data.facts.size());
    if (is_constant(question.columns)) {
      question.shortcut.constant = "the same in all";
      constant.push_back(std::move(question.shortcut));
    } else {
      varying.push_back(std::move(question));
    }
  }
  const std::vector<statistics::OutOfFold> answers = answer(varying, data, options);
  const std::vector<double> p_values = p_values_of(answers, data, options);
  for (Question& question : varying) report.facts.push_back(std::move(question.shortcut));
  measure(report.facts, answers, data, options);
  const std::vector<double> corrected = statistics::holm(p_values);
  const Shortcut* best = nullptr;
  std::size_t best_answers = 0;
  for (std::size_t i = 0; i < report.facts.size(); ++i) {
    Shortcut& fact = report.facts[i];
    fact.p_value = corrected[i];
    fact.predicts =
        fact.p_value <= options.level && fact.macro_f1 >= fact.chance + options.least_gain;
    const bool of_file = fact.in_pixels && !fact.of_subject;
    if (!fact.predicts || !of_file) continue;
    // Every file has its bytes: of nearly equal facts the first one is named.
    if (best == nullptr || fact.macro_f1 > best->macro_f1 + 0.05) {
      best = &fact;
      best_answers = i;
    }
  }
  if (best != nullptr) {
    report.explained_fact = best->fact;
    report.source = source_behind(dataset, data, *best, answers[best_answers]);
  }
  std::stable_sort(report.facts.begin(), report.facts.end(),
                   [](const Shortcut& a, const Shortcut& b) { return a.macro_f1 > b.macro_f1; });
  report.facts.insert(report.facts.end(), constant.begin(), constant.end());
  report.findings = findings_of(report, options);
  return report;
}

std::vector<pages::Block> shortcut_blocks(const ShortcutReport& report) {
  std::vector<pages::Block> blocks;
  blocks.emplace_back(pages::Section{.id = "shortcuts", .title = "Shortcuts"});
  const bool found = std::any_of(report.facts.begin(), report.facts.end(),
                                 [](const Shortcut& s) { return s.predicts; });
  for (const std::string& sentence : report.findings) {
    blocks.emplace_back(pages::Paragraph{
        .text = sentence, .tone = found ? pages::Tone::Warning : pages::Tone::Finding});
  }
  if (report.facts.empty()) return blocks;
  pages::BarChart chart;
  chart.title = "Macro F1 of each fact alone, out of fold";
  chart.values.label = "macro F1";
  chart.values.high = 1;
  chart.series.resize(1);
  pages::Table table{
      .caption = "Facts that say nothing of the subject, or should not",
      .columns = {"fact", "macro F1", "95% interval", "chance", "p (corrected)", "verdict"},
      .text_columns = {5}};
  double chance = 0;
  double measured = 0;
  for (const Shortcut& s : report.facts) {
    if (!s.constant.empty()) {
      table.rows.push_back({s.fact, "", "", "", "", s.constant});
      continue;
    }
    chart.categories.push_back(s.fact);
    chart.series[0].values.push_back(s.macro_f1);
    chart.series[0].low.push_back(s.interval.low);
    chart.series[0].high.push_back(s.interval.high);
    chance += s.chance;
    ++measured;
    const std::string verdict = !s.predicts    ? "no more than chance"
                                : s.of_subject ? "predicts; may be the subject's"
                                : s.in_pixels  ? "predicts: a shortcut"
                                               : "predicts: a sign of sources";
    table.rows.push_back({s.fact, fmt::format("{:.3f}", s.macro_f1),
                          fmt::format("{:.3f} to {:.3f}", s.interval.low, s.interval.high),
                          fmt::format("{:.3f}", s.chance), fmt::format("{:.3f}", s.p_value),
                          verdict});
  }
  if (measured > 0) {
    chart.reference = chance / measured;
    chart.reference_name = "chance";
    blocks.emplace_back(pages::Figure{
        .chart = chart,
        .caption = "Random forests, grouped folds; whiskers: 95% by drawing groups; chance: the "
                   "same answers if they had nothing to do with the labels (mean of the facts)."});
  }
  blocks.emplace_back(std::move(table));
  if (report.source) {
    pages::Table sources{.caption = fmt::format("Photographs by {} and class", report.source->name),
                         .columns = {report.source->name}};
    for (const std::string& name : report.class_names) sources.columns.push_back(name);
    for (std::size_t v = 0; v < report.source->values.size(); ++v) {
      std::vector<std::string> row{report.source->values[v]};
      for (const std::int64_t count : report.source->counts[v])
        row.push_back(training::with_commas(count));
      sources.rows.push_back(std::move(row));
    }
    blocks.emplace_back(std::move(sources));
  }
  return blocks;
}

}  // namespace hanok::data_report
