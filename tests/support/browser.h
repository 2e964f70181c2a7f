// Opens pages in a headless Chromium, as a reader would: does anything fail, is anything fetched?
#pragma once

#include <string>
#include <vector>

namespace hanok::test {

/// The program, or "" where there is none: a test then skips and says so.
std::string find_browser();

struct BrowserVisit {
  /// Of the screenshots build/screenshots/NAME-light.png, NAME-dark.png.
  std::string name{};
  /// JavaScript that runs after everything has been clicked; what it returns is the visit's result.
  std::string script{};
  int width = 1100, height = 2400;
};

struct BrowserReport {
  /// Failing scripts, dialogs, violations of the page's policy, files that were fetched, links that
  /// lead out of the page or nowhere, equal ids, pictures that cannot be seen or have no text,
  /// details that stay folded when they are clicked, a page wider than the window.
  std::vector<std::string> problems{};
  int clicks = 0;
  std::string result{};
};

/// Clicks each button, summary, link within the page and checkbox, runs the script, and takes the
/// screenshots. Throws IoError where the browser does not answer.
BrowserReport open_in_browser(const std::string& path, const BrowserVisit& visit);

}  // namespace hanok::test
