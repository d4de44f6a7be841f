// Two evaluations side by side.

const SIGNS = { better: "▲ better", worse: "▼ worse", unclear: "unclear" };
const SITES = 12;
const MAIN = ["macro_f1", "news_char_f1", "news_lost_per_1000", "junk_removed", "f1"];
const { differences, names, titles, labels, confusion, by_site: bySite } = data;
const change = ({ metric, difference: [value, low, high] }) =>
  value === null
    ? "–"
    : `${signed(value, digitsOf(metric))} (${signed(low, digitsOf(metric))} to ${signed(high, digitsOf(metric))})`;

// Both lists name the figures that matter most; the table has all.
function real() {
  const list = (verdict, title) => {
    const found = differences.filter((each) => each.verdict === verdict);
    const named = found.filter(({ metric }) => MAIN.includes(metric));
    return el(
      "div",
      { class: "card" },
      el("h3", {}, `${title}: ${number(found.length)} of ${plural(differences.length, "figure")}`),
      named.length
        ? el(
            "ul",
            {},
            named.map((each) => el("li", {}, `${each.title}: ${change(each)}`)),
          )
        : null,
    );
  };
  put("real", list("better", "▲ B is better"), list("worse", "▼ B is worse"));
}

// The whiskers of one kind of figure share a scale, so that their lengths can be compared.
function spanOf(metric) {
  const lost = metric === "news_lost_per_1000";
  const ends = differences
    .filter((each) => (each.metric === "news_lost_per_1000") === lost)
    .flatMap(({ difference }) => difference.slice(1));
  const most = Math.max(...ends.filter((end) => end !== null).map(Math.abs), 1e-9);
  return [-most, most];
}

function all() {
  const rows = differences.map((each) => {
    const digits = digitsOf(each.metric);
    return [
      each.title,
      range(each.first, digits),
      range(each.second, digits),
      change(each),
      whisker(each.difference, spanOf(each.metric), 0),
      el("span", { class: `verdict ${each.verdict}` }, SIGNS[each.verdict]),
    ];
  });
  put("all", table(`On ${plural(data.sites, "site")}`, ["", "A", "B", "B − A", "", "B is"], rows, 1, 4));
}

function matrices() {
  put(
    "confusion",
    confusion.map((counts, run) =>
      table(
        run ? "B" : "A",
        ["true \\ model says", ...labels],
        labels.map((label, i) => [label, ...counts[i].map((count) => number(count))]),
      ),
    ),
  );
}

function sites() {
  const part = (title, wanted) => {
    const rows = bySite
      .filter(({ errors: [before, after] }) => after < before === wanted)
      .slice(0, SITES)
      .map(({ site, items, errors }) => [site, number(items), ...errors.map((count) => number(count))]);
    return rows.length ? table(title, ["site", "labelled", "wrong in A", "wrong in B"], rows) : el("p", {}, `${title}: none.`);
  };
  put("sites", part("Fewer errors in B", true), part("More errors in B", false));
}

put(
  "runs",
  names.map((name, run) => [el("dt", {}, run ? "B" : "A"), el("dd", {}, `${name} (${titles[run]})`)]),
);
put("about", `${plural(data.sites, "site")}, ${plural(data.items, "labelled item")}.`);
put(
  "notes",
  data.notes.map((note) => el("li", {}, note)),
);
real();
all();
matrices();
sites();
