// The race matrix as a heat map: a row for X, a column for Y; the worst of what was tried; a cell opens its statements.

const CELL_COLOUR = { fine: "fine", blocked: "blocked", expected: "explained", "no race needed": "explained", "known weakness": "weak", unexplained: "unexplained", leak: "unexplained",
  internal: "internal", hang: "wrong", wrong: "wrong", corrupt: "wrong", crash: "lost" };
const CALM = 4; // outcomes that are no defects of a race: fine, blocked, expected, no race needed
const TRIAL = { x: 0, y: 1, meeting: 2, outcome: 3, schedule: 4, setup: 5, sessions: 6, reason: 7 };

class Heat {
  constructor(matrix, details, findings) {
    this.matrix = matrix;
    this.details = details;
    this.findings = new Map(findings.map((finding) => [finding.signature, finding.id]));
    this.at = [0, 0];
    this.meeting = -1;
    this.hidden = new Set();
    this.cells = new Map();
    for (const trial of matrix.trials) {
      const key = trial[TRIAL.x] * matrix.operations.length + trial[TRIAL.y];
      if (!this.cells.has(key)) this.cells.set(key, []);
      this.cells.get(key).push(trial);
    }
    this.size = Math.min(22, Math.max(11, Math.floor(900 / matrix.operations.length)));
    this.canvas = el("canvas", { tabindex: 0, role: "application", "aria-roledescription": "heat map",
      "aria-label": `Race matrix of ${count(matrix.operations.length, "operation")}. Arrow keys go from cell to cell; the cell's statements are shown beside the map.` });
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("click", (event) => this.choose(...[event.offsetY, event.offsetX].map((at) => Math.floor((at - this.margin) / this.size))));
    this.draw();
  }

  // A cell's trials that the filters leave, the worst first.
  of(x, y) {
    const all = this.cells.get(x * this.matrix.operations.length + y) || [];
    const left = all.filter((trial) => (this.meeting < 0 || trial[TRIAL.meeting] === this.meeting) && !this.hidden.has(trial[TRIAL.outcome]));
    return left.sort((one, other) => other[TRIAL.outcome] - one[TRIAL.outcome]);
  }

  draw() {
    const names = this.matrix.operations, ink = colours();
    const measure = document.createElement("canvas").getContext("2d");
    measure.font = `11px ${SANS}`;
    this.margin = Math.min(240, Math.max(...names.map((name) => measure.measureText(name).width)) + 14);
    const side = this.margin + names.length * this.size + 8;
    this.canvas.style.width = `${side}px`;
    const pen = sized(this.canvas, side, side);
    pen.font = `11px ${SANS}`;
    pen.textBaseline = "middle";
    names.forEach((name, at) => this.name(pen, ink, name, at));
    for (let x = 0; x < names.length; x++) for (let y = 0; y < names.length; y++) this.cell(pen, ink, x, y);
    pen.strokeStyle = ink.ink;
    pen.lineWidth = 2;
    pen.strokeRect(this.margin + this.at[1] * this.size, this.margin + this.at[0] * this.size, this.size, this.size);
  }

  name(pen, ink, name, at) {
    const middle = this.margin + at * this.size + this.size / 2;
    pen.fillStyle = ink.ink;
    pen.textAlign = "right";
    pen.fillText(name, this.margin - 6, middle, this.margin - 8);
    pen.save();
    pen.translate(middle, this.margin - 6);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "left";
    pen.fillText(name, 0, 0, this.margin - 8);
    pen.restore();
  }

  cell(pen, ink, x, y) {
    const [worst] = this.of(x, y);
    if (!worst) return;
    const [left, top] = [this.margin + y * this.size, this.margin + x * this.size];
    const outcome = CELL_COLOUR[this.matrix.outcomes[worst[TRIAL.outcome]]];
    pen.fillStyle = ink[outcome];
    pen.fillRect(left + 0.5, top + 0.5, this.size - 1, this.size - 1);
    pen.fillStyle = ink[`on-${outcome}`];
    pen.globalAlpha = worst[TRIAL.outcome] < CALM ? 0.45 : 1;
    pen.textAlign = "center";
    pen.fillText(this.matrix.letters[worst[TRIAL.outcome]], left + this.size / 2, top + this.size / 2 + 0.5, this.size - 2);
    pen.globalAlpha = 1;
  }

  key(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    this.choose(this.at[0] + step[0], this.at[1] + step[1]);
  }

  choose(x, y) {
    const last = this.matrix.operations.length - 1;
    if (x < 0 || y < 0 || x > last || y > last) return;
    this.at = [x, y];
    this.draw();
    this.showCell();
  }

  showCell() {
    const [x, y] = this.at, { operations, outcomes, shapes } = this.matrix, trials = this.of(x, y);
    announce(`${operations[x]} against ${operations[y]}: ${trials.length ? outcomes[trials[0][TRIAL.outcome]] : "not tried"}`);
    const heading = (letter, at) => el("p", {}, el("strong", {}, `${letter}: ${operations[at]} `), el("span", { class: "quiet" }, shapes[at]));
    this.details.replaceChildren(heading("X", x), heading("Y", y),
      ...(trials.length ? trials.map((trial, at) => this.trial(trial, at === 0)) : [el("p", { class: "quiet" }, "Not tried, or filtered out.")]));
  }

  trial(trial, open) {
    const { meetings, outcomes, reasons } = this.matrix, reason = reasons[trial[TRIAL.reason]], finding = this.findings.get(reason);
    const moves = this.moves(trial).map(([session, sql]) => el("li", { class: session === "Y" ? "y" : null }, el("span", { class: "quiet" }, `${session}: `), el("code", {}, sql)));
    return el("details", { open }, el("summary", {}, `${meetings[trial[TRIAL.meeting]]}: ${outcomes[trial[TRIAL.outcome]]}`), reason ? el("p", {}, reason) : null,
      finding ? el("p", {}, el("a", { href: `#finding-${finding}` }, `Finding ${finding}`)) : null, el("ol", { class: "moves" }, moves));
  }

  // The statements in the order in which they were let go.
  moves(trial) {
    const { texts } = this.matrix;
    const left = trial[TRIAL.sessions].map((number) => [...texts[number]]);
    const shown = texts[trial[TRIAL.setup]].map((sql) => ["setup", sql]);
    for (const session of trial[TRIAL.schedule]) if (left[session - 1].length) shown.push(["XY"[session - 1], left[session - 1].shift()]);
    return [...shown, ...left.flatMap((rest, session) => rest.map((sql) => ["XY"[session], sql]))];
  }
}

let heat = null;

function matrixSection(contents) {
  const { matrix } = contents;
  if (!matrix) return null;
  const details = el("div", { class: "pad details" });
  heat = new Heat(matrix, details, contents.findings);
  heat.showCell();
  const there = new Set(matrix.trials.map((trial) => trial[TRIAL.meeting]));
  const meetings = el("select", { class: "button", "aria-label": "How X and Y met", onchange: (event) => { heat.meeting = Number(event.target.value); heat.draw(); heat.showCell(); } },
    el("option", { value: -1 }, "Worst of all meetings"), matrix.meetings.map((meeting, at) => (there.has(at) ? el("option", { value: at }, meeting) : null)));
  const left = matrix.left_out.map(([reason, pairs]) => el("p", { class: "quiet" }, `${pairs ? count(pairs, "pair") : "Some"} not tried: ${reason}`));
  return el("section", { id: "matrix", "aria-labelledby": "matrix-title" }, el("h2", { id: "matrix-title" }, "Race matrix"),
    el("p", { class: "lead" }, "Each operation (row, X) against each other one (column, Y): the worst outcome of all trials. Choose a cell to see its statements."),
    el("div", { class: "card" }, el("div", { class: "pad row tools" }, meetings, legend(matrix), left), el("div", { class: "matrix" }, el("div", { class: "map pad" }, heat.canvas), details)));
}

function legend(matrix) {
  return [...matrix.outcomes.keys()].map((at) => {
    const outcome = matrix.outcomes[at], colour = CELL_COLOUR[outcome];
    const size = matrix.trials.reduce((sum, trial) => sum + (trial[TRIAL.outcome] === at), 0);
    return size ? el("button", { type: "button", class: "button chip", "aria-pressed": "true", onclick: (event) => {
      if (!heat.hidden.delete(at)) heat.hidden.add(at);
      event.currentTarget.setAttribute("aria-pressed", String(!heat.hidden.has(at)));
      heat.draw();
      heat.showCell();
    } }, el("span", { class: "swatch", style: { "--c": `var(--${colour})`, "--on": `var(--on-${colour})` }, "aria-hidden": "true" }, matrix.letters[at]), `${outcome} ${grouped.format(size)}`) : null;
  });
}
