// The text of --help, fitted to the width of the terminal.
#pragma once

#include <cstddef>
#include <string>

namespace CLI {
class App;
}

#pragma GCC visibility push(default)
namespace hanok::training {

/// `text` in lines of at most `columns`, broken at blanks and behind '|'. Lines after a break are
/// indented by `indent` columns. A longer word stays whole.
std::string wrapped(const std::string& text, std::size_t columns, std::size_t indent);

/// From now on --help of `app` and its commands prints lines of at most `columns`.
void fit_help(CLI::App& app, std::size_t columns);

}  // namespace hanok::training
#pragma GCC visibility pop
