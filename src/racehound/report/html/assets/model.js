// A timeline's bars as columns, with what is searched for in them.

const BAR = { session: 0, start: 1, duration: 2, outcome: 3, role: 4, sql: 5, answer: 6, step: 7, kind: 8, pid: 9, repetition: 10, blocked: 11 };
const ROLE = { bystander: 0, culprit: 1, failed: 2 };

class Model {
  constructor(timeline, outcomes) {
    this.raw = timeline;
    this.outcomes = outcomes;
    this.texts = timeline.texts;
    this.size = timeline.bars.length;
    this.start = Float64Array.from(timeline.bars, (bar) => bar[BAR.start]);
    this.end = Float64Array.from(timeline.bars, (bar) => bar[BAR.start] + bar[BAR.duration]);
    this.session = Int32Array.from(timeline.bars, (bar) => bar[BAR.session]);
    this.outcome = Uint8Array.from(timeline.bars, (bar) => bar[BAR.outcome]);
    this.role = Uint8Array.from(timeline.bars, (bar) => bar[BAR.role]);
    this.whole = [0, Math.max(1, ...[this.end.reduce((most, end) => Math.max(most, end), 0)])];
    this.shown = new Uint8Array(this.size).fill(1);
    this.shownCount = this.size;
    this.relane();
  }

  get(number, what) { return this.raw.bars[number][BAR[what]]; }
  text(number, what) { return this.texts[this.get(number, what)]; }
  sessionOf(number) { return this.raw.sessions[this.session[number]]; }
  outcomeOf(number) { return this.outcomes[this.outcome[number]]; }

  // Keep what `wanted(number)` says, and lanes with anything on them.
  filter(wanted) {
    this.shownCount = 0;
    for (let number = 0; number < this.size; number++) this.shownCount += this.shown[number] = wanted(number) ? 1 : 0;
    this.relane();
  }

  relane() {
    const bySession = this.raw.sessions.map(() => []);
    for (let number = 0; number < this.size; number++) if (this.shown[number]) bySession[this.session[number]].push(number);
    this.lanes = bySession.map((bars, session) => ({ session, name: this.raw.sessions[session], bars })).filter((lane) => lane.bars.length);
  }

  // The first of a lane's bars that ends at or after a moment. A lane's bars follow each other: a session does one thing at a time.
  firstFrom(lane, moment) {
    let low = 0, high = lane.bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.end[lane.bars[middle]] < moment) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  laneOf(number) { return this.lanes.findIndex((lane) => lane.session === this.session[number]); }

  // The next shown bar in time, of whatever session; -1 where there is none.
  along(number, step) {
    for (let next = number + step; next >= 0 && next < this.size; next += step) if (this.shown[next]) return next;
    return -1;
  }

  // The bar of a neighbouring lane that is nearest in time.
  across(number, step) {
    const lane = this.lanes[this.laneOf(number) + step];
    return lane ? this.nearest(lane, (this.start[number] + this.end[number]) / 2) : -1;
  }

  nearest(lane, moment) {
    const at = this.firstFrom(lane, moment);
    const candidates = [lane.bars[at - 1], lane.bars[at]].filter((bar) => bar !== undefined);
    const distance = (bar) => Math.max(this.start[bar] - moment, moment - this.end[bar], 0);
    return candidates.sort((one, other) => distance(one) - distance(other))[0];
  }

  // The next shown bar that is no success.
  nextError(number, step) {
    let next = this.along(number, step);
    while (next >= 0 && this.outcome[next] === 0) next = this.along(next, step);
    return next;
  }

  // Where a reader begins: at what failed, else at the first culprit that raced, else at the first of all.
  beginning() {
    const from = this.raw.window ? this.raw.window[0] : 0;
    const tests = [(at) => this.role[at] === ROLE.failed, (at) => this.role[at] === ROLE.culprit && this.start[at] >= from, () => true];
    for (const test of tests) {
      for (let number = 0; number < this.size; number++) if (this.shown[number] && test(number)) return number;
    }
    return -1;
  }

  described(number) {
    const answer = this.text(number, "answer").split("\n", 1)[0];
    const sql = this.text(number, "sql").replace(/\s+/g, " ");
    return `${this.sessionOf(number)}, statement ${number + 1} of ${this.size}, ${this.outcomeOf(number)}: ${sql} → ${answer}, ${duration(this.end[number] - this.start[number])}`;
  }
}
