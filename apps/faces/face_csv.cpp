// faces.csv of a run folder.
#include <charconv>
#include <fmt/format.h>
#include <limits>

#include "hanok/apps/faces/face_table.h"
#include "hanok/data/csv.h"
#include "hanok/kernels/base/error.h"

namespace hanok::faces {
namespace {

constexpr const char* kHeader =
    "path,content,width,height,faces,left,top,right,bottom,probability,finder";

/// A row of the table, whose fields are numbers or say where they are not.
class Row {
 public:
  Row(const data::Csv& csv, std::size_t row) : csv_(csv), row_(row) {}

  const std::string& text(const char* column) const { return csv_.rows[row_][csv_.column(column)]; }
  template <typename Number>
  Number number(const char* column) const {
    const std::string& field = text(column);
    Number value{};
    const char* end = field.data() + field.size();
    const auto [stop, error] = std::from_chars(field.data(), end, value);
    if (error != std::errc() || stop != end || !(value >= std::numeric_limits<Number>::lowest()) ||
        !(value <= std::numeric_limits<Number>::max())) {
      fail(fmt::format("{} is '{}', expected a number", column, field));
    }
    return value;
  }
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(fmt::format("{}:{}: {}", csv_.path, csv_.lines[row_], problem));
  }

 private:
  const data::Csv& csv_;
  std::size_t row_;
};

PhotoFaces read_photo(const Row& row) {
  PhotoFaces photo;
  photo.content_hash = row.text("content");
  photo.width = row.number<int>("width");
  photo.height = row.number<int>("height");
  photo.faces = row.number<std::int64_t>("faces");
  // 0x0 without faces: it could not be read when faces were searched.
  const bool unread = photo.width == 0 && photo.height == 0 && photo.faces == 0;
  if (!unread && (photo.width < 1 || photo.height < 1)) {
    row.fail(fmt::format("a photograph of {}x{} pixels", photo.width, photo.height));
  }
  if (photo.faces < 0) row.fail(fmt::format("faces is {}, expected 0, 1, ...", photo.faces));
  if (photo.faces == 0) return photo;
  Face face;
  face.left = row.number<float>("left");
  face.top = row.number<float>("top");
  face.right = row.number<float>("right");
  face.bottom = row.number<float>("bottom");
  face.probability = row.number<float>("probability");
  if (!(face.left < face.right) || !(face.top < face.bottom)) {
    row.fail(fmt::format("an empty box: left {}, top {}, right {}, bottom {}", face.left, face.top,
                         face.right, face.bottom));
  }
  photo.largest = face;
  return photo;
}

}  // namespace

std::string to_csv(const FaceTable& table, const data::Dataset& dataset) {
  std::string out = std::string(kHeader) + "\n";
  for (std::size_t i = 0; i < table.photos.size(); ++i) {
    const PhotoFaces& photo = table.photos[i];
    out += fmt::format("{},{},{},{},{},", data::csv_field(dataset.samples[i].path),
                       photo.content_hash, photo.width, photo.height, photo.faces);
    if (photo.largest) {
      const Face& face = *photo.largest;
      out += fmt::format("{},{},{},{},{},", face.left, face.top, face.right, face.bottom,
                         face.probability);
    } else {
      out += ",,,,,";
    }
    out += data::csv_field(table.finder) + "\n";
  }
  return out;
}

FaceTable faces_from_csv(const std::string& path, const data::Dataset& dataset) {
  const data::Csv csv = data::read_csv(path);
  if (csv.rows.size() != dataset.samples.size()) {
    throw FormatError(fmt::format("{}: holds {} photographs, the run has {}", path, csv.rows.size(),
                                  dataset.samples.size()));
  }
  FaceTable table;
  for (std::size_t i = 0; i < csv.rows.size(); ++i) {
    const Row row(csv, i);
    if (row.text("path") != dataset.samples[i].path) {
      row.fail(fmt::format("the photograph is '{}', expected '{}'", row.text("path"),
                           dataset.samples[i].path));
    }
    table.photos.push_back(read_photo(row));
    if (i == 0) table.finder = row.text("finder");
    if (row.text("finder") != table.finder) {
      row.fail(fmt::format("finder is '{}', before it was '{}'", row.text("finder"), table.finder));
    }
  }
  return table;
}

}  // namespace hanok::faces
