// Walking folders in a fixed order, passing over what is no photograph. Private to this room.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hanok::data {

/// Why a file of this name is passed over ("hidden file", ...); empty for an image file by its
/// extension (.jpg, .jpeg, .png in any case).
std::string skip_reason(const std::string& file_name);

/// Names of the folders right below `folder` in byte order; hidden ones are counted in `skipped`.
/// Throws IoError if `folder` cannot be read.
std::vector<std::string> list_folders(const std::string& folder,
                                      std::map<std::string, std::int64_t>& skipped);

/// Image files below `folder` at any depth, relative to it, in byte order; all else is counted in
/// `skipped`. Links to folders are followed, but never in a circle.
std::vector<std::string> list_images(const std::string& folder,
                                     std::map<std::string, std::int64_t>& skipped);

/// "photos/a_01.jpg" -> "a_01"
std::string file_stem(const std::string& path);

/// What is wrong with a path out of a table ("path '../a' leaves the data folder"); empty if it is
/// relative and stays below the folder it starts in.
std::string path_problem(const std::string& path);

}  // namespace hanok::data
