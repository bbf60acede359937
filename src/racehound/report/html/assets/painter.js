// Draws a model on canvases. Keys and pointers are handled in timeline.js.

const LANE = 30, BAR_HEIGHT = 18, AXIS = 26, OVERVIEW = 36;
const SANS = 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif';
const MONO = 'ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace';

const COLOURED = ["ok", "expected", "unexplained", "internal", "lost", "wrong", "fine", "blocked", "explained", "weak"];
let palette = null;

function colours() {
  if (!palette) {
    const style = getComputedStyle(document.documentElement);
    const names = ["surface", "sunken", "ink", "quiet", "line", "accent", "halo", "window", "window-edge", ...COLOURED, ...COLOURED.map((name) => `on-${name}`)];
    palette = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return palette;
}

function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) {
    [canvas.width, canvas.height] = [across, down];
    canvas.style.height = `${height}px`;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
}

const gutter = (width) => (width < 560 ? 52 : 104);

class Painter {
  constructor(model, scale) {
    this.model = model;
    this.scale = scale;
  }

  height() { return AXIS + Math.max(1, this.model.lanes.length) * LANE + 6; }

  // The lanes. `selected` and `cursor` (a moment, of the log) may be -1 and null.
  lanes(canvas, width, selected, cursor) {
    const pen = sized(canvas, width, this.height());
    const ink = colours();
    this.scale.place(gutter(width), width - 10);
    this.window(pen, ink);
    this.axis(pen, ink, width);
    this.model.lanes.forEach((lane, row) => this.lane(pen, ink, lane, row, width));
    this.marks(pen, ink);
    if (cursor !== null) this.upright(pen, cursor, ink.accent, [3, 3]);
    if (selected >= 0) this.selection(pen, ink, selected);
    this.names(pen, ink, width);
  }

  window(pen, ink) {
    const range = this.model.raw.window;
    if (!range) return;
    const [from, to] = range.map((moment) => Math.min(Math.max(this.scale.x(moment), this.scale.left - 2), this.scale.right + 2));
    if (to < this.scale.left || from > this.scale.right) return;
    pen.fillStyle = ink.window;
    pen.fillRect(from, AXIS, Math.max(2, to - from), this.height() - AXIS);
    pen.fillStyle = ink["window-edge"];
    pen.fillRect(from, AXIS - 3, Math.max(2, to - from), 3);
  }

  axis(pen, ink, width) {
    const { step, moments } = this.scale.ticks(width < 560 ? 70 : 110);
    pen.font = `11px ${SANS}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const moment of moments) {
      const x = Math.round(this.scale.x(moment)) + 0.5;
      pen.fillStyle = ink.line;
      pen.fillRect(x, AXIS, 1, this.height() - AXIS);
      pen.fillStyle = ink.quiet;
      const label = tickLabel(moment, step, this.scale.to);
      pen.fillText(label, Math.min(x, width - 4 - pen.measureText(label).width / 2), AXIS / 2 - 1);
    }
    for (const [, moment] of this.model.raw.repetitions) this.upright(pen, moment, ink.quiet, [1, 4]);
  }

  upright(pen, moment, colour, dash) {
    const x = this.scale.x(moment);
    if (x < this.scale.left || x > this.scale.right) return;
    pen.strokeStyle = colour;
    pen.setLineDash(dash);
    pen.beginPath();
    pen.moveTo(x, AXIS);
    pen.lineTo(x, this.height());
    pen.stroke();
    pen.setLineDash([]);
  }

  // Bars narrower than a pixel that fall on the same one are drawn once, as the worst of them.
  lane(pen, ink, lane, row, width) {
    const { model, scale } = this;
    const y = AXIS + row * LANE + (LANE - BAR_HEIGHT) / 2;
    pen.fillStyle = ink.line;
    pen.fillRect(scale.left, y + BAR_HEIGHT / 2, scale.right - scale.left, 1);
    let lastPixel = -1, lastWorst = -1;
    for (let at = model.firstFrom(lane, scale.from); at < lane.bars.length; at++) {
      const number = lane.bars[at];
      if (model.start[number] > scale.to) break;
      const left = Math.max(scale.x(model.start[number]), scale.left);
      const right = Math.min(scale.x(model.end[number]), width);
      const worst = model.outcome[number] + 8 * model.role[number];
      if (right - left < 1) {
        const pixel = Math.floor(left);
        if (pixel === lastPixel && worst <= lastWorst) continue;
        [lastPixel, lastWorst] = [pixel, worst];
      }
      this.bar(pen, ink, number, left, Math.max(right - left, 1.25), y);
    }
  }

  bar(pen, ink, number, left, width, y) {
    const { model } = this;
    const outcome = model.outcomeOf(number);
    pen.fillStyle = ink[outcome];
    if (width > 4) {
      pen.beginPath();
      pen.roundRect(left, y, width - 0.5, BAR_HEIGHT, 3);
      pen.fill();
    } else pen.fillRect(left, y, width, BAR_HEIGHT);
    if (model.role[number]) {
      pen.fillStyle = model.role[number] === ROLE.failed ? ink.wrong : ink["window-edge"];
      pen.fillRect(left, y + BAR_HEIGHT + 2, Math.max(width - 0.5, 1.25), 2.5);
    }
    const waited = model.get(number, "blocked");
    if (waited >= 0) this.waiting(pen, ink, number, waited, y);
    if (width > 14) this.label(pen, ink, number, left, width, y, SIGNS[outcome]);
  }

  // From where it was seen to wait, a bar is thin stripes.
  waiting(pen, ink, number, waited, y) {
    const from = this.scale.x(this.model.start[number] + waited), to = this.scale.x(this.model.end[number]);
    pen.fillStyle = ink.surface;
    for (let x = Math.max(from, this.scale.left); x < Math.min(to - 2, this.scale.right); x += 6) pen.fillRect(x, y + 3, 2.5, BAR_HEIGHT - 6);
  }

  label(pen, ink, number, left, width, y, sign) {
    pen.save();
    pen.beginPath();
    pen.rect(left, y, width - 5, BAR_HEIGHT);
    pen.clip();
    pen.fillStyle = ink[`on-${this.model.outcomeOf(number)}`];
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    if (sign) {
      pen.font = `700 11px ${SANS}`;
      pen.fillText(sign, left + 5, y + BAR_HEIGHT / 2 + 0.5);
    }
    if (width > 46) {
      pen.font = `11px ${MONO}`;
      pen.fillText(this.model.text(number, "sql").slice(0, 120).replace(/\s+/g, " "), left + (sign ? 16 : 5), y + BAR_HEIGHT / 2 + 0.5);
    }
    pen.restore();
  }

  marks(pen, ink) {
    for (const [moment, session] of this.model.raw.marks) {
      const row = this.model.lanes.findIndex((lane) => lane.session === session);
      const x = this.scale.x(moment);
      if (x < this.scale.left || x > this.scale.right) continue;
      const y = row < 0 ? AXIS : AXIS + row * LANE + 4;
      pen.fillStyle = ink.wrong;
      pen.beginPath();
      pen.moveTo(x - 5, y - 4);
      pen.lineTo(x + 5, y - 4);
      pen.lineTo(x, y + 4);
      pen.fill();
    }
  }

  selection(pen, ink, number) {
    const row = this.model.laneOf(number);
    if (row < 0) return;
    const left = Math.max(this.scale.x(this.model.start[number]), this.scale.left);
    const right = Math.min(this.scale.x(this.model.end[number]), this.scale.right);
    if (right < this.scale.left || left > this.scale.right) return;
    const y = AXIS + row * LANE + (LANE - BAR_HEIGHT) / 2;
    pen.fillStyle = ink.halo;
    for (const edge of [left, Math.max(right, left + 1)]) pen.fillRect(edge - 0.5, AXIS, 1, this.height() - AXIS);
    pen.strokeStyle = ink.surface;
    pen.lineWidth = 4;
    pen.strokeRect(left - 1.5, y - 1.5, Math.max(right - left, 2) + 3, BAR_HEIGHT + 3);
    pen.strokeStyle = ink.ink;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1.5, y - 1.5, Math.max(right - left, 2) + 3, BAR_HEIGHT + 3);
    pen.lineWidth = 1;
  }

  names(pen, ink, width) {
    const side = gutter(width);
    pen.fillStyle = ink.surface;
    pen.fillRect(0, AXIS, side - 4, this.height());
    pen.font = `12px ${MONO}`;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.fillStyle = ink.quiet;
    for (const [row, lane] of this.model.lanes.entries()) {
      pen.fillText(lane.name, side - 12, AXIS + row * LANE + LANE / 2, side - 16);
    }
    if (!this.model.lanes.length) {
      pen.textAlign = "left";
      pen.fillText("No statement passes the filters.", side, AXIS + LANE / 2);
    }
  }

  // How much was going on over the whole time, and which part of it the lanes show.
  overview(canvas, width) {
    const pen = sized(canvas, width, OVERVIEW);
    const ink = colours();
    const [left, right] = [gutter(width), width - 10];
    const columns = right - left;
    const [first, last] = this.model.whole;
    const at = (moment) => left + ((moment - first) / (last - first)) * columns;
    for (const [row, lane] of this.model.lanes.entries()) {
      const height = Math.max(1.5, (OVERVIEW - 10) / this.model.lanes.length - 1);
      const y = 5 + (row * (OVERVIEW - 10)) / this.model.lanes.length;
      const worst = new Int8Array(columns + 2).fill(-1);
      for (const number of lane.bars) {
        const end = Math.floor(at(this.model.end[number])) - left;
        for (let x = Math.floor(at(this.model.start[number])) - left; x <= end; x++) worst[x] = Math.max(worst[x], this.model.outcome[number]);
      }
      for (let x = 0; x <= columns; x++) {
        if (worst[x] < 0) continue;
        pen.fillStyle = ink[this.model.outcomes[worst[x]]];
        pen.fillRect(left + x, y, 1, height);
      }
    }
    return { left, right, at };
  }
}
