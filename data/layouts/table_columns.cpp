#include "hanok/data/layouts/table_columns.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <vector>

#include "hanok/data/unicode.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data {
namespace {

using Names = std::vector<const char*>;

/// One kind of column. Names are in lower case without blanks, '_' and '-'.
struct Kind {
  const char* name;    // "path": the layout's own name, which wins over the others
  const char* option;  // that names another
  Names usual;
  Names weak;  // taken only where there is no other
};

const Kind& path_kind() {
  static const Kind kind = {
      "path",
      "--path-column",
      {"paths",         "filepath",  "imagepath", "imgpath", "relpath", "filename",
       "filenames",     "imagename", "imgname",   "file",    "files",   "imagefile",
       "imagefilename", "image",     "images",    "img",     "idcode",  "imageid",
       "imgid",         "fileid",    "photo",     "picture"},
      {"id", "name"}};
  return kind;
}

const Kind& label_kind() {
  static const Kind kind = {
      "label",
      "--label-column",
      {"labels", "class", "classes", "classname", "classlabel", "classid", "labelname", "labelid",
       "target", "targets", "category", "categoryname", "categoryid", "diagnosis", "dx"},
      {"y", "tag", "breed", "species", "variety", "type"}};
  return kind;
}

/// "Image_ID" -> "imageid"
std::string key_of(const std::string& column) {
  std::string key = folded_name(column);
  std::erase_if(key, [](char c) { return c == ' ' || c == '_' || c == '-' || c == '.'; });
  return key;
}

std::vector<std::size_t> columns_named(const Csv& csv, const Names& names) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < csv.header.size(); ++i) {
    const std::string key = key_of(csv.header[i]);
    if (std::find(names.begin(), names.end(), key) != names.end()) found.push_back(i);
  }
  return found;
}

std::vector<std::string> names_of(const Csv& csv, const std::vector<std::size_t>& columns) {
  std::vector<std::string> names;
  for (const std::size_t column : columns) names.push_back(csv.header[column]);
  return names;
}

std::size_t find_column(const Csv& csv, const Kind& kind, const std::string& given) {
  if (!given.empty()) {
    const auto exact = std::find(csv.header.begin(), csv.header.end(), given);
    if (exact != csv.header.end()) return static_cast<std::size_t>(exact - csv.header.begin());
    throw FormatError(fmt::format("{}: no column '{}', which {} names (columns: {})", csv.path,
                                  given, kind.option, fmt::join(csv.header, ", ")));
  }
  for (const Names& names : {Names{kind.name}, kind.usual, kind.weak}) {
    const std::vector<std::size_t> found = columns_named(csv, names);
    if (found.size() == 1) return found[0];
    if (found.size() > 1) {
      throw FormatError(fmt::format("{}: several columns could be '{}': {}; {} names the right one",
                                    csv.path, kind.name, fmt::join(names_of(csv, found), ", "),
                                    kind.option));
    }
  }
  throw FormatError(fmt::format(
      "{}: no column '{}' (columns: {}), nor one of a usual name; {} names the one to take",
      csv.path, kind.name, fmt::join(csv.header, ", "), kind.option));
}

}  // namespace

TableColumns find_columns(const Csv& csv, const DatasetOptions& options) {
  TableColumns columns;
  columns.path = find_column(csv, path_kind(), options.path_column);
  columns.label = find_column(csv, label_kind(), options.label_column);
  if (columns.path == columns.label) {
    throw FormatError(fmt::format("{}: the column '{}' cannot hold both images and labels",
                                  csv.path, csv.header[columns.path]));
  }
  const std::vector<std::size_t> groups = columns_named(csv, {"group"});
  if (!groups.empty()) columns.group = groups[0];
  return columns;
}

bool has_image_columns(const Csv& csv, const DatasetOptions& options) {
  try {
    find_columns(csv, options);
    return true;
  } catch (const FormatError&) {
    return false;
  }
}

}  // namespace hanok::data
