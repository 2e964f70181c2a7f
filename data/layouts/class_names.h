// Class names that look alike. Private to this room.
#pragma once

#include <string>
#include <vector>

namespace hanok::data {

/// A warning for each pair of names that differ only in letter case, blanks at their ends or their
/// Unicode form: 'cat' and 'cat ' are probably one class.
std::vector<std::string> twin_warnings(const std::vector<std::string>& class_names);

/// The name among `known` that differs from `name` only so; empty if there is none.
std::string twin_of(const std::string& name, const std::vector<std::string>& known);

}  // namespace hanok::data
