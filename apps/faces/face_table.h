// The faces in the photographs of a data set, as a table that a run keeps (faces.csv), and the part
// of a photograph that a face makes the one to look at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hanok/apps/cli/reporter.h"
#include "hanok/apps/faces/face_finder.h"
#include "hanok/data/dataset.h"

#pragma GCC visibility push(default)
namespace hanok::faces {

/// What was found in one photograph.
struct PhotoFaces {
  std::string content_hash{};     // 64-bit FNV-1a of the file, 16 hex digits
  int width = 0, height = 0;      // upright; 0: the photograph could not be read
  std::int64_t faces = 0;         // found
  std::optional<Face> largest{};  // without landmarks
};

struct FaceTable {
  std::string finder{};              // FaceFinder::name()
  std::vector<PhotoFaces> photos{};  // in the order of the samples

  /// Photographs in which a face was found.
  std::int64_t with_face() const;
};

/// Searches every photograph of the data set by `threads` threads, with progress; the same for any
/// number of them. Photographs that cannot be read are marked as such. Empty if the user
/// interrupted.
std::optional<FaceTable> find_faces(const data::Dataset& dataset, const FaceFinder& finder,
                                    int threads, training::Reporter& reporter);

/// The part of a photograph with a face: a square around the middle of the box of the largest one,
/// as long as the longer side of the box and `margin` of it on each side. It is moved inside the
/// photograph, and cut off where that is smaller. Without a face the middle: 7/8 of the shorter
/// side, as with --crop center. Throws ValueError for a photograph that could not be read.
data::Rectangle face_crop(const PhotoFaces& photo, double margin);

/// Sets the samples' crops; of photographs that could not be read none.
void crop_to_faces(data::Dataset& dataset, const FaceTable& table, double margin);

/// "faces found in 1702 of 1874 photographs; the middle of the others is used"
std::string describe(const FaceTable& table);

/// path,content,width,height,faces,left,top,right,bottom,probability,finder: a row for each sample;
/// the box and the probability are those of the largest face, empty without one.
std::string to_csv(const FaceTable& table, const data::Dataset& dataset);
/// Reads it. Throws IoError; FormatError naming file and line for what to_csv() does not write, and
/// for photographs other than the data set's.
FaceTable faces_from_csv(const std::string& path, const data::Dataset& dataset);

/// Paths of the samples whose file is not the one that was searched. Missing files count as such.
std::vector<std::string> changed_files(const FaceTable& table, const data::Dataset& dataset,
                                       int threads);

}  // namespace hanok::faces
#pragma GCC visibility pop
