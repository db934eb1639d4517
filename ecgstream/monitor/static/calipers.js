// Calipers: two points on the paper, what lies between them, and the same distance marched out. A point is a place in
// ms and a height in mV above the middle of a row, so that it stays at the signal whatever becomes of the screen.

import {LEFT} from "./paper.js";
import {say} from "./words.js";

const STEP_MS = 2, STEP_MV = 0.02, FAST = 10, NEAR_PX = 10;
const LINE = "#ffd24a", MARCH = "#8a7a3a";

export class Calipers {
  // `handles`: the two buttons; `out`: where it is read; `changed()`: to be drawn anew.
  constructor(paper, handles, out, changed) {
    Object.assign(this, {paper, handles, out, changed, points: [], isMarching: false, stretch: null, held: -1});
    handles.forEach((handle, n) => {
      handle.onkeydown = event => this.key(event, n);
    });
    const box = paper.box;
    box.addEventListener("pointerdown", event => this.down(event));
    box.addEventListener("pointermove", event => this.held >= 0 && this.move(event));
    for (const kind of ["pointerup", "pointercancel"]) box.addEventListener(kind, () => { this.held = -1; });
  }

  // Where they may stand: the stretch that is shown, or null: nothing stands still, and they are put away.
  over(stretch) {
    this.stretch = stretch;
    if (!stretch || this.points.some(({row}) => row >= this.paper.rows.length)) this.points = [];
    this.show();
  }

  toggle() {
    const {stretch, paper} = this;
    if (!stretch || !paper.rows.length) return;
    const ms = stretch.from + (stretch.to - stretch.from) / 3;
    this.points = this.points.length ? [] : [{ms, row: 0, mv: 0}, {ms: ms + 1000, row: 0, mv: 1}];
    this.show();
    if (this.points.length) this.handles[0].focus({preventScroll: true});
    this.changed();
  }

  march() {
    this.isMarching = !this.isMarching;
    this.changed();
  }

  // {ms, perMin, mv} from the first point to the second; null: there are none.
  get reading() {
    if (!this.points.length) return null;
    const [a, b] = this.points, ms = b.ms - a.ms;
    return {ms, perMin: 60_000 / Math.abs(ms), mv: (this.y(a) - this.y(b)) / this.paper.pxPerMv};
  }

  y({row, mv}) {
    return this.paper.rows[row].middle - mv * this.paper.pxPerMv;
  }

  key(event, n) {
    const fast = event.shiftKey ? FAST : 1, point = this.points[n];
    const moves = {ArrowLeft: [-STEP_MS, 0], ArrowRight: [STEP_MS, 0], ArrowUp: [0, STEP_MV], ArrowDown: [0, -STEP_MV]};
    if (!point || !(event.key in moves)) return;
    const [ms, mv] = moves[event.key];
    this.put(n, {...point, ms: point.ms + fast * ms, mv: point.mv + fast * mv});
    event.preventDefault();
    event.stopPropagation();
  }

  down(event) {
    if (!this.stretch || event.button || event.target.closest("button")) return this.grab(event);
    const point = this.at(event);
    const near = this.points.findIndex(one => Math.abs(one.ms - point.ms) * this.paper.pxPerMs < NEAR_PX);
    if (near < 0) this.points = [point, {...point}];
    this.hold(near < 0 ? 1 : near, event);
  }

  grab(event) {
    const n = this.handles.indexOf(event.target);
    if (n >= 0) this.hold(n, event);
  }

  hold(n, event) {
    this.held = n;
    this.paper.box.setPointerCapture(event.pointerId);
    this.move(event);
  }

  move(event) {
    this.put(this.held, this.at(event));
  }

  at(event) {
    const {paper, stretch} = this, box = paper.box.getBoundingClientRect(), y = event.clientY - box.top;
    const off = paper.rows.map(({middle}) => Math.abs(middle - y)), row = off.indexOf(Math.min(...off));
    const ms = stretch.from + (event.clientX - box.left - stretch.x) / paper.pxPerMs;
    return {ms, row, mv: (paper.rows[row].middle - y) / paper.pxPerMv};
  }

  // Points stay within what is in sight.
  put(n, point) {
    const {from, to} = this.stretch;
    this.points[n] = {...point, ms: Math.max(from, Math.min(to, point.ms))};
    this.show();
    this.changed();
  }

  show() {
    const {points, handles, out, paper, stretch, reading} = this;
    handles.forEach((handle, n) => {
      const point = points[n];
      handle.hidden = !point || point.ms < stretch.from || point.ms > stretch.to;
      if (handle.hidden) return;
      handle.style.left = `${paper.x(point.ms, stretch)}px`;
      handle.style.top = `${this.y(point)}px`;
    });
    out.textContent = reading ? say("calipers", {
      ms: Math.round(reading.ms), rate: Number.isFinite(reading.perMin) ? Math.round(reading.perMin) : "–",
      mv: reading.mv.toFixed(2),
    }) : "";
  }

  draw() {
    const {paper, points, stretch} = this;
    if (!points.length) return;
    const [a, b] = points.map(({ms}) => paper.x(ms, stretch)), apart = Math.abs(b - a);
    if (this.isMarching && apart > 3) {
      for (let x = a - Math.floor((a - LEFT) / apart) * apart; x < paper.width; x += apart) paper.upright(x, MARCH, [3, 3]);
    }
    for (const x of [a, b]) if (x >= LEFT) paper.upright(x, LINE);
    const pen = paper.marks;
    pen.strokeStyle = LINE;
    pen.beginPath();
    for (const y of points.map(point => this.y(point))) {
      pen.moveTo(Math.min(a, b) - 12, y);
      pen.lineTo(Math.max(a, b) + 12, y);
    }
    pen.stroke();
  }
}
