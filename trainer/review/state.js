// The articles, what the person ticked, and the label file that comes of both. Knows nothing of how the page looks.
"use strict";

const block = document.getElementById("data");
const DIGEST = block.dataset.digest;
const { model, model_digest: modelDigest, base, labels, total, seed, articles } = JSON.parse(block.textContent);
const OPEN = -1; // the label of a tick that has none yet
const KEPT = labels.findIndex((label) => label.kept);
const PLACE = `trainer-review:${DIGEST}`;

// A row is a paragraph. Its status is "removed"; "spared" if it stays though its label is of what goes; else "kept".
const rows = [];
articles.forEach((article, number) => {
  article.rows = article.paragraphs.map(([text, label, probability, keep], index) => ({
    number: rows.length + index,
    article: number,
    index,
    text,
    label,
    probability: Math.round(probability * 100) / 100, // as shown, so that filters agree with what is seen
    status: keep ? (labels[label].kept ? "kept" : "spared") : "removed",
  }));
  rows.push(...article.rows);
});

const marks = new Map(); // row number → the right label, or OPEN
const said = new Map(); // article number → whether it was looked through, where the person said so
let storing = true; // whether the browser keeps the ticks
let exported = true; // whether the last label file has them all

function restore() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
    for (const [number, label] of kept.marks ?? [])
      if (rows[number] && (label === OPEN || labels[label])) marks.set(number, label);
    for (const [number, value] of kept.said ?? []) if (articles[number]) said.set(number, value === true);
    store();
  } catch {
    storing = false; // private windows, and browsers that give files no storage
  }
}

function store() {
  exported = false;
  if (!storing) return;
  try {
    localStorage.setItem(PLACE, JSON.stringify({ marks: [...marks], said: [...said] }));
  } catch {
    storing = false;
  }
}

// Say what is right for a row: a label, OPEN, or null to take the tick back.
function mark(row, label) {
  if (label === null) marks.delete(row.number);
  else marks.set(row.number, label);
  store();
}

function setDone(number, value) {
  said.set(number, value);
  store();
}

// An article with a tick counts as looked through unless the person says otherwise.
function isDone(number) {
  return said.get(number) ?? hasMarks(number);
}

function hasMarks(number) {
  return articles[number].rows.some((row) => marks.has(row.number));
}

// What a tick without further word means: a removed paragraph should stay, a spared one go; for a kept one nobody knows as what.
function usual(row) {
  return row.status === "removed" ? KEPT : row.status === "spared" ? row.label : OPEN;
}

function openTicks() {
  return [...marks.values()].filter((label) => label === OPEN).length;
}

// The article as a line of a label file, or null if nobody looked at it.
function labelled(article, number) {
  const own = article.rows;
  if (!own.length || !(isDone(number) || hasMarks(number))) return null;
  const name = (label) => (label === OPEN ? null : labels[label].name);
  const paragraphs = own.map((row) => ({
    text: row.text,
    label: marks.has(row.number) ? name(marks.get(row.number)) : isDone(number) ? name(row.label) : null,
  }));
  const corrected = own.filter((row) => marks.has(row.number)).map((row) => row.index);
  const { id, site, source } = article;
  return { id, site, source, reviewed: { model, model_digest: modelDigest, corrected }, paragraphs };
}

// All that was looked at, as JSON lines; JSON.stringify escapes what UTF-8 cannot hold.
function labelLines() {
  return articles.map(labelled).filter(Boolean).map((record) => JSON.stringify(record) + "\n");
}
