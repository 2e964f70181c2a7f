// Where the faces of a data set are, in which classes they are found, and what that means for a
// crop: a part of the data's page.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/faces/face_table.h"
#include "hanok/apps/pages/page.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

/// A share with its 95% interval (Wilson).
struct Share {
  std::int64_t found = 0, of = 0;
  double low = 0, high = 1;
  double value() const {
    return of == 0 ? 0 : static_cast<double>(found) / static_cast<double>(of);
  }
};

/// A part of a photograph in shares of its width and height.
struct RelativeBox {
  double left = 0, top = 0, right = 1, bottom = 1;
  double area() const { return (right - left) * (bottom - top); }
};

/// Shares of several kinds of photographs, and whether they differ.
struct SharesByKind {
  std::vector<Share> shares{};
  /// Probability of shares as different as these if no kind were different: chi-square test of
  /// independence, with counts corrected for groups. 1 with fewer than two kinds.
  double p_value = 1;
  std::size_t lowest = 0, highest = 0;  // kinds with the smallest and the largest share
  /// p_value < 0.01 and at least 5 points between the two.
  bool differ = false;
};

/// The competition's kinds of masks, as in its class numbers.
constexpr std::array<const char*, 3> kMaskNames = {"worn", "incorrect", "not worn"};

struct FaceFindings {
  /// Photographs with a face, of those that can be read. Where samples have groups, photographs of
  /// a group resemble each other: intervals are those of fewer, independent photographs (their
  /// number divided by the design effect).
  Share all{};
  SharesByKind classes{};  // in the data set's order; samples without a label are in none
  /// In the competition's layout by mask (kMaskNames), whatever the sex and the age: its 18 classes
  /// hold too few photographs to differ by more than chance. Empty in others.
  SharesByKind masks{};
  std::int64_t unreadable = 0;
  std::int64_t several = 0;  // photographs with more than one face

  static constexpr int kCells = 16;
  /// Share of the faces that cover a cell's middle: [row][column] from the top left.
  std::array<std::array<double, kCells>, kCells> where{};
  double median_height = 0;  // of the face's box, as a share of the photograph's height
  double median_area = 0;    // of the part of the box inside the photograph, as a share of its area
  /// A small part that holds kHeld of the boxes; all of it without faces.
  RelativeBox suggested{};
  static constexpr double kHeld = 0.95;
};

/// Throws ValueError for a table of another data set.
FaceFindings find_in_table(const FaceTable& table, const data::Dataset& dataset);

/// A small rectangle that holds at least `share` of the boxes: from the one that holds all, the box
/// at whose edge most area is gained is left out, as often as allowed. Inside [0, 1].
RelativeBox holding(const std::vector<RelativeBox>& boxes, double share);

/// The section "faces" of a page: shares by class, a heat map, sizes, a suggested crop, and
/// photographs with their boxes, `pictures` of each kind at most.
std::vector<pages::Block> face_blocks(const FaceTable& table, const data::Dataset& dataset,
                                      std::size_t pictures = 12);

/// The photograph with the box of its largest face and, if `margin` is 0 or more, the part that
/// --crop face cuts out.
data::Image with_boxes(const data::Image& image, const PhotoFaces& photo, double margin = -1);

}  // namespace hanok::faces
#pragma GCC visibility pop
