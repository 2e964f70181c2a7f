// The findings on faces as blocks of a page.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/cli/words.h"
#include "hanok/apps/faces/face_findings.h"
#include "hanok/apps/options/options.h"
#include "hanok/data/sampler.h"
#include "hanok/data/shards.h"
#include "hanok/kernels/base/error.h"

namespace hanok::faces {
namespace {

using pages::Block;
using pages::Tone;
using Colour = std::array<std::uint8_t, 3>;

constexpr Colour kBox{255, 220, 0};
constexpr Colour kCrop{0, 200, 255};

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

std::string interval(const Share& share) {
  return share.of == 0 ? "" : fmt::format("{} to {}", percent(share.low), percent(share.high));
}

/// The outline of a part, `thick` pixels wide, where it lies in the image.
void draw(data::Image& image, const data::Rectangle& part, int thick, const Colour& colour) {
  for (int y = std::max(part.y, 0); y < std::min(part.y + part.height, image.height); ++y) {
    for (int x = std::max(part.x, 0); x < std::min(part.x + part.width, image.width); ++x) {
      const bool inner = x >= part.x + thick && x < part.x + part.width - thick &&
                         y >= part.y + thick && y < part.y + part.height - thick;
      if (!inner) std::copy(colour.begin(), colour.end(), image.row(y) + 3 * x);
    }
  }
}

std::string sizes_sentence(const FaceFindings& findings) {
  return fmt::format("The median face is {} of its photograph's height and covers {} of its area.",
                     percent(findings.median_height), percent(findings.median_area));
}

std::string crop_sentence(const FaceFindings& findings) {
  const RelativeBox& part = findings.suggested;
  std::string text = fmt::format(
      "{:.0f}% of the faces lie in the part from {} to {} of the width and from {} to {} of the "
      "height, {} of the area.",
      100 * FaceFindings::kHeld, percent(part.left), percent(part.right), percent(part.top),
      percent(part.bottom), percent(part.area()));
  constexpr double kMuch = 0.8;  // from here on a crop gains little
  if (findings.median_area > 0.5) {
    return text + " The photographs are crops of faces already: another one gains little.";
  }
  if (part.area() < kMuch) {
    return text +
           " The rest is background: a crop to that part, or finetune --crop face, shows "
           "the network more pixels of each face.";
  }
  return text +
         " Faces are all over the photographs: one crop for all gains little; finetune "
         "--crop face cuts out each one.";
}

using Names = std::vector<std::string>;

/// "60.0% in 'a' (50.2% to 69.1%), 95.0% in 'b' (88.8% to 97.8%); p = 3e-09."
std::string difference(const SharesByKind& kinds, const Names& names) {
  const Share& low = kinds.shares[kinds.lowest];
  const Share& high = kinds.shares[kinds.highest];
  return fmt::format("{} in '{}' ({}), {} in '{}' ({}); p = {:.2g}.", percent(low.value()),
                     names[kinds.lowest], interval(low), percent(high.value()),
                     names[kinds.highest], interval(high), kinds.p_value);
}

constexpr const char* kConsequence =
    "A detector that was trained on bare faces misses covered ones. With --crop face such "
    "photographs show their middle instead of a face, so the crop itself tells the classes apart: "
    "compare with --crop center and --crop none, and look at what was missed.";

Names mask_names() { return {kMaskNames.begin(), kMaskNames.end()}; }

/// Warnings where the share depends on the mask or on the class; of both, the consequence is said
/// once.
std::vector<std::string> dependence_sentences(const FaceFindings& findings,
                                              const data::Dataset& dataset) {
  std::vector<std::string> sentences;
  if (findings.masks.differ) {
    sentences.push_back(
        fmt::format("Whether a face is found depends on how the mask is worn, over all sexes and "
                    "ages: {}",
                    difference(findings.masks, mask_names())));
  }
  if (findings.classes.differ) {
    sentences.push_back(fmt::format("Whether a face is found depends on the class: {}",
                                    difference(findings.classes, dataset.class_names)));
  }
  if (!sentences.empty()) sentences.front() += fmt::format(" {}", kConsequence);
  return sentences;
}

pages::Table class_table(const FaceFindings& findings, const data::Dataset& dataset) {
  pages::Table table{.caption = "Photographs in which a face is found",
                     .columns = {"class", "photographs", "with a face", "share", "95% interval"}};
  const auto add = [&table](const std::string& name, const Share& share) {
    if (share.of == 0) return;
    table.rows.push_back({name, fmt::format("{}", share.of), fmt::format("{}", share.found),
                          percent(share.value()), interval(share)});
  };
  for (std::size_t c = 0; c < findings.classes.shares.size(); ++c) {
    add(dataset.class_names[c], findings.classes.shares[c]);
  }
  for (std::size_t m = 0; m < findings.masks.shares.size(); ++m) {
    add(fmt::format("all with the mask {}", kMaskNames[m]), findings.masks.shares[m]);
  }
  add("all", findings.all);
  return table;
}

pages::BarChart class_chart(const FaceFindings& findings, const data::Dataset& dataset) {
  pages::BarChart chart{.title = "Photographs with a face, by class",
                        .values = {.label = "share", .low = 0, .high = 1},
                        .reference = findings.all.value(),
                        .reference_name = "all classes"};
  pages::BarChart::Bars bars;
  for (std::size_t c = 0; c < findings.classes.shares.size(); ++c) {
    const Share& share = findings.classes.shares[c];
    if (share.of == 0) continue;
    chart.categories.push_back(dataset.class_names[c]);
    bars.values.push_back(share.value());
    bars.low.push_back(share.low);
    bars.high.push_back(share.high);
  }
  chart.series.push_back(std::move(bars));
  return chart;
}

pages::HeatMap where_chart(const FaceFindings& findings) {
  pages::HeatMap map{.title = "Where faces are",
                     .row_label = "from the top",
                     .column_label = "from the left",
                     .digits = 0,
                     .show_numbers = false};
  for (int cell = 0; cell < FaceFindings::kCells; ++cell) {
    const std::string name = fmt::format("{:.0f}%", 100 * (cell + 0.5) / FaceFindings::kCells);
    map.rows.push_back(name);
    map.columns.push_back(name);
  }
  for (const auto& row : findings.where) {
    map.values.emplace_back();
    for (const double share : row) map.values.back().push_back(100 * share);
  }
  return map;
}

/// Up to `most` of the photographs, drawn from each class in turn.
std::vector<std::size_t> chosen(const FaceTable& table, const data::Dataset& dataset, bool found,
                                std::size_t most) {
  const std::size_t unlabelled = dataset.class_names.size();
  std::vector<std::vector<std::size_t>> of_class(unlabelled + 1);
  for (const std::int64_t drawn :
       data::shuffled(static_cast<std::int64_t>(table.photos.size()), 0, 0)) {
    const auto i = static_cast<std::size_t>(drawn);
    if (table.photos[i].width < 1 || table.photos[i].largest.has_value() != found) continue;
    const std::int64_t label = dataset.samples[i].label;
    of_class[label < 0 ? unlabelled : static_cast<std::size_t>(label)].push_back(i);
  }
  std::vector<std::size_t> result;
  for (std::size_t turn = 0; turn < most && result.size() < most; ++turn) {
    for (const std::vector<std::size_t>& members : of_class) {
      if (turn < members.size() && result.size() < most) result.push_back(members[turn]);
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

/// Empty if there are none.
pages::Gallery gallery(const FaceTable& table, const data::Dataset& dataset, bool found,
                       std::size_t most) {
  pages::Gallery sheet{
      .caption = found ? "Faces that were found: the box, and around it what --crop face cuts out"
                       : "Photographs without a face, and the middle that --crop face takes"};
  const double margin = training::Options{}.face_margin;
  for (const std::size_t i : chosen(table, dataset, found, most)) {
    const data::Sample& sample = dataset.samples[i];
    try {
      const data::Image image = data::decode_whole_sample(dataset, i);
      const PhotoFaces& photo = table.photos[i];
      pages::Tile tile{.picture = pages::thumbnail(with_boxes(image, photo, margin), 160),
                       .title = sample.path};
      if (sample.label >= 0) {
        tile.lines.push_back(dataset.class_names[static_cast<std::size_t>(sample.label)]);
      }
      if (photo.largest)
        tile.lines.push_back(fmt::format("p = {:.3f}", photo.largest->probability));
      sheet.tiles.push_back(std::move(tile));
    } catch (const Error&) {
      continue;  // it was changed since; the table says what was searched
    }
  }
  return sheet;
}

}  // namespace

data::Image with_boxes(const data::Image& image, const PhotoFaces& photo, double margin) {
  data::Image drawn = image;
  const int thick = std::max(1, std::min(image.width, image.height) / 80);
  if (margin >= 0 && photo.width > 0) draw(drawn, face_crop(photo, margin), thick, kCrop);
  if (photo.largest) {
    const auto pixel = [](float at) { return static_cast<int>(std::lround(at)); };
    const Face& face = *photo.largest;
    draw(drawn,
         {.x = pixel(face.left),
          .y = pixel(face.top),
          .width = pixel(face.right) - pixel(face.left),
          .height = pixel(face.bottom) - pixel(face.top)},
         thick, kBox);
  }
  return drawn;
}

std::vector<Block> face_blocks(const FaceTable& table, const data::Dataset& dataset,
                               std::size_t pictures) {
  const FaceFindings findings = find_in_table(table, dataset);
  std::vector<Block> blocks;
  blocks.emplace_back(pages::Section{.id = "faces", .title = "Faces"});
  std::string text =
      fmt::format("A face was found in {} of {} photographs ({}; {})",
                  training::with_commas(findings.all.found), training::with_commas(findings.all.of),
                  percent(findings.all.value()), interval(findings.all));
  if (findings.several > 0) text += fmt::format(", several in {}", findings.several);
  if (findings.unreadable > 0) text += fmt::format("; {} cannot be read", findings.unreadable);
  blocks.emplace_back(pages::Paragraph{.text = text + ".", .tone = Tone::Finding});
  for (const std::string& sentence : dependence_sentences(findings, dataset)) {
    blocks.emplace_back(pages::Paragraph{.text = sentence, .tone = Tone::Warning});
  }
  blocks.emplace_back(class_table(findings, dataset));
  blocks.emplace_back(pages::Figure{.chart = class_chart(findings, dataset),
                                    .caption = "Whiskers are 95% intervals."});
  if (findings.all.found > 0) {
    blocks.emplace_back(pages::Paragraph{.text = sizes_sentence(findings)});
    blocks.emplace_back(pages::Paragraph{.text = crop_sentence(findings), .tone = Tone::Finding});
    blocks.emplace_back(pages::Figure{
        .chart = where_chart(findings),
        .caption = "Per cent of the faces whose box covers this place of the photograph."});
  }
  for (const bool found : {true, false}) {
    pages::Gallery sheet = gallery(table, dataset, found, pictures);
    if (!sheet.tiles.empty()) blocks.emplace_back(std::move(sheet));
  }
  return blocks;
}

}  // namespace hanok::faces
