// The page's further sections but the slider's; each function fills one.

const SITES = 12; // rows shown at once

function confusion() {
  const names = report.labels;
  const draw = () => {
    const by = document.querySelector("input[name=count]:checked").value,
      counts = data.confusion[by];
    const cell = (i, j) => {
      const all = counts[i].reduce((sum, count) => sum + count, 0),
        part = share(counts[i][j], all),
        count = data.confusion.items[i][j];
      const title = i === j ? `${names[i]}, found` : `${names[i]} taken for ${names[j]}`;
      const node = el(
        "button",
        {
          type: "button",
          class: i === j ? "cell right" : "cell",
          disabled: !count,
          "data-cell": `${names[i]}-${names[j]}`,
          click: () => showItems(title, { truth: i, label: j }, count),
          "aria-label": `${title}: ${number(counts[i][j])} ${by === "chars" ? "characters" : `${data.names.unit}s`}, ${percent(part)} of ${names[i]}`,
        },
        el("b", {}, number(counts[i][j])),
        el("span", {}, percent(part)),
      );
      node.style.setProperty("--share", `${Math.round(60 * (part ?? 0) ** 0.5)}%`);
      return node;
    };
    put(
      "confusion-table",
      table(
        "What is true, and what the model says",
        ["true \\ model says", ...names],
        names.map((name, i) => [name, ...names.map((_, j) => cell(i, j))]),
      ),
    );
  };
  document.querySelectorAll("input[name=count]").forEach((input) => input.addEventListener("change", draw));
  draw();
}

function calibration() {
  const host = document.getElementById("calibration-charts");
  for (const { name, bins, gap } of data.calibration) {
    const figure = el("figure", {}, el("figcaption", {}, `${name}: ${number(gap, 3)} off on average`));
    host.append(figure);
    chart(figure, {
      label: `Predicted probability of ${name} against how often it is so`,
      x: { label: "predicted probability", range: [0, 1.02] },
      y: { label: "observed share", range: [0, 1.02] },
      lines: [
        {
          points: [
            [0, 0],
            [1, 1],
          ],
          colour: "soft",
          dash: [6, 6],
          width: 1,
        },
        {
          points: bins.map(({ predicted, observed }) => [predicted, observed[0]]),
          ranges: bins.map(({ observed }) => observed.slice(1)),
          dots: true,
        },
      ],
    });
    figure.append(
      details(
        "Figures as a table",
        table(
          `${name}: calibration`,
          ["bin", `${data.names.unit}s`, "predicted", "observed"],
          bins.map((bin) => [
            `${number(bin.from, 1)}–${number(bin.to, 1)}`,
            number(bin.items),
            number(bin.predicted, 3),
            range(bin.observed),
          ]),
        ),
      ),
    );
  }
}

const ofAll = (part, whole) => (part ? `${number(part)} (${percent(share(part, whole))})` : "0");
const rate = (row) => percent(share(row.errors, row.items));
const commonest = ({ commonest: found }) =>
  found && `${labelName(found[0])} taken for ${labelName(found[1])} (${number(found[2])})`;
const opener = (row, title, wanted) =>
  row.errors
    ? button(number(row.errors), () => showItems(title, { ...wanted, wrong: true }, row.errors), {
        "aria-label": `${row.errors} errors: ${title}`,
      })
    : "0";

function groups() {
  put(
    "group-tables",
    data.groups.map(({ by, rows, all }) => [
      table(
        `By ${by}${all > rows.length ? `, ${rows.length} of ${all}` : ""}`,
        [by, `${data.names.unit}s`, "wrong", "share wrong", "characters wrong", "most often"],
        rows.map((row) => [
          row.name,
          number(row.items),
          opener(row, `Wrong, ${by}: ${row.name}`, { group: by, name: row.name }),
          rate(row),
          number(row.chars),
          commonest(row),
        ]),
        1,
        5,
      ),
    ]),
  );
}

function sites() {
  const { sites: count, half, errors } = data.concentration;
  put(
    "concentration",
    `Half of the ${plural(errors, "error")} are on ${number(half)} of ${plural(count, "site")}. First come the sites with the most errors beyond what the overall error rate makes of their size.`,
  );
  const { kept, rest, unit } = data.names;
  const head = ["site", `${unit}s`, "wrong", "share wrong", `${kept} characters lost`, `${rest} characters left`, "most often"];
  const rows = data.sites.map((row) => [
    row.name,
    number(row.items),
    opener(row, `Wrong on ${row.name}`, { site: row.name }),
    rate(row),
    ofAll(row.lost, row.kept),
    ofAll(row.left, row.rest),
    commonest(row),
  ]);
  const part = (caption, from, to) => table(caption, head, rows.slice(from, to), 1, 6);
  put(
    "site-table",
    part("Worst sites", 0, SITES),
    rows.length > SITES && details(`${rows.length - SITES} more`, part("Further sites", SITES)),
  );
}

function learning() {
  const { curve } = data;
  if (!curve) {
    put(
      "learning",
      el(
        "p",
        {},
        "Not measured. ",
        el("code", {}, "--curve curve.json"),
        data.names.any
          ? " measures it."
          : [" measures it, or shows what ", el("code", {}, "trainer labels curve --out curve.json"), " measured."],
      ),
    );
    return;
  }
  const last = curve.articles.at(-1) + curve.more,
    host = el("div");
  const other = curve.data.digest !== report.data.digest;
  const next = curve.labels.find(({ name }) => name === curve.best);
  put(
    "learning",
    el(
      "p",
      {},
      `F1 against the number of articles trained on${data.names.any ? "" : ", with small, quick settings unless others were given: it is the rise that counts"}. The last point is what a power law expects of ${number(curve.more)} articles more; most would gain ${next.name}: ${signed(next.gain[0], 3)}.`,
    ),
    other && el("p", { class: "warning" }, `Careful: measured on other labels (data ${curve.data.digest.slice(0, 12)}).`),
    host,
    details(
      "Figures as a table",
      table(
        "Learning curve",
        ["F1", ...curve.articles.map((count) => `${number(count)} articles`), `${number(last)}, expected`],
        curve.labels.map(({ name, f1, expected }) => [name, ...f1.map((figure) => range(figure)), range(expected)]),
      ),
    ),
  );
  chart(host, {
    label: "F1 against articles trained on",
    height: 340,
    x: { label: "articles trained on", range: [0, last * 1.25] },
    y: { label: "F1", range: [0, 1.02] },
    lines: curve.labels.map(({ name, f1, expected }, i) => ({
      points: [...f1.map(([value], at) => [curve.articles[at], value]), [last, expected[0]]],
      ranges: [...f1.map(([, low, high]) => [low, high]), expected.slice(1)],
      name,
      dots: true,
      dash: DASHES[i % DASHES.length],
      colour: `line-${i % 6}`,
    })),
    marks: [{ x: curve.articles.at(-1), shape: "across", text: "so far" }],
  });
}

function leakage() {
  if (!data.leaky) {
    put(
      "leakage-table",
      el(
        "p",
        {},
        "Not measured. ",
        el("code", {}, "--leakage"),
        " also splits at random, so that sites are on both sides: what that flatters is what a careless evaluation would promise.",
      ),
    );
    return;
  }
  const rows = data.headline
    .filter(({ name }) => data.leaky.overall[name])
    .map(({ name, title }) => {
      const honest = report.overall[name],
        leaky = data.leaky.overall[name],
        digits = digitsOf(name);
      return [
        title,
        range(honest, digits),
        range(leaky, digits),
        honest[0] === null || leaky[0] === null ? "–" : signed(leaky[0] - honest[0], digits),
      ];
    });
  put(
    "leakage-table",
    el(
      "p",
      {},
      "A random split has articles of one site on both sides, which flatters. The figures to trust are those of unseen sites.",
    ),
    table("Unseen sites beside a random split", ["figure", "sites unseen", "random split", "difference"], rows),
  );
}

function notes() {
  const threshold = (value) => (value > 1 ? "–" : number(value, 3));
  put(
    "thresholds",
    table(
      "Chosen thresholds",
      ["", ...report.labels],
      report.thresholds.map((row, i) => [report.thresholds.length > 1 ? `fold ${i + 1}` : "model", ...row.map(threshold)]),
    ),
  );
  const settings = Object.entries(data.settings).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
  put(
    "note-list",
    el("li", {}, `Settings that are not the defaults: ${settings.join(", ") || "none"}`),
    report.notes.map((note) => el("li", {}, note)),
    el("li", {}, `Digest of the data: ${report.data.digest}`),
  );
}
