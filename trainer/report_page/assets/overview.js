// The page's first sections; each function fills one.

const { report } = data;
const METRICS = { precision: "precision", recall: "recall", f1: "F1", average_precision: "average precision" };

function about() {
  const { articles, sites, unlabelled, digest } = report.data;
  const judged = report.support.reduce((all, count) => all + count, 0);
  put(
    "about",
    `${report.title}: ${plural(articles, "article")} of ${plural(sites, "site")}, ${plural(judged, `labelled ${data.names.unit}`)}. Data ${digest.slice(0, 12)}.`,
  );
  for (const name of ["unit", "kept", "rest"])
    document.querySelectorAll(`span.${name}`).forEach((span) => (span.textContent = data.names[name]));
  if (data.names.any) {
    put("likeliest-mark");
    put("shown-of-items", ": how the story of each begins and ends, without its residue");
  }
  const heading = document.getElementById("removal-title");
  heading.textContent = heading.textContent.trim().replace(/^./u, (letter) => letter.toUpperCase());
  put(
    "contents",
    [...document.querySelectorAll("main > section")].map((section) =>
      el("li", {}, el("a", { href: `#${section.id}` }, section.querySelector("h2").textContent)),
    ),
  );
}

function weakest() {
  if (!data.weaknesses.length) put("weakest-list", el("li", {}, "Nothing stands out."));
  else
    put(
      "weakest-list",
      data.weaknesses.map(({ title, text, section, show }) => {
        const heading = document.getElementById(`${section}-title`).textContent;
        const links = [el("a", { href: `#${section}` }, `See “${heading}”`)];
        if (show)
          links.push(button("Show them", () => showItems(title, show, countOf(show)), { "aria-label": `Show: ${title}` }));
        return el("li", {}, el("h3", {}, title), el("p", {}, text), el("p", { class: "links" }, links));
      }),
    );
}

// How many items there are of what `showItems` shows.
function countOf({ truth, label, site, group, name, lost }) {
  if (lost) return data.labels.reduce((all, { kept }, k) => all + (kept ? data.removal.chosen.items[k] : 0), 0);
  if (site !== undefined) return data.sites.find((row) => row.name === site).errors;
  if (group !== undefined) return data.groups.find(({ by }) => by === group).rows.find((row) => row.name === name).errors;
  const row = data.confusion.items[truth];
  return label === undefined ? row.reduce((all, count, k) => all + (k === truth ? 0 : count), 0) : row[label];
}

function headline() {
  put(
    "headline",
    data.headline.map(({ name, title, explained }) => {
      const figure = report.overall[name],
        lost = name === "news_lost_per_1000",
        digits = digitsOf(name);
      const limit = lost && data.limit !== null ? 1000 * data.limit : null;
      const end = lost ? Math.max(limit ?? 0, figure[2] ?? 0) * 1.2 : 1;
      return el(
        "div",
        { class: "card" },
        el("h3", {}, title),
        el("p", { class: "value" }, number(figure[0], digits)),
        el(
          "p",
          { class: "range" },
          figure[1] === null ? "no interval" : `${number(figure[1], digits)} to ${number(figure[2], digits)}`,
          whisker(figure, [0, end], limit),
        ),
        el("p", { class: "small" }, explained),
      );
    }),
  );
}

function labels() {
  const metrics = Object.keys(METRICS).filter((name) => report.per_label[name]);
  const rows = report.labels.map((name, k) => [
    name,
    data.labels[k].kept ? "stays" : "goes",
    number(report.support[k]),
    ...metrics.map((metric) => [range(report.per_label[metric][k]), whisker(report.per_label[metric][k])]),
  ]);
  put(
    "label-table",
    table(
      "Figures of each label, 95 % intervals over sites",
      ["label", "filter", `${data.names.unit}s`, ...metrics.map((name) => METRICS[name])],
      rows,
      2,
    ),
  );
  const host = document.getElementById("precision-recall");
  for (const { name, curve, likeliest, chosen, kept } of data.precision_recall) {
    const figure = el("figure", {}, el("figcaption", {}, name));
    host.append(figure);
    if (!curve.length) {
      figure.append(el("p", {}, `No ${data.names.unit} is ${name}.`));
      continue;
    }
    const marks = [
      [likeliest, "disc"],
      [chosen, "diamond"],
    ]
      .filter(([place]) => place)
      .map(([[x, y], shape]) => ({ x, y, shape }));
    chart(figure, {
      label: `Precision against recall of ${name}`,
      marks,
      x: { label: "recall", range: [0, 1.02] },
      y: { label: "precision", range: [0, 1.02] },
      lines: [{ points: curve.map(([recall, precision]) => [recall, precision]) }],
    });
    const point = (sign, what, place) =>
      place && el("li", {}, `${sign} ${what}: recall ${number(place[0], 2)}, precision ${number(place[1], 2)}`);
    figure.append(
      el(
        "ul",
        { class: "key" },
        point("●", "likeliest label", likeliest),
        point("◆", kept ? "what stays at the thresholds" : "what goes at its threshold", chosen),
      ),
      details(
        "Figures as a table",
        table(
          `${name}: precision against recall`,
          ["threshold", "recall", "precision"],
          curve
            .filter((_, i) => i % 10 === 0)
            .map(([recall, precision, threshold]) => [number(threshold, 3), number(recall, 3), number(precision, 3)]),
        ),
      ),
    );
  }
}
