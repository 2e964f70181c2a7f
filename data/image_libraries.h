// The libraries that decode images here.
#pragma once

#include <map>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::data {

/// Name -> version, such as "libpng" -> "1.6.39"; of libjpeg-turbo and giflib the one that this
/// build was compiled with, of the others the one that is loaded.
std::map<std::string, std::string> image_libraries();

}  // namespace hanok::data
#pragma GCC visibility pop
