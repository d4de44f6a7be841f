"use strict";
// Small helpers: elements, numbers, tables. Texts always become text nodes, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(3).filter((child) => child !== null && child !== undefined));
  return node;
}

function put(id, ...children) {
  document.getElementById(id).replaceChildren(...children.flat(3).filter(Boolean));
}

// ── numbers

const number = (value, digits = 0) =>
  value === null || Number.isNaN(value)
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const share = (part, whole) => (whole ? part / whole : null);
const percent = (value) => (value === null ? "–" : `${number(100 * value, Math.abs(value) < 0.1 ? 1 : 0)}\u00a0%`);
const digitsOf = (name) => (name === "news_lost_per_1000" ? 2 : 3);
const plural = (count, unit) => `${number(count)} ${unit}${count === 1 ? "" : "s"}`;
const signed = (value, digits) =>
  value === null ? "–" : `${value > 0 ? "+" : value < 0 ? "−" : "±"}${number(Math.abs(value), digits)}`;

function range([value, low, high], digits = 3) {
  return value === null ? "–" : `${number(value, digits)} (${number(low, digits)}–${number(high, digits)})`;
}

// A figure with its interval as a dot on a bar; `span` is what the bar's width stands for, `mark` a value to mark.
function whisker([value, low, high], span = [0, 1], mark = null) {
  const width = 120;
  const at = (x) => 4 + (width - 8) * Math.min(1, Math.max(0, (x - span[0]) / (span[1] - span[0] || 1)));
  if (value === null || low === null) return "";
  return svg(
    "svg",
    { class: "whisker", viewBox: `0 0 ${width} 16`, width, height: 16, "aria-hidden": "true" },
    svg("line", { class: "rail", x1: 4, x2: width - 4, y1: 8, y2: 8 }),
    mark === null ? null : svg("line", { class: "mark", x1: at(mark), x2: at(mark), y1: 1, y2: 15 }),
    svg("line", { class: "bar", x1: at(low), x2: at(high), y1: 8, y2: 8 }),
    svg("circle", { cx: at(value), cy: 8, r: 3.5 }),
  );
}

// ── tables

// A table; the first cell of each row is its header. Columns `from` up to `to` hold numbers.
function table(caption, head, rows, from = 1, to = Infinity) {
  const cell = (content, column, tag, scope) =>
    el(tag, { scope, class: column >= from && column < to ? "number" : null }, ...[content].flat().map((part) => part ?? "–"));
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el(
      "table",
      {},
      el("caption", {}, caption),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          head.map((title, i) => cell(title, i, "th", "col")),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((row) =>
          el(
            "tr",
            {},
            row.map((content, i) => cell(content, i, i ? "td" : "th", i ? null : "row")),
          ),
        ),
      ),
    ),
  );
}

function details(summary, ...children) {
  return el("details", {}, el("summary", {}, summary), ...children);
}

function button(text, click, attributes = {}) {
  return el("button", { type: "button", click, ...attributes }, text);
}
