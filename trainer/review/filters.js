// Which paragraphs are shown: by status, label, probability and tick; the counts beside each choice follow the other choices.
"use strict";

const STATUSES = {
  removed: "What the model removes",
  spared: "What stays although its label is of what goes: the model was not sure enough, or a safety valve acted",
  kept: "What stays",
};
const counts = new Map(); // name of a choice → its element

function choice(fieldset, group, value, text, hint) {
  const { label, input } = checkbox(text, true, "choice");
  input.name = group;
  input.value = value;
  input.defaultChecked = true;
  label.title = hint;
  const count = make("span", "count");
  counts.set(`${group}:${value}`, count);
  label.append(" ", count);
  byId(fieldset).append(label);
  return label;
}

function showFilters() {
  for (const [status, hint] of Object.entries(STATUSES)) choice("statuses", "status", status, status, hint);
  labels.forEach(({ name }, number) => {
    const label = choice("labels", "label", number, name, "Paragraphs that the model gives this label");
    label.dataset.label = number;
  });
  byId("filters").addEventListener("input", applyFilters);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", () => {
    byId("filters").reset();
    applyFilters();
  });
  byId("low").addEventListener("input", () => (byId("high").value = Math.max(byId("low").value, byId("high").value)));
  byId("high").addEventListener("input", () => (byId("low").value = Math.min(byId("low").value, byId("high").value)));
}

function chosen(group) {
  return new Set([...document.querySelectorAll(`input[name=${group}]:checked`)].map((input) => input.value));
}

function applyFilters() {
  const statuses = chosen("status");
  const names = chosen("label");
  const low = Number(byId("low").value);
  const high = Number(byId("high").value);
  const wrongOnly = byId("wrong-only").checked;
  const context = byId("context").checked;
  const tally = new Map([...counts.keys()].map((name) => [name, 0]));
  const add = (name) => tally.set(name, tally.get(name) + 1);
  const hits = new Array(articles.length).fill(0);
  for (const row of rows) {
    const inStatus = statuses.has(row.status);
    const inLabel = names.has(String(row.label));
    const rest = row.probability >= low && row.probability <= high && (!wrongOnly || marks.has(row.number));
    if (inLabel && rest) add(`status:${row.status}`);
    if (inStatus && rest) add(`label:${row.label}`);
    row.shown = inStatus && inLabel && rest;
    hits[row.article] += row.shown;
    row.element.hidden = !row.shown && !context;
    row.element.classList.toggle("around", !row.shown);
  }
  const all = rows.every((row) => row.shown);
  articles.forEach((article, number) => {
    article.shown = all || hits[number] > 0;
    article.element.hidden = !article.shown;
  });
  for (const [name, count] of counts) count.textContent = figure(tally.get(name));
  byId("low-value").textContent = low.toFixed(2);
  byId("high-value").textContent = high.toFixed(2);
  const shown = hits.reduce((sum, number) => sum + number, 0);
  const among = articles.filter((article) => article.shown).length;
  byId("shown").textContent = `${figure(shown)} of ${counted(rows.length, "paragraph")} in ${counted(among, "article")} shown`;
}
