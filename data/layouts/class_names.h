// The order of classes, and names that look alike. Private to this room.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace hanok::data {

/// In byte order, or in numerical order (2 before 10) if all are integers.
std::vector<std::string> ordered_labels(const std::set<std::string>& labels);

/// A warning for each pair of names that differ only in letter case, blanks at their ends or their
/// Unicode form: 'cat' and 'cat ' are probably one class.
std::vector<std::string> twin_warnings(const std::vector<std::string>& class_names);

/// The name among `known` that differs from `name` only so; empty if there is none.
std::string twin_of(const std::string& name, const std::vector<std::string>& known);

}  // namespace hanok::data
