// The findings: a list of all, and the chosen one with its evidence.

const SHORT = { crash: "s-crash", corruption: "s-corruption", hang: "s-hang", "wrong result": "s-wrong", "internal error": "s-internal",
  "unexplained error": "s-unexplained", leak: "s-leak", "known weakness": "s-known" };
const TITLE = 200;
const drawn = new Set(); // timelines that are, or were, on the page: drawn anew when the theme changes

function severity(finding) {
  return el("span", { class: `severity ${SHORT[finding.severity]}` }, finding.severity);
}

function findingsSection(contents) {
  const section = el("section", { id: "findings", "aria-labelledby": "findings-title" }, el("h2", { id: "findings-title" }, "Findings"));
  if (!contents.findings.length) return append(section, el("p", { class: "lead" }, "No defect was found. That is no proof that there is none: see what was never put to the test below."));
  const place = el("div", { class: "place" });
  const buttons = contents.findings.map((finding) => el("button", { type: "button", onclick: () => open(finding) },
    severity(finding), el("span", { class: "name" }, finding.title), el("span", { class: "quiet" }, `met ${count(finding.count, "time")}${finding.needs_no_race ? " · no race needed" : ""} · ${finding.id}`)));
  function open(finding, focus = true) {
    buttons.forEach((button, at) => button.setAttribute("aria-current", String(contents.findings[at] === finding)));
    place.replaceChildren(findingCard(finding, contents));
    if (focus) {
      history.replaceState(null, "", `#finding-${finding.id}`);
      announce(`${finding.severity}: ${finding.title}`);
    }
  }
  openFinding = (id) => {
    const wanted = contents.findings.find((finding) => finding.id === id);
    if (wanted) open(wanted);
    return Boolean(wanted);
  };
  open(contents.findings.find((finding) => location.hash === `#finding-${finding.id}`) || contents.findings[0], false);
  onPrint(() => place.append(...contents.findings.filter((finding) => !place.querySelector(`[data-id="${finding.id}"]`)).map((finding) => findingCard(finding, contents))),
    () => place.replaceChildren(place.firstChild));
  return append(section, el("div", { class: "findings" }, el("ul", { class: "card list", "aria-label": "Findings, worst first" }, buttons.map((button) => el("li", {}, button))), place));
}

let openFinding = () => false;
const append = (parent, ...children) => (parent.append(...children), parent);

function findingCard(finding, contents) {
  const long = finding.title.length > TITLE;
  const facts = [
    ["met", `in ${count(finding.count, "repetition")}`], ["first met", finding.first_met || null], ["race", finding.serial_orders], ["replayed", finding.rate || null], ["seed", `${finding.seed}, repetition ${finding.repetition}`],
    ["oracle", finding.oracle], ["signature", finding.signature], ["id", finding.id],
  ].filter(([, value]) => value);
  const head = el("div", { class: "pad" }, severity(finding), el("h3", {}, long ? `${finding.title.slice(0, TITLE)}…` : finding.title),
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    long || finding.detail.length ? el("pre", { class: "detail" }, [...(long ? [finding.title] : []), ...finding.detail].join("\n")) : null,
    finding.consequences.length ? [el("h4", {}, "What follows from it"), el("ul", { class: "consequences" }, finding.consequences.map((line) => el("li", {}, line)))] : null);
  return el("article", { class: "card finding", "data-id": finding.id, "aria-label": `${finding.severity}: ${finding.title}` },
    head, smallest(finding), el("div", { class: "pad" }, el("h4", {}, "See it again"), command(finding.replay)),
    finding.timeline ? timelineParts(finding.timeline, contents.outcomes, finding.log) : logLines(finding.log), culprits(finding), texts(finding));
}

// What it was reduced to: the session and the statement of each turn, in order.
function smallest(finding) {
  if (!finding.smallest) return null;
  const { facts, lines, program } = finding.smallest;
  const items = lines.map(([session, sql]) => el("li", { style: { "padding-left": `${Math.max(0, session - 1) * 2}rem` } },
    el("span", { class: "quiet" }, session ? `session ${session}: ` : "setup: "), el("code", {}, sql)));
  return el("div", { class: "pad smallest" }, el("h4", {}, "Smallest program known"), el("p", {}, facts), el("ol", { class: "moves" }, items),
    program ? el("pre", { class: "text", tabindex: 0 }, program) : null);
}

// A timeline with its filters, the chosen statement, and the log.
function timelineParts(timeline, outcomes, lines) {
  const model = new Model(timeline, outcomes);
  const details = el("div", { class: "pad statement" });
  const log = timeline.span.lines.length ? new Log(timeline.span, (moment) => view.point(moment)) : null;
  const view = new Timeline(model, (number) => {
    details.replaceChildren(...statement(model, number));
    if (log && number >= 0) log.follow(model.start[number], model.end[number], model.get(number, "pid"));
  });
  drawn.add(view);
  const filters = new Filters(model, () => { if (view.selected >= 0 && !model.shown[view.selected]) view.choose(-1); view.refresh(); });
  const zoom = el("div", { class: "row" },
    el("button", { class: "button", type: "button", onclick: () => view.showWindow() }, timeline.window ? "Culprits" : "Start"),
    el("button", { class: "button", type: "button", onclick: () => view.showAll() }, "All"),
    el("button", { class: "button", type: "button", "aria-label": "Zoom in", onclick: () => view.zoom(1.6) }, "+"),
    el("button", { class: "button", type: "button", "aria-label": "Zoom out", onclick: () => view.zoom(1 / 1.6) }, "−"));
  details.replaceChildren(...statement(model, -1));
  queueMicrotask(() => view.choose(model.beginning()));
  return [
    el("div", { class: "pad" }, el("h4", {}, "Timeline"), el("p", { class: "quiet about" }, timeline.title), el("div", { class: "row between tools" }, filters.element, zoom)),
    view.element,
    el("div", { class: "pad legend" }, el("p", { class: "hint" }, "A line under a bar: a statement of the finding. The shaded stretch: where the culprits ran against each other. Stripes: waiting for another session."), keysHint()),
    el("div", { class: "beside" }, details, el("div", { class: "pad" }, el("h4", {}, "Server log"), log ? log.element : noLog(lines))),
  ];
}

function statement(model, number) {
  if (number < 0) return [el("h4", {}, "Statement"), el("p", { class: "quiet" }, "None is chosen.")];
  const outcome = model.outcomeOf(number);
  const facts = [
    ["session", model.sessionOf(number)], ["step", model.text(number, "step")], ["from", `${duration(model.start[number])}, for ${duration(model.end[number] - model.start[number])}`],
    ["process", model.get(number, "pid") || null], ["waited", model.get(number, "blocked") >= 0 ? `seen after ${duration(model.get(number, "blocked"))}` : null],
  ].filter(([, value]) => value !== null);
  const role = ["", "a statement of the finding", "showed the defect"][model.role[number]];
  return [
    el("h4", {}, `Statement ${number + 1} of ${model.size}`), el("pre", { "data-sql": true }, model.text(number, "sql")),
    el("p", { class: "row" }, swatch(outcome), outcome, role ? el("strong", {}, role) : null), el("pre", { "data-answer": true }, model.text(number, "answer")),
    el("dl", { class: "facts" }, facts.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
  ];
}

function noLog(lines) {
  return lines.length ? el("pre", { class: "text" }, lines.join("\n")) : el("p", { class: "quiet" }, "Nothing was logged meanwhile, or the log cannot be read.");
}

function logLines(lines) {
  return el("div", { class: "pad" }, el("h4", {}, "Server log"), noLog(lines));
}

function texts(finding) {
  const all = [["sessions.sql: the statements by session", finding.sessions], ...finding.files];
  return all.map(([name, text]) => el("details", { class: "pad" }, el("summary", {}, name), el("pre", { class: "text", tabindex: 0 }, text)));
}

function culprits(finding) {
  if (!finding.culprits.length) return null;
  const columns = [["", null], ["the statement that failed", null], ["what another session ran", null], ["with the error", "number"], ["without it", "number"]];
  const rows = finding.culprits.map(([certainty, failed, other, times, apart]) => el("tr", {}, el("td", {}, certainty),
    [failed, other].map((each) => el("td", {}, el("code", {}, each))), (certainty === "confirmed" ? ["", ""] : [grouped.format(times), grouped.format(apart)]).map((each) => el("td", { class: "number" }, each))));
  return el("div", { class: "pad" }, el("h4", {}, "Culprits"), el("div", { class: "scrolled" },
    el("table", {}, el("thead", {}, el("tr", {}, columns.map(([name, sort]) => el("th", { scope: "col", class: sort }, name)))), el("tbody", {}, rows))));
}
