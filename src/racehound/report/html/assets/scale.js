// A stretch of time on a stretch of pixels.

const SHORTEST_US = 5;

class Scale {
  constructor(whole) {
    this.whole = whole;
    [this.from, this.to] = whole;
    this.left = 0;
    this.right = 1;
  }

  place(left, right) { [this.left, this.right] = [left, Math.max(left + 1, right)]; }
  x(moment) { return this.left + ((moment - this.from) / (this.to - this.from)) * (this.right - this.left); }
  moment(x) { return this.from + ((x - this.left) / (this.right - this.left)) * (this.to - this.from); }
  get width() { return this.to - this.from; }

  show(from, to) {
    const [first, last] = this.whole;
    const width = Math.min(Math.max(to - from, SHORTEST_US), last - first);
    const middle = (from + to) / 2;
    this.from = Math.min(Math.max(middle - width / 2, first), last - width);
    this.to = this.from + width;
  }

  // Zoom by a factor around a moment that stays where it is.
  zoom(factor, around) {
    const width = Math.min(Math.max(this.width / factor, SHORTEST_US), this.whole[1] - this.whole[0]);
    const before = (around - this.from) / this.width;
    this.show(around - before * width, around + (1 - before) * width);
  }

  pan(by) {
    const width = this.width;
    this.from = Math.min(Math.max(this.from + by, this.whole[0]), this.whole[1] - width);
    this.to = this.from + width;
  }

  // Round moments about `pixels` apart.
  ticks(pixels) {
    const rough = (this.width * pixels) / (this.right - this.left);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
    const moments = [];
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) moments.push(at);
    return { step, moments };
  }
}

// A tick's label, in the unit of the whole axis.
function tickLabel(moment, step, last) {
  const [size, unit] = last < 1e3 ? [1, "µs"] : last < 2e6 ? [1e3, "ms"] : [1e6, "s"];
  const digits = Math.max(0, Math.ceil(-Math.log10(step / size)));
  return `${(moment / size).toFixed(digits)} ${unit}`;
}
