// The items behind a figure, in a dialog, each among its neighbours.

const { items, texts, articles } = data.examples;
const labelName = (k) => data.labels[k].name;

// Open the items that `wanted` names, of `total` that there are.
// wanted: {truth, label, site, group, name, wrong, lost}; what is absent does not matter.
function showItems(title, wanted, total) {
  const found = items.map((place, i) => [place, i]).filter(([place, i]) => matches(place, i, wanted)).map(([place]) => place);
  const right = wanted.truth !== undefined && wanted.truth === wanted.label;
  found.sort((one, other) => (right ? 1 : -1) * (sureness(one) - sureness(other)));
  const dialog = document.getElementById("items");
  const first = right ? "the least sure first" : "the surest first";
  const partly = found.length < total ? `${number(found.length)} of ` : "";
  put("items-title", title);
  put("items-count", `${partly}${plural(total, data.names.unit)}${partly && ", those that say most"}; ${first}.`);
  put("items-list", found.map(shown));
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

// One item: where it stands, its neighbours, and itself with the probabilities.
function shown(place) {
  const article = texts.article[place];
  const around = [];
  for (let at = place - 2; at <= place + 2; at++) {
    if (texts.article[at] === article && Math.abs(texts.number[at] - texts.number[place]) <= 2) around.push(at);
  }
  const position = `${data.names.unit} ${number(texts.number[place] + 1)} of ${number(articles.size[article])}`;
  return el(
    "article",
    { class: "item" },
    el("p", { class: "where" }, `${articles.site[article]} · ${articles.id[article]} · ${position}`),
    el("div", {}, around.map((at) => passage(at, at === place))),
    el("p", { class: "where" }, `probabilities: ${chances(place)}`),
  );
}

function passage(at, current) {
  const truth = texts.truth[at], label = texts.label[at];
  const verdict = truth < 0 ? "not labelled" : truth === label ? labelName(truth) : `${labelName(truth)}, taken for ${labelName(label)}`;
  const chip = el("span", { class: truth >= 0 && truth !== label ? "chip wrong" : "chip" }, verdict);
  if (truth >= 0) chip.style.setProperty("--own", data.labels[truth].colour);
  return el(
    current ? "blockquote" : "div",
    { class: current ? "passage current" : "passage" },
    chip,
    el("span", { dir: "auto" }, texts.text[at] || "(empty)"),
  );
}

function chances(place) {
  return texts.probability[place]
    .map((value, k) => [value, k])
    .sort((one, other) => other[0] - one[0])
    .slice(0, 4)
    .map(([value, k]) => `${labelName(k)} ${number(value / 1000, 3)}`)
    .join(", ");
}

document.getElementById("items-close").addEventListener("click", () => document.getElementById("items").close());
