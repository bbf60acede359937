// The page: header, sections, theme, printing.

const printing = [];
function onPrint(before, after) { printing.push([before, after]); }

function masthead(contents, sections) {
  const theme = el("button", { class: "button", type: "button", id: "theme", onclick: () => setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark") });
  document.getElementById("masthead").append(el("div", { class: "bar" }, el("span", { class: "mark" }, "racehound"),
    el("nav", { "aria-label": "Sections" }, sections.map((section) => el("a", { href: `#${section.id}` }, section.querySelector("h1, h2").dataset.short || section.querySelector("h2, h1").textContent))), theme));
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  palette = null;
  document.getElementById("theme").textContent = theme === "dark" ? "Light" : "Dark";
  document.getElementById("theme").setAttribute("aria-label", `Change to ${theme === "dark" ? "light" : "dark"} colours`);
  drawn.forEach((view) => (view.element.isConnected ? view.refresh() : drawn.delete(view)));
  if (heat) heat.draw();
}

function summarySection(contents) {
  const pairs = (rows) => el("dl", { class: "facts" }, rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  const all = contents.totals.reduce((sum, each) => sum + each, 0);
  return el("section", { id: "summary", "aria-labelledby": "summary-title" },
    el("h1", { id: "summary-title", "data-short": "Summary" }, contents.title), el("p", { class: "verdict" }, contents.verdict),
    el("div", { class: "summary" },
      el("div", { class: "card pad" }, el("h4", {}, "Run"), pairs(contents.facts)),
      el("div", { class: "card pad" }, el("h4", {}, "Settings"), pairs(contents.settings)),
      contents.commands.length === 0 ? null : el("div", { class: "card pad commands" }, contents.commands.map(([what, words]) => el("div", {}, el("h4", {}, what), command(words)))),
      el("div", { class: "card pad all" }, el("h4", {}, `${count(all, "statement")}`), stack(contents.outcomes, contents.totals),
        el("div", { class: "totals" }, contents.outcomes.map((outcome, at) => el("span", {}, swatch(outcome), `${outcome} ${grouped.format(contents.totals[at])}`, el("span", { class: "quiet" }, share(contents.totals[at], all))))))));
}

function plansSections(contents) {
  return contents.plans.map((plan, at) => el("section", { id: `plan-${at}`, "aria-label": plan.title }, el("h2", { "data-short": "Plan" }, "A whole plan"),
    el("article", { class: "card finding" }, timelineParts(plan, contents.outcomes, []))));
}

function begin() {
  const contents = JSON.parse(document.getElementById("contents").textContent);
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  document.documentElement.dataset.theme = preferred.matches ? "dark" : "light";
  const sections = [summarySection(contents), findingsSection(contents), ...plansSections(contents), statisticsSection(contents), throughputSection(contents), matrixSection(contents)].filter(Boolean);
  masthead(contents, sections);
  document.getElementById("page").replaceChildren(...sections);
  setTheme(document.documentElement.dataset.theme);
  preferred.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
  addEventListener("hashchange", () => { if (location.hash.startsWith("#finding-") && openFinding(location.hash.slice(9))) document.getElementById("findings").scrollIntoView(); });
  let before = "light";
  addEventListener("beforeprint", () => { before = document.documentElement.dataset.theme; printing.forEach(([prepare]) => prepare()); setTheme("light"); });
  addEventListener("afterprint", () => { printing.forEach(([, restore]) => restore()); setTheme(before); });
}

begin();
