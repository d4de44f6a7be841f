// News lost against junk removed: the slider over the threshold, its figures and its place on the curve.

function removal() {
  const { thresholds, items, chars, chosen, total } = data.removal;
  const { unit, kept, rest } = data.names;
  const add = (counts, stays) => counts.reduce((sum, count, k) => sum + (data.labels[k].kept === stays ? count : 0), 0);
  const news = add(total.chars, true);
  const junk = add(total.chars, false);
  const figures = (gone) => ({
    lost: share(1000 * add(gone.chars, true), news),
    gone: share(add(gone.chars, false), junk),
    wrongly: add(gone.items, true),
    all: add(gone.items, true) + add(gone.items, false),
  });
  const own = figures(chosen);
  const steps = thresholds.map((_, step) =>
    figures({ items: items.map((row) => row[step]), chars: chars.map((row) => row[step]) }),
  );
  const within = steps.findIndex(({ lost, all }) =>
    data.limit === null ? all <= own.all : (lost ?? 0) <= 1000 * data.limit,
  );
  const limit = within < 0 ? thresholds.length - 1 : within;
  put(
    "removal-rule",
    data.names.any
      ? `One threshold for all: every ${unit} goes whose probability of ${rest} reaches it.`
      : `If one threshold held for all labels: a ${unit} goes where its likeliest label is one that goes, and the ` +
          "probability of that reaches the threshold. Safety valves are not counted.",
  );

  // Of equal losses the one at which most goes, which is the last in this order.
  const best = new Map(steps.map(({ lost, gone }) => [lost ?? 0, gone ?? 0]).reverse());
  const points = [...best].sort((one, other) => one[0] - other[0]);
  const most = Math.max(points.at(-1)[0], own.lost ?? 0, 1000 * (data.limit ?? 0)) * 1.1 || 1;
  // The little that is lost is what matters, so the axis is one of square roots.
  const place = ({ lost, gone }, shape) => ({ x: Math.sqrt(lost ?? 0), y: gone ?? 0, shape });
  const fixed = [place(own, "diamond")];
  if (data.limit !== null) fixed.unshift({ x: Math.sqrt(1000 * data.limit), shape: "across", text: "limit" });
  const mark = chart(document.getElementById("removal-chart"), {
    label: `Share of ${rest} characters removed against ${kept} characters lost per 1,000, at every threshold`,
    x: {
      label: `${kept} characters lost per 1,000 (root scale)`,
      range: [0, Math.sqrt(most)],
      splits: ticks(most).map(Math.sqrt),
      format: (root) => number(root ** 2, most < 5 ? 1 : 0),
    },
    y: { label: `${rest} characters removed`, range: [0, 1.02], format: (value) => `${number(100 * value)} %` },
    lines: [{ points: points.map(([lost, gone]) => [Math.sqrt(lost), gone]) }],
    marks: fixed,
    height: 320,
  });
  document.getElementById("removal-chart").append(
    el(
      "p",
      { class: "key" },
      data.names.any
        ? "● this threshold   ◆ the chosen one"
        : "● this threshold for all labels   ◆ the chosen thresholds, one a label",
    ),
    details(
      "Figures as a table",
      table(
        "What goes at some thresholds",
        ["threshold", `${kept} lost per 1,000`, `${rest} removed`],
        steps
          .map(({ lost, gone }, step) => [number(thresholds[step], 4), number(lost, 2), percent(gone)])
          .filter((_, step) => step % 12 === 0),
      ),
    ),
  );

  const slider = document.getElementById("threshold");
  slider.max = thresholds.length - 1;
  slider.value = limit;
  slider.addEventListener("input", show);
  const back = document.getElementById("to-limit");
  back.textContent =
    data.limit === null ? "Start anew" : `Most removed within the limit of ${number(1000 * data.limit, 1)} per 1,000`;
  back.addEventListener("click", () => {
    slider.value = limit;
    show();
  });

  if (own.wrongly) {
    const title = `${kept} that the chosen thresholds remove`;
    const open = button(`Show the ${title}`, () => showItems(title, { lost: true }, own.wrongly), { id: "show-lost" });
    document.getElementById("removal-chart").append(el("p", {}, open));
  }

  function show() {
    const step = Number(slider.value),
      now = steps[step];
    put("threshold-value", number(thresholds[step], 4));
    slider.setAttribute(
      "aria-valuetext",
      `${number(thresholds[step], 4)}: ${number(now.lost, 2)} of 1,000 ${kept} characters lost, ${percent(now.gone)} of ${rest} removed`,
    );
    mark([...fixed, place(now, "disc")]);
    const row = (title, figure) => [title, figure(now), figure(own)];
    const ofTotal = (k, count) => `${number(count)} (${percent(share(count, total.items[k]))})`;
    const byLabel = data.labels.map(({ name, kept: stays }, k) => [
      stays ? `${name} (is kept)` : name,
      ofTotal(k, items[k][step]),
      ofTotal(k, chosen.items[k]),
    ]);
    put(
      "removal-figures",
      table(
        "What goes",
        ["", "this threshold", "chosen thresholds"],
        [
          row(`${kept} characters lost per 1,000`, ({ lost }) => number(lost, 2)),
          row(`${rest} characters removed`, ({ gone }) => percent(gone)),
          row(`${unit}s that go`, ({ all }) => number(all)),
          row("of these wrongly", ({ wrongly, all }) => `${number(wrongly)} (${percent(share(wrongly, all))})`),
        ],
      ),
      table(`${unit}s that go, by true label`, ["label", "this threshold", "chosen thresholds"], byLabel),
    );
  }

  show();
}

// Values for an axis of square roots from 0 to `most`.
function ticks(most) {
  const step = 10 ** Math.floor(Math.log10(most));
  return [0, 0.1, 0.5, 1, 2, 4, 6, 8].map((part) => part * step).filter((value) => value <= most);
}
