// Statements and repetitions per second over the run, and when each finding was met.

const CHART = { left: 52, right: 12, top: 8, height: 96 };

function throughputSection(contents) {
  const { throughput } = contents;
  if (!throughput.buckets.length) return null;
  const figure = el("figure", { class: "curves" });
  whenSized(figure, (width) => figure.replaceChildren(...curves(contents, width)));
  return el("section", { id: "throughput", "aria-labelledby": "throughput-title" }, el("h2", { id: "throughput-title" }, "Over time"),
    el("p", { class: "lead" }, "Where there are few statements, the target waited, was restarted, or was being checked."),
    el("div", { class: "card pad" }, figure));
}

function curves(contents, width) {
  const { throughput, outcomes } = contents;
  const seconds = throughput.buckets.length * throughput.width_s;
  const x = (at) => CHART.left + (at / seconds) * (width - CHART.left - CHART.right);
  const statements = throughput.buckets.map(([, counts]) => counts.reduce((sum, each) => sum + each, 0) / throughput.width_s);
  const repetitions = throughput.buckets.map(([number]) => number / throughput.width_s);
  return [
    el("div", {}, el("h4", {}, "Statements per second, by outcome"), chart(width, seconds, x, Math.max(...statements), (y) => areas(throughput, outcomes, x, y))),
    el("div", {}, el("h4", {}, "Repetitions per second"), chart(width, seconds, x, Math.max(...repetitions), (y) => [line(throughput, repetitions, x, y)])),
    whenFound(contents, width, seconds, x),
  ].filter(Boolean);
}

function chart(width, seconds, x, most, inside) {
  const top = niceAbove(most);
  const y = (value) => CHART.top + CHART.height * (1 - value / top);
  const labels = [0, top / 2, top].flatMap((value) => [
    svg("line", { class: "grid", x1: CHART.left, x2: width - CHART.right, y1: y(value), y2: y(value) }), text(CHART.left - 8, y(value) + 4, compact(value), "end")]);
  return svg("svg", { viewBox: `0 0 ${width} ${CHART.height + 30}`, role: "img", "aria-label": `Up to ${compact(most)} per second` }, ...labels, ...inside(y), ...times(width, seconds, x));
}

function times(width, seconds, x) {
  const step = niceAbove(seconds / Math.max(2, Math.floor(width / 140)));
  const labels = [];
  for (let at = 0; at <= seconds; at += step) labels.push(text(Math.min(x(at), width - 20), CHART.height + 26, `${compact(at)} s`, "middle"));
  return labels;
}

// The outcomes stacked, the worst at the bottom.
function areas(throughput, outcomes, x, y) {
  const under = throughput.buckets.map(() => 0);
  return [...outcomes.keys()].reverse().flatMap((outcome) => {
    const upper = throughput.buckets.map(([, counts], at) => under[at] + counts[outcome] / throughput.width_s);
    if (upper.every((value, at) => value === under[at])) return [];
    const path = `M${steps(throughput, upper, x, y)}L${steps(throughput, under, x, y).split("L").reverse().join("L")}Z`;
    upper.forEach((value, at) => (under[at] = value));
    return [svg("path", { class: `area ${outcomes[outcome]}`, d: path })];
  });
}

function steps(throughput, values, x, y) {
  return values.map((value, at) => `${x(at * throughput.width_s).toFixed(1)} ${y(value).toFixed(1)}L${x((at + 1) * throughput.width_s).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
}

const line = (throughput, values, x, y) => svg("path", { class: "run", d: `M${steps(throughput, values, x, y)}` });

function whenFound(contents, width, seconds, x) {
  const met = contents.findings.filter((finding) => contents.throughput.found_at[finding.id]);
  if (!met.length) return null;
  const rows = met.map((finding, row) => svg("g", {}, svg("line", { class: "grid", x1: CHART.left, x2: width - CHART.right, y1: row * 20 + 12, y2: row * 20 + 12 }),
    ...contents.throughput.found_at[finding.id].map((at) => svg("line", { class: `found-at ${SHORT[finding.severity]}`, x1: x(at), x2: x(at), y1: row * 20 + 5, y2: row * 20 + 19 })),
    svg("title", {}, `${finding.severity}: ${finding.title}`)));
  return el("div", {}, el("h4", {}, "When each finding was met"),
    svg("svg", { viewBox: `0 0 ${width} ${met.length * 20 + 4}`, role: "img", "aria-label": "When each finding was met" }, ...rows),
    el("ol", { class: "quiet", style: { "padding-left": "1.4rem", margin: 0 } }, met.map((finding) => el("li", {}, finding.title))));
}

function text(x, y, words, anchor) {
  return svg("text", { x, y, "text-anchor": anchor }, words);
}

function niceAbove(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((each) => each * power).find((each) => each >= value);
}

const compact = (value) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);
