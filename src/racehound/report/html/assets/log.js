// The server's log beside a timeline: a statement chosen there is marked here, and a line pointed at here is marked there.
// Only the lines in sight have elements.

const LINE = 20, SPARE = 10;

class Log {
  constructor(span, point) {
    this.lines = span.lines;
    this.point = point;
    this.near = new Set();
    this.space = el("div", { style: { position: "relative", height: `${this.lines.length * LINE}px` } });
    this.view = el("div", { class: "log", tabindex: 0, role: "region", "aria-label": `Server log, ${count(this.lines.length, "line")}` }, this.space);
    this.view.addEventListener("scroll", () => this.draw());
    const more = span.left_out ? el("p", { class: "quiet" }, `${count(span.left_out, "further line")} in server.log`) : null;
    this.element = el("div", {}, this.view, more);
    new ResizeObserver(() => this.draw(true)).observe(this.view);
  }

  draw(anew = false) {
    const first = Math.max(0, Math.floor(this.view.scrollTop / LINE) - SPARE);
    const last = Math.min(this.lines.length, Math.ceil((this.view.scrollTop + this.view.clientHeight) / LINE) + SPARE);
    if (!anew && this.first === first && this.last === last) return;
    [this.first, this.last] = [first, last];
    this.space.replaceChildren(...this.lines.slice(first, last).map((line, at) => this.line(line, first + at)));
  }

  line([moment, , text], number) {
    const failed = /\b(ERROR|FATAL|PANIC|panicked)\b/.test(text) ? " failed" : "";
    return el("div", {
      class: `line${this.near.has(number) ? " near" : ""}${failed}`, style: { top: `${number * LINE}px` }, title: text,
      onmouseenter: () => this.point(moment), onmouseleave: () => this.point(null),
    }, el("span", { class: "at" }, `${(moment / 1e3).toFixed(0)} ms`), text.replace(/\n/g, " ⏎ "));
  }

  // Mark what a session's process logged while a statement ran (the log counts milliseconds) and bring it into view.
  follow(start, end, pid) {
    this.near = new Set();
    let nearest = this.lines.findIndex(([moment]) => moment >= start - 1000);
    if (nearest < 0) nearest = this.lines.length - 1;
    this.lines.forEach(([moment, by], number) => { if (by === pid && moment >= start - 1000 && moment <= end + 1000) this.near.add(number); });
    const to = this.near.size ? Math.min(...this.near) : nearest;
    this.view.scrollTop = Math.max(0, to * LINE - this.view.clientHeight / 3);
    this.draw(true);
  }
}
