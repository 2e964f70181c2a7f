#include "hanok/apps/pages/html_parts.h"

namespace hanok::pages {

const char* const kPageStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f6f7f9; --ink: #1d2329; --muted: #5b6670; --grid: #d9dee3;
  --accent: #0a5c99; --good: #1c6b3c; --warn: #8a4b00; --warn-paper: #fff4e0;
  --find-paper: #e9f3fb; --heat: #0b62a8; --heat-ink: #ffffff;
  --c0: #0067a5; --c1: #c24e00; --c2: #007a59; --c3: #b0468c;
  --c4: #8a6d00; --c5: #2d8fc4; --c6: #6b4fbf; --c7: #555c63;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --card: #1e242a; --ink: #e8ecef; --muted: #a3aeb8; --grid: #39424b;
    --accent: #7cc0f5; --good: #7fd39b; --warn: #ffc069; --warn-paper: #33270f;
    --find-paper: #12293c; --heat: #6db6f2; --heat-ink: #0c1116;
    --c0: #6db6f2; --c1: #ff9a57; --c2: #4fcfa5; --c3: #ea8fca;
    --c4: #e0c050; --c5: #9bd8ff; --c6: #b9a4ff; --c7: #b4bcc4;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", Arial, sans-serif; }
header, main, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--grid); }
p { max-width: 48rem; margin: .6rem 0; overflow-wrap: anywhere; }
.subtitle { color: var(--muted); margin-top: 0; }
.finding, .warning { padding: .6rem .9rem; border-radius: .4rem; border-left: .3rem solid; }
.finding { background: var(--find-paper); border-color: var(--accent); }
.warning { background: var(--warn-paper); border-color: var(--warn); }
a { color: var(--accent); }
code { font: .92em ui-monospace, "DejaVu Sans Mono", monospace; background: var(--card);
  padding: .1em .15em; border-radius: .25rem; }
.option { white-space: nowrap; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .4rem .8rem; z-index: 2; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1rem; padding: 0;
  margin: .8rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: .8rem 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--grid); text-align: right;
  font-variant-numeric: tabular-nums; vertical-align: top; }
th { background: var(--card); }
td { white-space: nowrap; }
th.text, td.text, tbody th { text-align: left; white-space: normal; overflow-wrap: break-word;
  max-width: 28rem; }
tbody th { font-weight: 400; background: none; }
th button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0;
  padding: 0;
  cursor: pointer; text-align: inherit; }
th[aria-sort] button::after { content: "\a0\2195"; color: var(--muted); }
th[aria-sort=ascending] button::after { content: "\a0\2191"; color: var(--accent); }
th[aria-sort=descending] button::after { content: "\a0\2193"; color: var(--accent); }
figure { margin: 1rem 0; }
.chart > svg { max-width: 100%; height: auto; display: block; }
figcaption { font-weight: 600; margin-bottom: .3rem; max-width: 48rem; }
figcaption small { display: block; font-weight: 400; color: var(--muted); }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--accent); }
.gallery { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: .6rem 0;
  list-style: none; }
.gallery li { background: var(--card); border-radius: .4rem; padding: .35rem; font-size: .78rem;
  line-height: 1.35; overflow-wrap: anywhere; }
.gallery img { display: block; border-radius: .2rem; max-width: 100%; height: auto; }
.gallery b { font-weight: 600; display: block; margin-top: .2rem; }
footer { color: var(--muted); font-size: .85rem; padding-bottom: 2rem; margin-top: 2.5rem; }
/* Letters of a chart that is squeezed into a telephone are too small: it is moved instead. */
@media screen and (max-width: 40rem) {
  .chart { overflow-x: auto; } .chart > svg { max-width: none; }
}
@media (max-width: 30rem) {
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } th, td { padding: .2rem .4rem; }
}
@media print {
  nav, .skip, th button::after { display: none; }
  body { font-size: 10.5pt; background: #ffffff; color: #000000; }
  header, main, footer { max-width: none; padding: 0; }
  h2 { break-after: avoid; }
  figure, .gallery li, tr { break-inside: avoid; }
}
)css";

const char* const kPageScript = R"js(
(function () {
  "use strict";
  function value(row, column) {
    var text = row.cells[column].textContent.trim();
    var number = parseFloat(text.replace(/,/g, ""));
    return isNaN(number) || !/^[-+.0-9]/.test(text) ? text : number;
  }
  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  document.querySelectorAll("table.sortable th button").forEach(function (button) {
    button.addEventListener("click", function () {
      var head = button.parentElement, table = head.closest("table"), column = head.cellIndex;
      var down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("thead th").forEach(function (other) {
        other.setAttribute("aria-sort", "none");
      });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var body = table.tBodies[0];
      Array.from(body.rows)
        .map(function (row, i) { return { row: row, key: value(row, column), i: i }; })
        .sort(function (a, b) { return (down ? -1 : 1) * compare(a.key, b.key) || a.i - b.i; })
        .forEach(function (entry) { body.appendChild(entry.row); });
    });
  });
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (one) { one.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (one) { one.open = false; });
  });
})();
)js";

}  // namespace hanok::pages
