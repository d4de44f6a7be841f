// What happens on a click or a key.
"use strict";

const THEMES = { auto: "light dark", light: "light", dark: "dark" };
const KEYS = [
  ["j", "next removed paragraph", () => step(1, (row) => row.status === "removed", "removed paragraph")],
  ["k", "previous removed paragraph", () => step(-1, (row) => row.status === "removed", "removed paragraph")],
  ["J", "next paragraph, whatever became of it", () => step(1, () => true, "paragraph")],
  ["K", "previous paragraph, whatever became of it", () => step(-1, () => true, "paragraph")],
  ["n", "next article", () => stepArticle(1)],
  ["p", "previous article", () => stepArticle(-1)],
  ["w", "wrong, or not", () => withRow((row) => tick(row, !marks.has(row.number)))],
  ["d", "article looked through; go to the next", () => finish(true)],
  ["D", "article not looked through", () => finish(false)],
  ["c", "with context: the paragraphs around those that the filters find", () => byId("context").click()],
  ["e", "export labels", () => exportLabels()],
  ["t", "light or dark", () => nextTheme()],
  ["?", "this help", () => byId("help").showModal()],
];
let current = null; // the row the keys act on
let at = -1; // number of the article they act on

function go(row) {
  current?.element.removeAttribute("aria-current");
  current = row;
  at = row.article;
  row.element.setAttribute("aria-current", "true");
  row.element.focus({ preventScroll: true });
  row.element.scrollIntoView({ block: "center" });
}

// Go to the next row shown that passes, seen from the current one, else from the start of the article.
function step(direction, passes, noun) {
  const first = articles.slice(Math.max(at, 0)).find((article) => article.rows.length)?.rows[0].number ?? rows.length;
  const from = current ? current.number : direction > 0 ? first - 1 : first;
  for (let number = from + direction; rows[number]; number += direction)
    if (rows[number].shown && passes(rows[number])) return go(rows[number]);
  say(`No ${direction > 0 ? "further" : "earlier"} ${noun} is shown.`);
}

function stepArticle(direction) {
  for (let number = at + direction; articles[number]; number += direction) {
    const { shown, element } = articles[number];
    if (!shown) continue;
    current?.element.removeAttribute("aria-current");
    current = null;
    at = number;
    element.focus({ preventScroll: true });
    return element.scrollIntoView({ block: "start" });
  }
  say(`No ${direction > 0 ? "further" : "earlier"} article is shown.`);
}

function withRow(act) {
  if (!current || current.element.hidden) return say("Choose a paragraph first: j and k go through the removed ones.");
  act(current);
  if (marks.get(current.number) !== OPEN) current.element.focus({ preventScroll: true });
}

function tick(row, value, label = usual(row)) {
  mark(row, value ? label : null);
  showMark(row);
  showDone(row.article);
  showProgress();
  applyFilters();
  if (marks.get(row.number) === OPEN) row.choice.focus();
}

// A number key: the label is right for the row; a tick if that is news, and none if the model said so too.
function give(row, label) {
  const same = label === row.label && row.status !== "spared";
  if (same || marks.get(row.number) === label) tick(row, false);
  else tick(row, true, label);
}

function finish(value) {
  if (at < 0) return stepArticle(1);
  setDone(at, value);
  showDone(at);
  showProgress();
  if (value) stepArticle(1);
}

function exportLabels() {
  const lines = labelLines();
  if (!lines.length) return say("Nothing to export yet: tick what is wrong, or that an article is looked through.");
  const name = `review-${DIGEST.slice(0, 8)}.jsonl`;
  const link = make("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  exported = true;
  const open = openTicks();
  const waits = open ? ` Without a label, and exported so: ${counted(open, "tick")}.` : "";
  const next = `trainer train ${name} --base ${base} --out models/mine`;
  say(`${name}: ${counted(lines.length, "article")}, ${figure(marks.size)} wrong.${waits} Next: ${next}`);
}

function nextTheme() {
  const names = Object.keys(THEMES);
  const shown = names.find((name) => byId("theme").textContent.endsWith(name));
  setTheme(names[(names.indexOf(shown) + 1) % names.length]);
}

function setTheme(name) {
  document.documentElement.style.colorScheme = THEMES[name];
  byId("theme").textContent = `Theme: ${name}`;
  try {
    localStorage.setItem("trainer-review-theme", name);
  } catch {} // then it is for this time only
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.key === "Escape" && current) return current.element.focus({ preventScroll: true });
  const command = KEYS.find(([key]) => key === event.key);
  const label = labels[Number(event.key) - 1];
  if (command) command[2]();
  else if (label) withRow((row) => give(row, labels.indexOf(label)));
  else return;
  event.preventDefault();
}

function rowOf(element) {
  const item = element.closest(".row");
  return item && rows[item.dataset.row];
}

function onChange({ target }) {
  const row = rowOf(target);
  if (target.className === "wrong-box") tick(row, target.checked);
  else if (target.tagName === "SELECT") tick(row, true, Number(target.value));
  else if (target.className === "done-box") {
    const number = Number(target.closest("article").dataset.article);
    setDone(number, target.checked);
    showDone(number);
    showProgress();
  }
}

function onFocus({ target }) {
  const row = rowOf(target);
  if (row) {
    if (current !== row) current?.element.removeAttribute("aria-current");
    current = row;
    row.element.setAttribute("aria-current", "true");
  }
  const article = target.closest("article");
  if (article) at = Number(article.dataset.article);
}

function showAbout() {
  const removed = rows.filter((row) => row.status === "removed").length;
  const all = counted(total, "article");
  const sample = articles.length < total ? `${figure(articles.length)} of ${all}, drawn at random` : `all of ${all}`;
  byId("title").textContent = `What ${model} removes`;
  byId("about").textContent = `${sample} · ${figure(removed)} of ${counted(rows.length, "paragraph")}`;
  byId("about").title = `model ${modelDigest.slice(0, 12)}, seed ${seed}`;
  document.title = `What ${model} removes: ${sample}`;
  const keys = labels.slice(0, 9).map(({ name }, number) => [String(number + 1), `the right label is ${name}`]);
  for (const [key, meaning] of [...KEYS.map(([key, text]) => [key, text]), ...keys]) {
    const term = make("dt");
    term.append(make("kbd", "", /[A-Z]/.test(key) ? `Shift ${key}` : key));
    byId("keys").append(term, make("dd", "", meaning));
  }
  byId("kept-here").textContent = storing
    ? "Your ticks are kept in this browser, and are there when you open the page again."
    : "This browser keeps nothing for this page: export before you close it.";
}

restore();
showArticles();
showFilters();
showAbout();
articles.forEach((_, number) => showDone(number));
showProgress();
applyFilters();
try {
  const theme = localStorage.getItem("trainer-review-theme");
  if (THEMES[theme]) setTheme(theme);
} catch {} // no storage, no choice kept
document.addEventListener("keydown", onKey);
byId("articles").addEventListener("change", onChange);
byId("articles").addEventListener("focusin", onFocus);
byId("articles").addEventListener("click", ({ target }) => {
  if (!target.closest("input, label, select, a")) rowOf(target)?.element.focus({ preventScroll: true });
});
byId("export").addEventListener("click", exportLabels);
byId("theme").addEventListener("click", nextTheme);
byId("help-button").addEventListener("click", () => byId("help").showModal());
window.addEventListener("beforeunload", (event) => {
  if (!storing && !exported && marks.size + said.size) event.preventDefault();
});
new ResizeObserver(() => {
  document.documentElement.style.setProperty("--bar", `${byId("bar").offsetHeight}px`);
}).observe(byId("bar"));
