// The outcomes of each kind's steps. A step that never succeeded is a hole in the test: nothing after it was tested.

function statisticsSection(contents) {
  const rows = contents.statistics;
  const holes = rows.filter((row) => row.tries && !row.succeeded);
  const untried = rows.filter((row) => !row.tries);
  const body = el("tbody");
  const only = el("button", { class: "button", type: "button", "aria-pressed": "false", onclick: () => {
    const pressed = only.getAttribute("aria-pressed") !== "true";
    only.setAttribute("aria-pressed", String(pressed));
    fill(pressed ? [...holes, ...untried] : rows);
  } }, "Holes only");
  const fill = (shown) => body.replaceChildren(...shown.map((row) => statisticsRow(row, contents.outcomes)));
  fill(rows);
  const never = holes.length
    ? `${count(holes.length, "step")} of ${rows.length - untried.length} never succeeded. What comes after such a step was not put to the test: the hunt has a hole there.`
    : "Every sort of step that was tried succeeded at least once.";
  const undrawn = untried.length ? ` ${count(untried.length, "manipulation")} of the kinds that were drawn never were: a longer hunt draws more.` : "";
  return el("section", { id: "outcomes", "aria-labelledby": "outcomes-title" },
    el("h2", { id: "outcomes-title", "data-short": "Outcomes" }, "Outcomes by kind and step"), el("p", { class: "lead" }, never + undrawn),
    el("div", { class: "card" }, holes.length + untried.length ? el("div", { class: "pad row tools" }, only) : null,
      el("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": "Outcomes by kind and step" }, el("table", {},
        el("thead", {}, el("tr", {}, ["kind", "step", "tries", "succeeded", "statements", "most frequent errors"].map((name, at) =>
          el("th", { scope: "col", class: at === 2 || at === 3 ? "number" : null }, name)))), body))));
}

function statisticsRow(row, outcomes) {
  const succeeded = row.succeeded ? share(row.succeeded, row.tries) : el("span", { class: row.tries ? "hole" : "quiet" }, row.tries ? "never" : "not tried");
  return el("tr", {}, el("th", { scope: "row" }, row.kind), el("td", {}, row.step), el("td", { class: "number" }, grouped.format(row.tries)),
    el("td", { class: "number" }, succeeded), el("td", {}, row.tries ? stack(outcomes, row.outcomes) : null),
    el("td", { class: "errors" }, row.errors.slice(0, 3).map(([times, text]) => el("div", {}, `${grouped.format(times)} × ${text}`))));
}
