// ECG paper on a screen of 96 dpi: which lead stands where, the grid, and the traces, true to scale. Three canvases lie
// on each other: the paper, the ink of the traces, and the marks (beats, gaps, times, calipers).

import {LEADS} from "./leads.js";
import {PX_PER_MM} from "./sweep.js";
import {MISSING} from "./tape.js";
import {say} from "./words.js";

export const LEFT = Math.round(20 * PX_PER_MM), AXIS = 20;
const TWELVE = [["I", "aVR", "V1", "V4"], ["II", "aVL", "V2", "V5"], ["III", "aVF", "V3", "V6"], ["II"]];
const CODES = new Map([...LEADS].map(([code, name]) => [name, `${code}`]));
const LEAST_ROW_MM = 22, PULSE_MS = 200, PULSE_MM = 9;
const FINE = "#1d1a1c", COARSE = "#3a2b30", NAME = "#eef3f7", INK = "#4be38a", OFF = "#66727f", MARK = "#8ec2ff";
const BEATS = {N: "#9fb0c0", Q: "#9fb0c0", "/": "#a9b8ff", S: "#ffd24a", V: "#ff9a5c", F: "#ffd24a"};
const GAP = "#2a3138", FOOT = "#05080b", FONT = "system-ui, 'Noto Sans', 'Noto Sans CJK SC', sans-serif";

export class Paper {
  // `box`: what holds the three canvases, and is as large as they may be.
  constructor(box) {
    this.box = box;
    [this.ground, this.ink, this.marks] = [...box.querySelectorAll("canvas")].map(canvas => canvas.getContext("2d"));
    Object.assign(this, {speed: 25, gain: 10, isTwelve: false, rows: [], leads: [], width: 0, height: 0});
  }

  get pxPerMs() {
    return this.speed * PX_PER_MM / 1000;
  }

  get pxPerMv() {
    return this.gain * PX_PER_MM;
  }

  // How long is what there is room for, ms.
  get spanMs() {
    return Math.max(0, this.width - LEFT) / this.pxPerMs;
  }

  // Lays the paper out anew: for these leads, and the room that there is.
  lay(leads) {
    this.leads = leads;
    const {box} = this, rows = this.isTwelve ? this.twelve(leads) : leads.map(({key}) => [key]);
    this.width = box.clientWidth;
    const room = box.parentElement.clientHeight - AXIS, least = LEAST_ROW_MM * PX_PER_MM;
    const rowHeight = Math.max(least, Math.floor(room / Math.max(1, rows.length)));
    this.height = rowHeight * Math.max(1, rows.length) + AXIS;
    this.rows = rows.map((keys, i) => ({
      middle: (i + 0.5) * rowHeight, top: i * rowHeight, height: rowHeight,
      parts: keys.map((key, n) => {
        const share = (this.width - LEFT) / keys.length;
        return {key, name: this.name(key), from: LEFT + n * share, to: LEFT + (n + 1) * share, zero: NaN};
      }),
    }));
    box.style.height = `${this.height}px`;
    for (const pen of [this.ground, this.ink, this.marks]) {
      pen.canvas.width = Math.round(this.width * devicePixelRatio);
      pen.canvas.height = Math.round(this.height * devicePixelRatio);
      pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    }
    this.rule();
  }

  twelve(leads) {
    const known = new Set(leads.map(({key}) => key));
    return TWELVE.map(row => row.map(name => CODES.get(name))).filter((row, i) => i < 3 || known.has(row[0]));
  }

  // What a lead is called; of those without a name, by their number.
  name(key) {
    const known = LEADS.get(Number(key));
    if (known) return known;
    const [code, channel] = key.split(":");
    return `${LEADS.get(Number(code)) ?? "ECG"} ${Number(channel) + 1}`;
  }

  // The grid, the calibration pulse of each row, and the names of its leads.
  rule() {
    const pen = this.ground, {width, height} = this, foot = height - AXIS;
    pen.clearRect(0, 0, width, height);
    for (const [mm, colour] of [[1, FINE], [5, COARSE]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.beginPath();
      for (let n = 0, x = LEFT; x <= width; x = LEFT + ++n * mm * PX_PER_MM) line(pen, x, 0, x, foot);
      for (let n = 0, y = foot; y >= 0; y = foot - ++n * mm * PX_PER_MM) line(pen, LEFT, y, width, y);
      pen.stroke();
    }
    const known = new Set(this.leads.map(({key}) => key));
    for (const {middle, top, parts} of this.rows) {
      const begin = PULSE_MM * PX_PER_MM, end = begin + PULSE_MS * this.pxPerMs, high = middle - this.pxPerMv;
      pen.strokeStyle = NAME;
      pen.lineWidth = 1.4;
      pen.beginPath();
      pen.moveTo(begin - 6, middle);
      for (const [x, y] of [[begin, middle], [begin, high], [end, high], [end, middle], [end + 6, middle]]) pen.lineTo(x, y);
      pen.stroke();
      pen.font = `700 14px ${FONT}`;
      parts.forEach(({key, name, from}, n) => {
        pen.fillStyle = known.has(key) ? NAME : OFF;
        pen.fillText(known.has(key) ? name : `${name} –`, n ? from + 4 : 4, top + 16);
        if (n) pen.fillRect(from, middle - 14, 1, 10);
      });
    }
  }

  // Finds the base line of each lead from what lies between two places; only then it moves, so that nothing is bent.
  centre(tape, fromMs, toMs) {
    for (const {parts} of this.rows) {
      for (const part of parts) part.zero = tape.middle(part.key, fromMs, toMs);
    }
  }

  // The places that a part of a row shows of a stretch {from, to, x}, whose first place stands at x.
  times(part, {from, to, x}) {
    return [
      Math.max(from, from + (part.from - x) / this.pxPerMs), Math.min(to, from + (part.to - x) / this.pxPerMs),
    ];
  }

  clear(from = 0, to = this.width) {
    this.ink.clearRect(from, 0, to - from, this.height);
  }

  // Draws all leads of a stretch.
  draw(tape, stretch) {
    for (const {middle, parts} of this.rows) {
      for (const part of parts) {
        const [from, to] = this.times(part, stretch);
        if (to > from) this.trace(tape, part, middle, from, to, stretch);
      }
    }
  }

  trace(tape, part, middle, from, to, stretch) {
    const pen = this.ink, {pxPerMs, pxPerMv} = this, zero = Number.isNaN(part.zero) ? 0 : part.zero;
    let lastX = 0, lastY = 0, end = -1, of = null;
    pen.lineWidth = 1.4;
    pen.lineJoin = "round";
    tape.each(part.key, from, to, (piece, begin, stop, session) => {
      const {samples, first, rate, gain, offset} = piece, at = stretch.x - stretch.from * pxPerMs;
      // Where a channel has a rate of its own, rounding leaves a sample between two packets.
      const isNext = session === of && (begin === end || (begin === end + 1 && rate !== session.rate));
      const step = 1000 / rate * pxPerMs, x0 = at + session.originMs * pxPerMs;
      pen.strokeStyle = piece.isOff ? OFF : INK;
      pen.setLineDash(piece.isOff ? [4, 3] : []);
      pen.beginPath();
      let isDown = isNext && !Number.isNaN(lastY);
      if (isDown) pen.moveTo(lastX, lastY);
      for (let i = begin; i < stop; i++) {
        const value = samples[i - first];
        lastX = x0 + i * step;
        lastY = value === MISSING ? NaN : middle - ((value - offset) / gain - zero) * pxPerMv;
        if (value === MISSING) isDown = false;
        else {
          if (isDown) pen.lineTo(lastX, lastY);
          else pen.moveTo(lastX, lastY);
          isDown = true;
        }
      }
      pen.stroke();
      [end, of] = [stop, session];
    });
    pen.setLineDash([]);
  }

  // Draws what is known of a stretch besides its traces: gaps, electrodes off, changes, beats and times. Of a gap,
  // `isSure(from, to)` says whether there is no signal, or whether it may be that it only has not come here.
  annotate(tape, stretch, zone, isSure) {
    const beats = this.rows.find(({parts}) => parts.some(({key}) => key === CODES.get("II"))) ?? this.rows[0];
    for (const row of this.rows) {
      for (const part of row.parts) this.gaps(tape, stretch, row, part, isSure);
    }
    const rhythm = this.isTwelve ? this.rows.at(-1) : beats;
    if (rhythm) this.beats(tape, stretch, rhythm);
    this.changes(tape, stretch);
    this.ticks(tape, stretch, zone);
  }

  x(placeMs, {from, x}) {
    return x + (placeMs - from) * this.pxPerMs;
  }

  gaps(tape, stretch, {top, height, middle}, part, isSure) {
    const pen = this.marks, [from, to] = this.times(part, stretch);
    if (to <= from || !this.leads.some(({key}) => key === part.key)) return;
    for (const [begin, end] of tape.holes(part.key, from, to)) {
      const x = this.x(begin, stretch), width = this.x(end, stretch) - x;
      pen.fillStyle = GAP;
      pen.fillRect(x, top + height * 0.2, width, height * 0.6);
      const words = say(isSure(begin, end) ? "no_signal" : "not_here");
      pen.font = `12px ${FONT}`;
      if (width > pen.measureText(words).width + 8) this.word(words, x + 6, middle + 4, NAME);
    }
    let wasOff = false;
    tape.each(part.key, from, to, (piece, begin, _, {originMs}) => {
      const at = originMs + begin / piece.rate * 1000;
      if (piece.isOff && !wasOff) this.word(say("lead_off"), Math.max(this.x(at, stretch), part.from) + 6, middle + 18, "#ffd24a");
      wasOff = piece.isOff;
    });
  }

  beats(tape, stretch, {top}) {
    const pen = this.marks;
    pen.textAlign = "center";
    for (const [place, code] of tape.beats(stretch.from, stretch.to)) {
      const x = this.x(place, stretch);
      this.word(code, x, top + 14, BEATS[code] ?? NAME, code === "N" ? 400 : 700);
      pen.fillRect(x - 0.5, top + 18, 1, 5);
    }
    pen.textAlign = "left";
  }

  changes(tape, stretch) {
    for (const [place, what] of tape.changes(stretch.from, stretch.to)) {
      const x = this.x(place, stretch);
      this.upright(x, MARK, [6, 4]);
      this.word(what.map(one => say(`change.${one}`)).join(", "), x + 4, this.height - AXIS - 6, MARK, 700);
    }
  }

  // The times stand at the foot of what is in sight, wherever the paper is scrolled to.
  ticks(tape, stretch, zone) {
    const pen = this.marks, drift = tape.timeAt(stretch.from) - stretch.from;
    const {scrollTop, clientHeight} = this.box.parentElement;
    const foot = Math.min(this.height, scrollTop + clientHeight) - AXIS;
    const step = [1, 2, 5, 10].find(s => s * 1000 * this.pxPerMs > 110) * 1000;
    pen.fillStyle = FOOT;
    pen.fillRect(stretch.x, foot, (stretch.to - stretch.from) * this.pxPerMs, AXIS);
    for (let time = Math.ceil((stretch.from + drift) / 1000) * 1000; time - drift < stretch.to; time += 1000) {
      const x = this.x(time - drift, stretch), isNamed = time % step === 0;
      pen.fillStyle = BEATS.N;
      pen.fillRect(x, foot, 1, isNamed ? 6 : 3);
      if (isNamed) this.word(clock(time, zone), x + 3, foot + AXIS - 5, BEATS.N);
    }
  }

  upright(x, colour, dash = []) {
    const pen = this.marks;
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.setLineDash(dash);
    pen.beginPath();
    line(pen, x, 0, x, this.height - AXIS);
    pen.stroke();
    pen.setLineDash([]);
  }

  word(words, x, y, colour, weight = 400) {
    const pen = this.marks;
    pen.font = `${weight} 12px ${FONT}`;
    pen.fillStyle = colour;
    pen.fillText(words, x, y);
  }
}

function line(pen, x, y, toX, toY) {
  pen.moveTo(x, y);
  pen.lineTo(toX, toY);
}

const clocks = new Map();

// The time of the day in a zone.
export function clock(timeMs, zone) {
  if (!clocks.has(zone)) clocks.set(zone, new Intl.DateTimeFormat("en-GB", {timeStyle: "medium", timeZone: zone}));
  return clocks.get(zone).format(timeMs);
}

// The day in a zone, as one writes it in the page's language.
export function day(timeMs, zone) {
  const language = document.documentElement.lang;
  return new Date(timeMs).toLocaleDateString(language === "en" ? "en-GB" : language, {dateStyle: "medium", timeZone: zone});
}
