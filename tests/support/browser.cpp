#include "tests/support/browser.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "hanok/apps/run/files.h"
#include "hanok/kernels/base/error.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

/// Stands first in the page's head: it watches, clicks once the page is there, and leaves what it
/// saw in an element that the browser prints with the page.
constexpr const char* kProbe = R"js(<script>
(function () {
  var seen = { problems: [], clicks: 0, result: "" };
  addEventListener("error", function (event) {
    seen.problems.push("error: " + (event.message || (event.target && event.target.outerHTML)));
  }, true);
  addEventListener("unhandledrejection", function (event) {
    seen.problems.push("rejected: " + event.reason);
  });
  addEventListener("securitypolicyviolation", function (event) {
    seen.problems.push("policy: " + event.violatedDirective + " " + event.blockedURI);
  });
  ["alert", "confirm", "prompt"].forEach(function (name) {
    window[name] = function () { seen.problems.push(name + " was called"); };
  });
  function examine() {
    var ids = {};
    document.querySelectorAll("[id]").forEach(function (one) {
      if (ids[one.id]) seen.problems.push("two elements have the id " + one.id);
      ids[one.id] = true;
    });
    document.querySelectorAll("a[href]").forEach(function (link) {
      var to = link.getAttribute("href");
      if (!/^(#|data:|blob:)/.test(to)) seen.problems.push("leads out: " + to);
      if (/^#./.test(to) && !ids[decodeURIComponent(to.slice(1))]) {
        seen.problems.push("leads nowhere: " + to);
      }
    });
    document.querySelectorAll("img").forEach(function (image) {
      if (!image.hasAttribute("alt")) seen.problems.push("a picture without a text");
      if (image.naturalWidth === 0) seen.problems.push("no picture: " + image.alt);
    });
    var width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > width) {
      var wide = Array.from(document.body.querySelectorAll("*")).filter(function (one) {
        return !one.closest(".scroll *, .chart *") && one.getBoundingClientRect().right > width + 1;
      });
      seen.problems.push("wider than the window: " + (wide[0] || document.body).outerHTML
                                                       .slice(0, 120));
    }
  }
  addEventListener("load", function () {
    var folded = document.querySelectorAll("details:not([open])");
    document.querySelectorAll("button, summary, a[href^='#'], input[type=checkbox]")
      .forEach(function (one) { seen.clicks++; one.click(); });
    folded.forEach(function (one) {
      if (!one.open) seen.problems.push("stays folded: " + one.textContent.slice(0, 40));
    });
    examine();
    try {
      seen.result = String((function () { SCRIPT })());
    } catch (error) {
      seen.problems.push("script of the test: " + error);
    }
    setTimeout(function () {
      performance.getEntriesByType("resource").forEach(function (entry) {
        if (!/^(data|blob):/.test(entry.name)) seen.problems.push("fetched: " + entry.name);
      });
      var out = document.createElement("pre");
      out.id = "what-the-probe-saw";
      out.textContent = JSON.stringify(seen);
      document.body.appendChild(out);
    }, 200);
  });
})();
</script>)js";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// What the command prints. It is ended after a minute.
std::string output_of(const std::string& command) {
  FILE* pipe = popen(("timeout 60 " + command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) throw IoError("cannot start " + command);
  std::string text;
  std::array<char, 65536> buffer{};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), n);
  }
  pclose(pipe);
  return text;
}

}  // namespace

std::string find_browser() {
  for (const char* name : {"chromium", "chromium-browser", "google-chrome"}) {
    const std::string found = output_of(std::string("which ") + name);
    if (!found.empty()) return found.substr(0, found.find('\n'));
  }
  return "";
}

BrowserReport open_in_browser(const std::string& path, const BrowserVisit& visit) {
  const std::string folder = binary_dir() + "/screenshots";
  const std::string scratch = fmt::format("{}/browser-{}", folder, getpid());
  std::filesystem::create_directories(scratch);
  std::string html = training::read_file(path);
  const std::size_t head = html.find("<head>");
  if (head == std::string::npos) throw FormatError(path + ": no <head>");
  html.insert(head + 6, replaced(kProbe, "SCRIPT", visit.script));
  training::write_file(scratch + "/probe.html", html);

  const std::string browser = fmt::format(
      "'{}' --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars "
      "--disable-extensions --no-first-run --user-data-dir='{}/profile' --window-size={},{} ",
      find_browser(), scratch, visit.width, visit.height);
  const std::string page = output_of(fmt::format(
      "{} --virtual-time-budget=4000 --dump-dom 'file://{}/probe.html'", browser, scratch));
  for (const auto& [theme, flag] : {std::pair("light", 1), std::pair("dark", 0)}) {
    output_of(fmt::format(
        "{} --blink-settings=preferredColorScheme={} --screenshot='{}/{}-{}.png' 'file://{}'",
        browser, flag, folder, visit.name, theme, std::filesystem::absolute(path).string()));
  }
  std::filesystem::remove_all(scratch);

  const std::string begin = "<pre id=\"what-the-probe-saw\">";
  const std::size_t at = page.find(begin);
  if (at == std::string::npos) throw IoError(path + ": the browser gave no answer");
  std::string json = page.substr(at + begin.size());
  json = json.substr(0, json.find("</pre>"));
  for (const auto& [from, to] : {std::pair("&lt;", "<"), std::pair("&gt;", ">"),
                                 std::pair("&nbsp;", "\xC2\xA0"), std::pair("&amp;", "&")}) {
    json = replaced(json, from, to);
  }
  const nlohmann::json seen = nlohmann::json::parse(json);
  return {
      .problems = seen.at("problems"), .clicks = seen.at("clicks"), .result = seen.at("result")};
}

}  // namespace hanok::test
