#include "hanok/apps/label_errors/decisions_widget.h"

#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "hanok/apps/pages/html.h"
#include "hanok/apps/run/fnv_hash.h"

namespace hanok::label_errors {
namespace {

using pages::escape;

constexpr const char* kStyle = R"css(
.decide { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; position: sticky; top: 0;
  background: var(--paper); padding: .5rem 0; border-bottom: 1px solid var(--grid); z-index: 1; }
.decide button, .card button, .card select { font: inherit; color: var(--ink);
  background: var(--card); border: 1px solid var(--muted); border-radius: .3rem;
  padding: .2rem .6rem; }
kbd { border: 1px solid var(--grid); border-radius: .25rem; padding: 0 .35rem;
  background: var(--card); }
.cards { list-style: none; padding: 0; }
.card { display: grid; grid-template-columns: 150px 1fr; gap: .4rem 1rem; padding: .7rem;
  border: 1px solid var(--grid); border-left: .4rem solid var(--grid); border-radius: .4rem;
  margin: .6rem 0; scroll-margin-top: 4rem; }
.card > img, .card > .none { grid-row: span 4; border-radius: .2rem; }
.card > img { width: 150px; height: 150px; object-fit: contain; object-position: top; }
.card p { margin: 0; overflow-wrap: anywhere; }
.card .near { display: flex; flex-wrap: wrap; gap: .4rem; font-size: .75rem; }
.card .near span { width: 64px; overflow-wrap: anywhere; }
.card .near img { display: block; width: 64px; height: 64px;
  object-fit: cover; border-radius: .2rem; }
.card[data-action=keep] { border-left-color: var(--c2); }
.card[data-action=relabel] { border-left-color: var(--c1); }
.card[data-action=drop] { border-left-color: var(--c7); }
.card button[aria-pressed=true] { outline: 2px solid var(--accent); }
@media (max-width: 30rem) { .card { grid-template-columns: 1fr; } }
@media print { .decide, .card button, .card select { display: none; } }
)css";

constexpr const char* kScript = R"js(
(function () {
  "use strict";
  var cards = Array.from(document.querySelectorAll(".card"));
  var status = document.getElementById("decided");
  var key = "hanok-labels:" + document.getElementById("decisions").dataset.key;
  function madeBefore() {
    return JSON.parse(document.getElementById("decisions").dataset.made);
  }
  var decisions = madeBefore();
  try {
    decisions = JSON.parse(localStorage.getItem(key)) || decisions;
  } catch (error) { /* not allowed */ }
  function remember() {
    try {
      localStorage.setItem(key, JSON.stringify(decisions));
    } catch (error) { /* not allowed */ }
  }
  function show(card) {
    var made = decisions[card.dataset.path];
    if (made) card.dataset.action = made.action; else delete card.dataset.action;
    card.querySelectorAll("button[data-do]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(!!made && made.action === button.dataset.do));
    });
    if (made && made.action === "relabel") card.querySelector("select").value = made.to;
  }
  function count() {
    var numbers = { keep: 0, relabel: 0, drop: 0 };
    Object.keys(decisions).forEach(function (path) { numbers[decisions[path].action]++; });
    status.textContent = numbers.keep + " kept, " + numbers.relabel + " relabelled, " +
      numbers.drop + " dropped of " + cards.length + " shown";
  }
  function decide(card, action) {
    var to = card.querySelector("select").value;
    if (action === "relabel" && to === card.dataset.label) action = "keep";
    decisions[card.dataset.path] = { action: action, label: card.dataset.label,
      to: action === "relabel" ? to : "" };
    remember(); show(card); count();
  }
  function move(step) {
    var at = cards.indexOf(document.activeElement.closest(".card"));
    var next = cards[Math.max(0, Math.min(cards.length - 1, at + step))];
    if (next) next.focus();
    return next;
  }
  function field(text) {
    return /[",\n\r]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  function table() {
    var lines = ["path,label,action,new_label"];
    Object.keys(decisions).sort().forEach(function (path) {
      var made = decisions[path];
      lines.push([path, made.label, made.action, made.to].map(field).join(","));
    });
    return lines.join("\n") + "\n";
  }
  window.correctionsTable = table;
  function save() {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
    link.download = "corrections.csv";
    document.body.appendChild(link); link.click(); link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }
  function rows(text) {
    var all = [], row = [], cell = "", quoted = false;
    for (var i = 0; i < text.length; i++) {
      var c = text[i];
      if (quoted) {
        if (c === '"' && text[i + 1] === '"') { cell += '"'; i++; }
        else if (c === '"') quoted = false; else cell += c;
      } else if (c === '"') quoted = true;
      else if (c === ",") { row.push(cell); cell = ""; }
      else if (c === "\n") { row.push(cell); all.push(row); row = []; cell = ""; }
      else if (c !== "\r") cell += c;
    }
    if (cell !== "" || row.length) { row.push(cell); all.push(row); }
    return all;
  }
  document.getElementById("load").addEventListener("change", function (event) {
    var file = event.target.files[0];
    if (!file) return;
    file.text().then(function (text) {
      var all = rows(text);
      if (!all.length || all[0].slice(0, 4).join() !== "path,label,action,new_label") {
        status.textContent = file.name +
          " is no corrections.csv: its columns are not path, label, action, new_label";
        return;
      }
      all.slice(1).forEach(function (row) {
        if (row.length >= 4 && /^(keep|relabel|drop)$/.test(row[2])) {
          decisions[row[0]] = { label: row[1], action: row[2], to: row[3] };
        }
      });
      remember(); cards.forEach(show); count();
    });
  });
  document.getElementById("save").addEventListener("click", save);
  document.getElementById("forget").addEventListener("click", function () {
    decisions = madeBefore(); remember(); cards.forEach(show); count();
  });
  cards.forEach(function (card) {
    show(card);
    card.querySelectorAll("button[data-do]").forEach(function (button) {
      button.addEventListener("click", function () { decide(card, button.dataset.do); });
    });
    card.querySelector("select").addEventListener("change", function () {
      decide(card, "relabel");
    });
  });
  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(SELECT|INPUT)$/.test(event.target.tagName)) return;
    var card = document.activeElement.closest(".card");
    var action = { k: "keep", r: "relabel", d: "drop" }[event.key];
    if (event.key === "j" || event.key === "ArrowDown") { move(1); event.preventDefault(); }
    else if (event.key === "i" || event.key === "ArrowUp") { move(-1); event.preventDefault(); }
    else if (event.key === "s") save();
    else if (card && action) { decide(card, action); move(1); }
    else if (card && /^[1-9]$/.test(event.key)) {
      var select = card.querySelector("select");
      if (+event.key <= select.options.length) {
        select.selectedIndex = +event.key - 1;
        decide(card, "relabel"); move(1);
      }
    }
  });
  count();
})();
)js";

std::string picture_html(const pages::Picture& picture, const std::string& name) {
  return picture.bytes.empty() ? "<p class=\"none\">no picture</p>"
                               : pages::image_element(picture, name);
}

std::string class_choice(const RunPredictions& predictions, const Suspect& suspect) {
  std::string out = "<select aria-label=\"new label\">";
  for (std::size_t k = 0; k < predictions.class_names.size(); ++k) {
    const bool chosen = static_cast<std::int64_t>(k) == suspect.suggestion;
    out += fmt::format("<option value=\"{0}\"{1}>{0}</option>", escape(predictions.class_names[k]),
                       chosen ? " selected" : "");
  }
  return out + "</select>";
}

std::string near_html(const RunPredictions& predictions, const Suspect& suspect,
                      const ReadThumbnail& read) {
  constexpr std::size_t kShown = 4;
  if (suspect.neighbours.empty()) return "<p></p>";
  std::string out = "<div class=\"near\">";
  for (std::size_t n = 0; n < std::min(kShown, suspect.neighbours.size()); ++n) {
    const auto image = static_cast<std::size_t>(suspect.neighbours[n].image);
    const std::string& label =
        predictions.class_names[static_cast<std::size_t>(predictions.mean.labels[image])];
    out += fmt::format("<span>{}{}</span>",
                       picture_html(read(predictions.paths[image]), predictions.paths[image]),
                       escape(label));
  }
  return out + "</div>";
}

std::string card_html(const LabelsPage& content, std::size_t number, const ReadThumbnail& read) {
  const RunPredictions& predictions = content.predictions;
  const Suspect& suspect = content.suspects[number];
  const std::string& path = predictions.paths[static_cast<std::size_t>(suspect.image)];
  const auto name = [&](std::int64_t k) {
    return escape(predictions.class_names[static_cast<std::size_t>(k)]);
  };
  return fmt::format(
      "<li class=\"card\" tabindex=\"0\" data-path=\"{0}\" data-label=\"{1}\">\n{2}\n"
      "<p><strong>{3}. <bdi>{0}</bdi></strong></p>\n"
      "<p>labelled <b>{1}</b> (p {4:.2f}), suggested <b>{5}</b> (p {6:.2f}); {7:.0f}% of the runs "
      "agree{8}</p>\n{9}\n"
      "<p><button type=\"button\" data-do=\"keep\">keep</button> <button type=\"button\" "
      "data-do=\"relabel\">relabel</button> {10} <button type=\"button\" "
      "data-do=\"drop\">drop</button></p>\n</li>\n",
      escape(path), name(suspect.label), picture_html(read(path), path), number + 1,
      suspect.label_probability, name(suspect.suggestion), suspect.suggestion_probability,
      100 * suspect.agreement, suspect.counted ? "; counted as wrong" : "",
      near_html(predictions, suspect, read), class_choice(predictions, suspect));
}

/// The decisions that were made before, as the script keeps them: of each path an object.
std::string json_of(const MadeDecisions& made) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [path, decision] : made.of_path) {
    json[path] = {
        {"action", decision.action}, {"label", decision.label}, {"to", decision.new_label}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// "; decided: relabel to cat" of an image that was decided on before, else nothing.
std::string decided(const MadeDecisions& made, const std::string& path) {
  const auto found = made.of_path.find(path);
  if (found == made.of_path.end()) return {};
  const MadeDecision& decision = found->second;
  return fmt::format("; decided: {}{}", decision.action,
                     decision.new_label.empty() ? "" : " to " + decision.new_label);
}

std::string text_of(const LabelsPage& content) {
  constexpr std::size_t kShown = 30;
  const RunPredictions& predictions = content.predictions;
  const auto name = [&](std::int64_t k) {
    return predictions.class_names[static_cast<std::size_t>(k)];
  };
  std::string out;
  for (std::size_t i = 0; i < std::min({kShown, content.shown, content.suspects.size()}); ++i) {
    const Suspect& suspect = content.suspects[i];
    const std::string& path = predictions.paths[static_cast<std::size_t>(suspect.image)];
    out += fmt::format("{:>4}. {}: {} (p {:.2f}) -> {} (p {:.2f}), {:.0f}% agree{}\n", i + 1, path,
                       name(suspect.label), suspect.label_probability, name(suspect.suggestion),
                       suspect.suggestion_probability, 100 * suspect.agreement,
                       decided(content.made, path));
  }
  return out;
}

}  // namespace

pages::Widget decisions_widget(const LabelsPage& content, const ReadThumbnail& read) {
  training::FnvHash hash;  // of what is decided on: other data have decisions of their own
  for (const std::string& run : content.runs) hash.add(run + "\n");
  for (std::size_t i = 0; i < content.predictions.paths.size(); ++i) {
    hash.add(
        fmt::format("{}\n{}\n", content.predictions.paths[i], content.predictions.mean.labels[i]));
  }
  const std::string made = json_of(content.made);
  hash.add(made);  // what was decided in the browser continues these
  const std::string key = hash.hex();
  std::string html = fmt::format(
      "<p>Keys: <kbd>j</kbd> <kbd>&darr;</kbd> next, <kbd>i</kbd> <kbd>&uarr;</kbd> back, "
      "<kbd>k</kbd> keep, <kbd>r</kbd> relabel to the class in the box, <kbd>1</kbd>-<kbd>9</kbd> "
      "relabel to that class, <kbd>d</kbd> drop, <kbd>s</kbd> save. Decisions stay in this browser "
      "until they are saved as corrections.csv; <code>finetune --corrections "
      "corrections.csv</code> "
      "follows them.</p>\n"
      "<div class=\"decide\" id=\"decisions\" data-key=\"{}\" data-made=\"{}\"><button "
      "type=\"button\" "
      "id=\"save\">save corrections.csv</button><label>load <input type=\"file\" id=\"load\" "
      "accept=\".csv\"></label><button type=\"button\" id=\"forget\">{}</button>"
      "<span id=\"decided\" role=\"status\" aria-live=\"polite\"></span></div>\n"
      "<ol class=\"cards\">\n",
      escape(key), escape(made),
      content.made.of_path.empty() ? "forget all decisions" : "back to the loaded decisions");
  for (std::size_t i = 0; i < std::min(content.shown, content.suspects.size()); ++i) {
    html += card_html(content, i, read);
  }
  return {.html = html + "</ol>\n", .script = kScript, .style = kStyle, .text = text_of(content)};
}

}  // namespace hanok::label_errors
