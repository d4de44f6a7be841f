// Charts by uPlot, in the page's colours, which follow the light or dark of the system; redrawn when that or the size changes.

const charts = new Set();
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4]];
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((draw) => draw()));

// Draw a chart into `host`.
//
// spec: {label, x, y: {label, range, format, splits}, lines: [{points: [[x, y], …], colour, dash, dots, ranges: [[low, high], …], name}],
// marks: [{x, y, shape: "disc" | "diamond" | "across", text}], height}. Returns a function that replaces the marks.
function chart(host, spec) {
  const frame = el("div", { class: "chart", role: "img", "aria-label": spec.label });
  let marks = spec.marks ?? [];
  let plot = null;
  host.append(frame);

  function draw() {
    plot?.destroy();
    const width = frame.clientWidth || 320;
    const ink = colour("ink"),
      grid = colour("rule"),
      font = "13px system-ui, sans-serif";
    const axis = ({ label, format, splits }, size, space) => ({
      stroke: ink,
      font,
      labelFont: font,
      label,
      labelSize: 24,
      size,
      space,
      splits: splits && (() => splits),
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1 },
      values: (_, splits) => splits.map((value) => (value === null ? "" : format ? format(value) : String(value))),
    });
    const options = {
      width,
      height: spec.height ?? 260,
      legend: { show: false },
      cursor: { show: false },
      padding: [12, 16, 0, 0],
      scales: { x: { time: false, range: () => spec.x.range }, y: { range: () => spec.y.range } },
      axes: [axis(spec.x, 34, 60), axis(spec.y, 52, 36)],
      series: [
        {},
        ...spec.lines.map((line) => ({
          stroke: colour(line.colour ?? "accent"),
          width: line.width ?? 2,
          dash: line.dash,
          spanGaps: true,
          points: { show: Boolean(line.dots), size: 7, fill: colour(line.colour ?? "accent") },
        })),
      ],
      hooks: { draw: [(u) => adorn(u, spec, marks)] },
    };
    const tables = spec.lines.map((line) => [line.points.map(([x]) => x), line.points.map(([, y]) => y)]);
    plot = new uPlot(options, uPlot.join(tables), frame);
  }

  draw();
  charts.add(draw);
  new ResizeObserver(([entry]) => {
    const width = Math.round(entry.contentRect.width);
    if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
  }).observe(frame);
  return (wanted) => {
    marks = wanted;
    plot.redraw(false);
  };
}

// Draw intervals, the lines' names at their ends, and marks.
function adorn(u, spec, marks) {
  const { ctx } = u,
    scale = devicePixelRatio;
  const at = (x, y) => [u.valToPos(x, "x", true), u.valToPos(y, "y", true)];
  ctx.save();
  ctx.font = `${13 * scale}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.lineWidth = 1.5 * scale;
  for (const line of spec.lines) {
    ctx.strokeStyle = ctx.fillStyle = colour(line.colour ?? "accent");
    (line.ranges ?? []).forEach(([low, high], i) => {
      const [x, top] = at(line.points[i][0], high),
        [, bottom] = at(line.points[i][0], low),
        cap = 3 * scale;
      ctx.beginPath();
      for (const [x1, y1, x2, y2] of [
        [x, top, x, bottom],
        [x - cap, top, x + cap, top],
        [x - cap, bottom, x + cap, bottom],
      ]) {
        ctx.moveTo(x1, y1);
        ctx.lineTo(x2, y2);
      }
      ctx.stroke();
    });
  }
  names(
    ctx,
    spec.lines.filter((line) => line.name).map((line) => [line, at(...line.points.at(-1))]),
    scale,
  );
  ctx.strokeStyle = ctx.fillStyle = colour("ink");
  for (const { x, y, shape, text } of marks) {
    if (shape === "across") across(u, ctx, x, text, scale);
    else disc(ctx, ...at(x, y), shape, 6 * scale);
  }
  ctx.restore();
}

// Names stand right of their line's end, apart from each other.
function names(ctx, ends, scale) {
  let above = -Infinity;
  ctx.textBaseline = "middle";
  for (const [line, [x, y]] of ends.sort((one, other) => one[1][1] - other[1][1])) {
    const place = Math.max(y, above + 15 * scale);
    ctx.fillStyle = colour("ink");
    ctx.fillText(line.name, x + 8 * scale, place);
    above = place;
  }
}

function across(u, ctx, x, text, scale) {
  const place = u.valToPos(x, "x", true),
    { top, height } = u.bbox;
  ctx.setLineDash([4 * scale, 4 * scale]);
  ctx.beginPath();
  ctx.moveTo(place, top);
  ctx.lineTo(place, top + height);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.textBaseline = "bottom";
  ctx.fillText(text, place + 5 * scale, top + height - 6 * scale);
}

function disc(ctx, x, y, shape, size) {
  ctx.beginPath();
  if (shape === "diamond") {
    ctx.moveTo(x, y - 1.3 * size);
    ctx.lineTo(x + 1.3 * size, y);
    ctx.lineTo(x, y + 1.3 * size);
    ctx.lineTo(x - 1.3 * size, y);
    ctx.closePath();
  } else ctx.arc(x, y, size, 0, 2 * Math.PI);
  ctx.fill();
  ctx.save();
  ctx.strokeStyle = colour("paper");
  ctx.stroke();
  ctx.restore();
}
