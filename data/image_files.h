// Which files are images, by their names, the images of a folder, and paths that may not leave it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace hanok::data {

/// Whether the extension, in any case, is of a format that decode_image reads: .jpg .jpeg .jpe
/// .jfif .png .webp .bmp .dib .gif .tif .tiff
bool has_image_extension(const std::string& file_name);

/// The format of photographs that the extension stands for and that is not read: "HEIC", "AVIF",
/// "JPEG XL", "JPEG 2000", "SVG", "camera raw", "PSD", "DICOM", ...; empty for other names.
std::string left_out_format(const std::string& file_name);

/// What turns files of such a format into readable ones, with a command where there is one:
/// "convert them with ...".
std::string advice_for(std::string_view left_out_format);

struct ImageFiles {
  std::vector<std::string> paths;               // relative to the folder, in byte order
  std::map<std::string, std::int64_t> skipped;  // reason -> number of files and folders
};

/// The image files below `folder` at any depth. Links are followed, cycles are not; hidden files
/// and those with other extensions are skipped. Throws IoError for a folder that cannot be read.
ImageFiles image_files(const std::string& folder);

/// The problem with a path from a table ("path '../a' leaves the data folder"); empty if it is
/// relative and stays in `root`. "a/../b" is what the system takes it for: where a is a link to
/// another folder, ".." is above that one.
std::string path_problem(const std::string& root, const std::string& path);

}  // namespace hanok::data
#pragma GCC visibility pop
