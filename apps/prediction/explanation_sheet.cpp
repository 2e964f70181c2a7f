#include "hanok/apps/prediction/explanation_sheet.h"

#include <algorithm>
#include <fmt/format.h>

#include "hanok/apps/prediction/picture_text.h"
#include "hanok/apps/prediction/terminal_picture.h"

namespace hanok::training {
namespace {

constexpr PaintColor kPaper = {255, 255, 255}, kInk = {24, 24, 32}, kFaint = {110, 110, 122};
constexpr PaintColor kBar = {70, 100, 190}, kTrack = {228, 230, 238}, kRule = {210, 212, 220};
constexpr PaintColor kRight = {20, 120, 60}, kWrong = {185, 40, 40};
constexpr TextStyle kTitle = {.color = kInk, .scale = 2}, kCaption = {.color = kFaint, .scale = 1};
constexpr int kMargin = 20, kGap = 14, kLine = 12;
constexpr int kTile = 260, kSmallTile = 170, kBars = 300;
constexpr std::size_t kMostBars = 7;
constexpr int kWidth = 2 * kMargin + 3 * kTile + 3 * kGap + kBars;
constexpr int kTopHeight = kTile + 4 * kLine + kGap;
constexpr int kStripHeight = kLine + kSmallTile + 2 * kLine + kGap;
constexpr int kHeading = 30;

TextStyle in_color(TextStyle style, PaintColor color) {
  style.color = color;
  return style;
}

void paste_centred(data::Image& sheet, const data::Image& tile, const data::Rectangle& place) {
  paste(sheet, tile, place.x + (place.width - tile.width) / 2,
        place.y + (place.height - tile.height) / 2);
}

const std::string& class_name(const Explanations& all, std::int64_t number) {
  return all.class_names[static_cast<std::size_t>(number)];
}

float probability(const Explanation& image, std::size_t rank) {
  return image.probabilities[static_cast<std::size_t>(image.ranked[rank])];
}

/// "predicted with_mask, labelled without_mask".
std::string verdict(const Explanations& all, const Explanation& image) {
  const std::string predicted = class_name(all, image.ranked[0]);
  if (image.label.empty()) return predicted;
  return image.label == predicted ? predicted + " (as labelled)"
                                  : fmt::format("{} (labelled {})", predicted, image.label);
}

std::string agreement(const Explanations& all, const Explanation& image) {
  const std::size_t networks = image.answers.size();
  std::string text;
  if (!image.held_out_by.empty()) {
    text = fmt::format("a photograph of the run: answered by the {} that did not train on it",
                       networks == 1 ? "fold" : fmt::format("{} folds", networks));
  } else if (!image.label.empty()) {
    text = fmt::format("a photograph of the run: {} trained on it, so the answer says little",
                       networks == 1 ? "the network" : "all networks");
  } else if (networks == 1) {
    text = "one network answers";
  }
  if (networks == 1) return text;
  const auto agree = std::count(image.answers.begin(), image.answers.end(), image.ranked[0]);
  const auto [low, high] = std::minmax_element(image.certainties.begin(), image.certainties.end());
  return fmt::format("{}{}{} of {} folds say {}; its probability is {:.2f} to {:.2f}", text,
                     text.empty() ? "" : ": ", agree, networks, class_name(all, image.ranked[0]),
                     *low, *high);
}

bool any_counted(const HeatMap& map) {
  return std::any_of(map.values.begin(), map.values.end(), [](float value) { return value > 0; });
}

/// The photograph and the first map in a terminal, and a line below; empty without colours.
std::string pictures_text(const Explanations& all, const Explanation& image,
                          const TextSurface& surface) {
  constexpr int kIndent = 2, kMostPixels = 40;
  if (surface.colors == TextColors::None) return {};
  const int room = (static_cast<int>(surface.columns) - kIndent - kTerminalGap) / 2;
  const auto small = [&](const data::Image& picture) {
    return data::resize_longer_side(picture, std::clamp(room, 1, kMostPixels));
  };
  std::vector<data::Image> pictures = {small(image.photograph)};
  std::string caption;
  if (!image.maps.empty()) {
    pictures.push_back(small(overlay(image.photograph, image.maps[0])));
    caption = fmt::format("  on the right Grad-CAM: {} for {}\n",
                          any_counted(image.maps[0]) ? "what counted" : "nothing counted",
                          class_name(all, image.ranked[0]));
  }
  return terminal_text(pictures, surface.colors, kIndent) + caption;
}

class Sheet {
 public:
  explicit Sheet(const Explanations& all) : all_(all) {
    int height = 2 * kMargin;
    for (const Explanation& image : all.images) height += height_of(image);
    sheet_ = plain_picture(kWidth, height, kPaper);
    int y = kMargin;
    for (const Explanation& image : all.images) {
      draw(image, y);
      y += height_of(image);
    }
  }
  data::Image take() { return std::move(sheet_); }

 private:
  static int height_of(const Explanation& image) {
    return kHeading + kTopHeight + (image.neighbours.empty() ? 0 : kStripHeight) + kGap;
  }

  void draw(const Explanation& image, int y) {
    const bool wrong = !image.label.empty() && image.label != class_name(all_, image.ranked[0]);
    const bool right = !image.label.empty() && !wrong;
    const std::string answer = verdict(all_, image);
    const int letters = letter_width(kTitle);
    const int name_width = kWidth - 2 * kMargin - (static_cast<int>(answer.size()) + 3) * letters;
    const std::string name =
        fitting_text(image.name, std::max(name_width, 200), kTitle, KeepPart::End);
    write_text(sheet_, name, kMargin, y, kTitle);
    write_text(sheet_, answer, kMargin + (static_cast<int>(name.size()) + 2) * letters, y,
               in_color(kTitle, wrong   ? kWrong
                                : right ? kRight
                                        : kBar));
    y += kHeading;
    draw_tile(image.photograph, {"photograph", ""}, kMargin, y);
    for (std::size_t k = 0; k < image.maps.size(); ++k) {
      draw_tile(overlay(image.photograph, image.maps[k]),
                {class_name(all_, image.ranked[k]), any_counted(image.maps[k])
                                                        ? "Grad-CAM: what counted for it"
                                                        : "Grad-CAM: nothing counted for it"},
                kMargin + static_cast<int>(k + 1) * (kTile + kGap), y);
    }
    draw_bars(image, kWidth - kMargin - kBars, y);
    y += kTopHeight;
    if (!image.neighbours.empty()) {
      draw_neighbours(image, y);
      y += kStripHeight;
    }
    fill_rectangle(sheet_, {kMargin, y, kWidth - 2 * kMargin, 1}, kRule);
  }

  struct Caption {
    std::string title, note;
  };
  void draw_tile(const data::Image& picture, const Caption& caption, int x, int y) {
    paste_centred(sheet_, data::resize_longer_side(picture, kTile, data::Filter::Bicubic),
                  {x, y, kTile, kTile});
    y += kTile + 6;
    write_text(sheet_, fitting_text(caption.title, kTile, kTitle, KeepPart::Beginning), x, y,
               kTitle);
    write_text(sheet_, caption.note, x, y + letter_height(kTitle) + 6, kCaption);
  }

  void draw_bars(const Explanation& image, int x, int y) {
    for (std::size_t k = 0; k < std::min(kMostBars, image.ranked.size()); ++k, y += 40) {
      const float p = probability(image, k);
      const std::string number = fmt::format("{:.3f}", p);
      const TextStyle& style = kTitle;
      const int right = x + kBars - static_cast<int>(number.size()) * letter_width(style);
      write_text(sheet_,
                 fitting_text(class_name(all_, image.ranked[k]), right - x - 8, style,
                              KeepPart::Beginning),
                 x, y, style);
      write_text(sheet_, number, right, y, style);
      fill_rectangle(sheet_, {x, y + 18, kBars, 10}, kTrack);
      fill_rectangle(sheet_, {x, y + 18, static_cast<int>(static_cast<float>(kBars) * p), 10},
                     kBar);
    }
  }

  void draw_neighbours(const Explanation& image, int y) {
    write_text(sheet_, "nearest training photographs, and the cosine of their features", kMargin, y,
               kCaption);
    y += kLine;
    int x = kMargin;
    for (const NearPhotograph& near : image.neighbours) {
      if (x + kSmallTile > kWidth - kMargin) break;
      paste_centred(sheet_,
                    data::resize_longer_side(data::decode_image_file(near.file), kSmallTile,
                                             data::Filter::Bicubic),
                    {x, y, kSmallTile, kSmallTile});
      const bool same = near.label == class_name(all_, image.ranked[0]);
      const TextStyle style = in_color(kCaption, same ? kInk : kWrong);
      write_text(sheet_, fitting_text(near.label, kSmallTile, style, KeepPart::Beginning), x,
                 y + kSmallTile + 4, style);
      write_text(sheet_, fmt::format("{:.3f}", near.similarity), x, y + kSmallTile + 4 + kLine,
                 kCaption);
      x += kSmallTile + kGap;
    }
  }

  const Explanations& all_;
  data::Image sheet_;
};

}  // namespace

data::Image explanation_sheet(const Explanations& explanations) {
  return Sheet(explanations).take();
}

std::string explanation_text(const Explanations& all, const TextSurface& surface) {
  constexpr int kBarLetters = 24;
  std::size_t widest = 0;
  for (const std::string& name : all.class_names) widest = std::max(widest, name.size());
  std::string text;
  for (const Explanation& image : all.images) {
    text += fmt::format("{}: {}\n", image.name, verdict(all, image));
    text += pictures_text(all, image, surface);
    for (std::size_t k = 0; k < std::min(kMostBars, image.ranked.size()); ++k) {
      const float p = probability(image, k);
      text += fmt::format("  {:<{}} {:.3f} {:#<{}}\n", class_name(all, image.ranked[k]), widest, p,
                          "", static_cast<int>(p * kBarLetters + 0.5F));
    }
    text += fmt::format("  {}\n", agreement(all, image));
    if (all.without_feature_map) text += "  no Grad-CAM: the network has no feature map\n";
    if (!image.neighbours.empty()) text += "  nearest training photographs:\n";
    for (const NearPhotograph& near : image.neighbours) {
      text += fmt::format("    {:.3f} {:<{}} {}\n", near.similarity, near.label, widest, near.path);
    }
  }
  if (!all.missing_neighbours.empty()) {
    text += fmt::format("no nearest training photographs: {}\n", all.missing_neighbours);
  }
  return text;
}

}  // namespace hanok::training
