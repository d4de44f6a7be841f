// From articles to elements. Texts reach the page as textContent alone, so whatever they hold is shown and nothing runs.
"use strict";

const FLAGS = {
  headline: "a paragraph at the start was spared",
  max_removed_share: "too much would have gone: the least sure removals were taken back",
  empty: "everything would have gone, so nothing went",
  unseen: "a paragraph was spared that the site has never shown elsewhere",
  drift: "what goes of this site has changed",
};
const byId = (id) => document.getElementById(id);
const figure = (number) => number.toLocaleString("en");
const counted = (number, noun) => `${figure(number)} ${noun}${number === 1 ? "" : "s"}`;
const percent = (part, whole) => `${(whole ? (100 * part) / whole : 0).toFixed(1)} %`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function checkbox(text, checked, className) {
  const label = make("label", className);
  const input = make("input");
  input.type = "checkbox";
  input.checked = checked;
  input.autocomplete = "off"; // a reload shows what is kept, not what the browser remembers
  label.append(input, ` ${text}`);
  return { label, input };
}

function showArticles() {
  const main = byId("articles");
  main.append(...articles.map(showArticle));
  rows.forEach(showMark);
}

function showArticle(article, number) {
  const own = article.rows;
  const section = make("article");
  section.id = `article-${number}`;
  section.dataset.article = number;
  section.tabIndex = -1;
  section.setAttribute("aria-labelledby", `title-${number}`);
  const heading = make("header");
  const title = make("h2");
  title.id = `title-${number}`;
  const place = `${figure(number + 1)} of ${figure(articles.length)}`;
  title.append(make("span", "place", place), make("bdi", "name", article.title || article.id));
  const { label, input } = checkbox("looked through", isDone(number), "done");
  input.className = "done-box";
  heading.append(title, details(article, own), label);
  const list = make("ol");
  list.append(...own.map(showRow));
  section.append(heading, own.length ? list : make("p", "none", "No paragraphs."));
  article.element = section;
  return section;
}

function details(article, own) {
  const gone = own.filter((row) => row.status === "removed");
  const size = (some) => some.reduce((sum, row) => sum + row.text.length, 0);
  const line = make("p", "details");
  const site = make(isLink(article.url) ? "a" : "bdi", "site", article.site);
  if (site.href !== undefined) {
    site.href = article.url;
    site.target = "_blank";
    site.rel = "noopener noreferrer nofollow";
    site.title = "Open the page in a new tab";
  }
  const removed = `${figure(gone.length)} of ${counted(own.length, "paragraph")} removed`;
  const share = `${removed}, ${percent(size(gone), size(own))} of the text`;
  const where = make("bdi", "where", article.where);
  line.append(site, make("span", "share", share), where);
  if (article.title) line.append(make("bdi", "id", article.id));
  for (const flag of article.flags) {
    const badge = make("span", "flag", `flag ${flag}`);
    badge.title = FLAGS[flag] ?? "";
    line.append(badge);
  }
  return line;
}

function isLink(text) {
  try {
    return ["http:", "https:"].includes(new URL(text).protocol);
  } catch {
    return false;
  }
}

function showRow(row) {
  const item = make("li", `row ${row.status}`);
  item.tabIndex = -1;
  item.dataset.row = row.number;
  if (row.status !== "kept") item.dataset.label = row.label;
  const text = make("p", "text");
  text.dir = "auto";
  text.append(row.status === "removed" ? make("del", "", row.text) : row.text);
  const verdict = make("p", "said");
  verdict.append(
    make("span", "status", row.status),
    make("span", "label", labels[row.label].name),
    make("span", "probability", row.probability.toFixed(2)),
  );
  const { label, input } = checkbox("wrong", false, "wrong");
  input.className = "wrong-box";
  const fix = make("div", "fix");
  fix.append(label);
  item.append(make("span", "index", row.index + 1), text, verdict, fix);
  row.element = item;
  return item;
}

// Bring a row's tick and choice of label in line with `marks`.
function showMark(row) {
  const label = marks.get(row.number);
  const ticked = label !== undefined;
  if (!ticked && !row.choice) return;
  row.element.classList.toggle("ticked", ticked);
  row.element.classList.toggle("open", label === OPEN);
  row.element.querySelector(".wrong-box").checked = ticked;
  if (!row.choice) {
    row.choice = make("select");
    row.choice.autocomplete = "off";
    row.choice.setAttribute("aria-label", `right label of paragraph ${row.index + 1}`);
    const options = labels.map(({ name }, number) => new Option(`is ${name}`, number));
    row.choice.append(new Option("choose its label", OPEN), ...options);
    row.element.querySelector(".fix").append(row.choice);
  }
  row.choice.hidden = !ticked;
  if (ticked) row.choice.value = label;
}

function showDone(number) {
  articles[number].element.querySelector(".done-box").checked = isDone(number);
  articles[number].element.classList.toggle("finished", isDone(number));
}

function showProgress() {
  const open = openTicks();
  const waits = open ? ` (${figure(open)} without a label)` : "";
  const done = articles.filter((_, number) => isDone(number)).length;
  const looked = `${figure(done)} of ${counted(articles.length, "article")} looked through`;
  byId("progress").textContent = `${looked} · ${figure(marks.size)} wrong${waits}`;
  byId("wrong-count").textContent = figure(marks.size);
}

let hiding;
function say(text) {
  const message = byId("message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => (message.hidden = true), 12000);
}
