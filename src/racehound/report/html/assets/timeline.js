// A timeline that can be moved and zoomed with the wheel, by dragging, and with keys.

const KEYS = [["← →", "statements in time"], ["↑ ↓", "sessions"], ["e E", "errors"], ["+ −", "zoom"], ["0", "all"], ["c", "culprits"]];

class Timeline {
  // `select(number)` is called with the statement that is chosen; -1: none.
  constructor(model, select) {
    this.model = model;
    this.select = select;
    this.scale = new Scale(model.whole);
    this.painter = new Painter(model, this.scale);
    this.selected = -1;
    this.cursor = null;
    this.width = 0;
    this.strip = null;
    this.build();
    this.showWindow();
    whenSized(this.element, (width) => { this.width = width; this.strip = null; this.draw(); });
  }

  build() {
    this.overview = el("canvas", { class: "overview", "aria-hidden": "true" });
    this.frame = el("canvas", { class: "overview", "aria-hidden": "true" });
    this.lanes = el("canvas", {
      class: "lanes", tabindex: 0, role: "application", "aria-roledescription": "timeline",
      "aria-label": `Timeline of ${count(this.model.size, "statement")} by ${count(this.model.raw.sessions.length, "session")}. ` +
        "Left and right arrows go through the statements in time, up and down to other sessions, e to errors, plus and minus zoom, " +
        "0 shows all, c the culprits. The statement is shown below.",
    });
    this.tip = el("div", { class: "tip", "aria-hidden": "true" });
    this.strips = el("div", { style: { position: "relative" } }, this.overview, this.frame);
    this.frame.style.cssText = "position:absolute;inset:0;border-color:transparent";
    this.element = el("div", { class: "timeline" }, this.strips, el("div", { class: "scroll" }, this.lanes), this.tip);
    this.lanes.addEventListener("keydown", (event) => this.key(event));
    this.lanes.addEventListener("focus", () => { if (this.selected < 0) this.choose(this.model.beginning()); });
    this.lanes.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.lanes.addEventListener("pointerdown", (event) => this.grab(event));
    this.lanes.addEventListener("pointermove", (event) => this.hover(event));
    this.lanes.addEventListener("pointerleave", () => { this.tip.style.display = "none"; });
    this.frame.addEventListener("pointerdown", (event) => this.grabFrame(event));
  }

  draw() {
    if (this.pending || !this.width) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      performance.mark("timeline");
      if (!this.strip) this.strip = this.painter.overview(this.overview, this.width);
      this.drawFrame();
      this.painter.lanes(this.lanes, this.width, this.selected, this.cursor);
      performance.measure("timeline", "timeline");
    });
  }

  drawFrame() {
    const pen = sized(this.frame, this.width, OVERVIEW);
    const [from, to] = [this.strip.at(this.scale.from), this.strip.at(this.scale.to)];
    const range = this.model.raw.window;
    pen.fillStyle = colours()["window-edge"];
    if (range) pen.fillRect(this.strip.at(range[0]), OVERVIEW - 3, Math.max(2, this.strip.at(range[1]) - this.strip.at(range[0])), 3);
    pen.fillStyle = colours().halo;
    if (to - from < this.strip.right - this.strip.left - 1) pen.fillRect(from, 0, Math.max(to - from, 3), OVERVIEW);
  }

  refresh() {
    this.strip = null;
    this.draw();
  }

  showAll() { this.scale.show(...this.model.whole); this.draw(); }

  showWindow() {
    const range = this.model.raw.window;
    if (!range) return this.showAll();
    const margin = Math.max((range[1] - range[0]) * 0.6, 300);
    this.scale.show(range[0] - margin, range[1] + margin);
    this.draw();
  }

  zoom(factor, around = (this.scale.from + this.scale.to) / 2) { this.scale.zoom(factor, around); this.draw(); }

  choose(number) {
    this.selected = number;
    if (number >= 0) {
      this.reveal(number);
      announce(this.model.described(number));
    }
    this.select(number);
    this.draw();
  }

  // Bring a statement into view, with some of what is around it.
  reveal(number) {
    const [start, end] = [this.model.start[number], this.model.end[number]];
    if (start < this.scale.from || end > this.scale.to) {
      const width = Math.max(this.scale.width, Math.min((end - start) * 1.5, this.model.whole[1]));
      this.scale.show((start + end - width) / 2, (start + end + width) / 2);
    }
    const scroll = this.lanes.parentElement, top = AXIS + this.model.laneOf(number) * LANE;
    if (top < scroll.scrollTop || top + LANE > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top - scroll.clientHeight / 2;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.selected;
    const to = {
      ArrowRight: () => this.model.along(now, 1),
      ArrowLeft: () => (now < 0 ? -1 : this.model.along(now, -1)),
      ArrowDown: () => (now < 0 ? this.model.beginning() : this.model.across(now, 1)),
      ArrowUp: () => (now < 0 ? this.model.beginning() : this.model.across(now, -1)),
      Home: () => this.model.along(-1, 1),
      End: () => this.model.along(this.model.size, -1),
      e: () => this.model.nextError(now, 1),
      E: () => (now < 0 ? -1 : this.model.nextError(now, -1)),
    }[event.key];
    const does = {
      "+": () => this.zoom(1.6, this.middle()), "=": () => this.zoom(1.6, this.middle()), "-": () => this.zoom(1 / 1.6, this.middle()),
      0: () => this.showAll(), c: () => { this.showWindow(); this.choose(this.model.beginning()); }, Escape: () => this.choose(-1),
    }[event.key];
    if (!to && !does) return;
    event.preventDefault();
    if (does) return does();
    const next = to();
    if (next >= 0) this.choose(next);
  }

  middle() {
    return this.selected < 0 ? (this.scale.from + this.scale.to) / 2 : (this.model.start[this.selected] + this.model.end[this.selected]) / 2;
  }

  // With Ctrl (or a pinch) the wheel zooms, sideways (or with Shift) it moves; otherwise the page scrolls.
  wheel(event) {
    const aside = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY / 250), this.scale.moment(event.offsetX));
    else if (Math.abs(aside) > Math.abs(event.shiftKey ? 0 : event.deltaY)) this.move(aside);
    else return;
    event.preventDefault();
  }

  move(pixels) {
    this.scale.pan((pixels * this.scale.width) / (this.scale.right - this.scale.left));
    this.draw();
  }

  grab(event) {
    if (event.button) return;
    this.lanes.setPointerCapture(event.pointerId);
    let last = event.clientX, moved = 0;
    const move = (to) => { moved += Math.abs(to.clientX - last); this.move(last - to.clientX); last = to.clientX; };
    const drop = (end) => {
      this.lanes.removeEventListener("pointermove", move);
      if (end.type === "pointerup" && moved < 4) this.choose(this.under(end));
    };
    this.lanes.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) this.lanes.addEventListener(end, drop, { once: true });
  }

  grabFrame(event) {
    this.frame.setPointerCapture(event.pointerId);
    const [first, last] = this.model.whole;
    const to = (at) => {
      const moment = first + ((at.offsetX - this.strip.left) / (this.strip.right - this.strip.left)) * (last - first);
      this.scale.show(moment - this.scale.width / 2, moment + this.scale.width / 2);
      this.draw();
    };
    to(event);
    this.frame.addEventListener("pointermove", to);
    for (const end of ["pointerup", "pointercancel"]) this.frame.addEventListener(end, () => this.frame.removeEventListener("pointermove", to), { once: true });
  }

  // The bar under the pointer, or within a few pixels.
  under(event) {
    const lane = this.model.lanes[Math.floor((event.offsetY - AXIS) / LANE)];
    if (!lane || event.offsetX < this.scale.left) return -1;
    const moment = this.scale.moment(event.offsetX);
    const number = this.model.nearest(lane, moment);
    const off = Math.max(this.model.start[number] - moment, moment - this.model.end[number], 0);
    return (off * (this.scale.right - this.scale.left)) / this.scale.width < 6 ? number : -1;
  }

  hover(event) {
    const number = event.buttons ? -1 : this.under(event);
    const mark = number < 0 && !event.buttons ? this.markUnder(event) : null;
    this.tip.style.display = number < 0 && !mark ? "none" : "block";
    if (number < 0 && !mark) return;
    this.tip.textContent = mark || this.model.described(number);
    const top = event.offsetY - this.lanes.parentElement.scrollTop + OVERVIEW + 22;
    this.tip.style.top = `${top}px`;
    this.tip.style.left = `${Math.min(event.offsetX + 12, Math.max(8, this.width - this.tip.offsetWidth - 12))}px`;
  }

  markUnder(event) {
    const found = this.model.raw.marks.find(([moment]) => Math.abs(this.scale.x(moment) - event.offsetX) < 6);
    return found ? found[2] : null;
  }

  // A moment that the log is at.
  point(moment) {
    this.cursor = moment;
    this.draw();
  }
}

const keysHint = () => el("p", { class: "hint" }, KEYS.map(([keys, what]) => el("span", {}, keys.split(" ").map((key) => el("kbd", {}, key)), ` ${what}`)),
  "Ctrl + wheel zooms, dragging moves.");
