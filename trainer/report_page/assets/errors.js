// The items behind a figure, in a dialog, each among its neighbours.

const { items, texts, articles } = data.examples;
const labelName = (k) => data.labels[k].name;

// Open the items that `wanted` names, of `total` that there are.
// wanted: {truth, label, site, group, name, wrong, lost}; what is absent does not matter.
function showItems(title, wanted, total) {
  const found = items
    .map((place, i) => [place, i])
    .filter(([place, i]) => matches(place, i, wanted))
    .map(([place]) => place);
  const right = wanted.truth !== undefined && wanted.truth === wanted.label;
  found.sort((one, other) => (right ? 1 : -1) * (sureness(one) - sureness(other)));
  const dialog = document.getElementById("items");
  const first = right ? "the least sure first" : "the surest first";
  put("items-title", title);
  put("items-count", `${found.length < total ? `${number(found.length)} of ` : ""}${plural(total, data.names.unit)}, ${first}.`);
  put("items-list", runs(found).map(shown));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function matches(place, i, { truth, label, site, group, name, wrong, lost }) {
  if (lost && !texts.lost[place]) return false;
  if (truth !== undefined && texts.truth[place] !== truth) return false;
  if (label !== undefined && texts.label[place] !== label) return false;
  if (wrong && texts.truth[place] === texts.label[place]) return false;
  if (site !== undefined && articles.site[texts.article[place]] !== site) return false;
  return group === undefined || data.examples.group_names[group][data.examples.groups[group][i]] === name;
}

const sureness = (place) => Math.max(...texts.probability[place]);

// Join items that are neighbours of each other.
function runs(found) {
  const wanted = new Set(found),
    done = new Set(),
    out = [];
  const joined = (one, other) =>
    wanted.has(one) &&
    wanted.has(other) &&
    texts.article[one] === texts.article[other] &&
    texts.number[other] - texts.number[one] <= 2;
  for (const place of found) {
    if (done.has(place)) continue;
    let first = place,
      last = place;
    for (let step; (step = [1, 2].find((far) => joined(first - far, first)));) first -= step;
    for (let step; (step = [1, 2].find((far) => joined(last, last + far)));) last += step;
    const run = [];
    for (let at = first; at <= last; at++) if (wanted.has(at)) run.push(at);
    run.forEach((at) => done.add(at));
    out.push(run);
  }
  return out;
}

// A run of items: where it stands, its neighbours, and the items with their probabilities.
function shown(run) {
  const [first, last] = [run[0], run.at(-1)],
    article = texts.article[first];
  const around = [];
  for (let at = first - 2; at <= last + 2; at++) {
    if (
      texts.article[at] === article &&
      texts.number[at] >= texts.number[first] - 2 &&
      texts.number[at] <= texts.number[last] + 2
    )
      around.push(at);
  }
  const numbers = run.map((at) => number(texts.number[at] + 1)).join(", ");
  return el(
    "article",
    { class: "item" },
    el(
      "p",
      { class: "where" },
      `${articles.site[article]} · ${articles.id[article]}`,
      data.names.any ? "" : ` · ${data.names.unit} ${numbers} of ${number(articles.size[article])}`,
    ),
    around.map((at) => passage(at, run.includes(at))),
  );
}

function passage(at, current) {
  const truth = texts.truth[at],
    label = texts.label[at];
  const verdict =
    truth < 0 ? "not labelled" : truth === label ? labelName(truth) : `${labelName(truth)}, taken for ${labelName(label)}`;
  const chip = el("span", { class: truth >= 0 && truth !== label ? "chip wrong" : "chip" }, verdict);
  if (truth >= 0) chip.style.setProperty("--own", data.labels[truth].colour);
  const text = el("span", { dir: "auto" }, texts.text[at] || "(empty)");
  return current
    ? el("blockquote", { class: "passage current" }, chip, el("div", {}, text, el("p", { class: "where" }, chances(at))))
    : el("div", { class: "passage" }, chip, text);
}

function chances(place) {
  return texts.probability[place]
    .map((value, k) => [value, k])
    .sort((one, other) => other[0] - one[0])
    .filter(([value], rank) => rank < 4 && value >= 5)
    .map(([value, k]) => `${labelName(k)} ${number(value / 1000, 2)}`)
    .join(", ");
}

document.getElementById("items-close").addEventListener("click", () => document.getElementById("items").close());
