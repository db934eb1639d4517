// Traces that sweep behind an erase bar, at 25 mm/s and 10 mm/mV on a screen of 96 dpi. All sectors of a wall share
// one canvas: a browser takes longer to show many small ones, whatever is drawn on them.
// All memory is taken when a wave's rate is first seen; a frame of the screen takes none.

export const PX_PER_MM = 96 / 25.4;
const PX_PER_S = 25 * PX_PER_MM, PX_PER_MV = 10 * PX_PER_MM, BAR_S = 0.16;
const HELD_S = 16, MISSING = -32768, LOOKED_AT = 48;
const ECG = 0, PLETH = 1, RESPIRATION = 3;
const COLOURS = {[ECG]: "#4be38a", [PLETH]: "#a9b8ff", [RESPIRATION]: "#d8d3c4"};
const OFF = "#66727f";
// How high a canvas must be for so many waves, px, and the share of each.
const LANES = [[0, [1]], [150, [0.62, 0.38]], [230, [0.5, 0.26, 0.24]]];
const KINDS = [ECG, PLETH, RESPIRATION];

// The newest samples of one wave, in its unit, in a ring; NaN is a gap.
export class Wave {
  constructor() {
    this.ring = new Float32Array(4096);
    this.clear();
  }

  clear() {
    Object.assign(this, {session: -1, rate: 0, code: 0, start: 0, end: 0, isOff: false});
  }

  take(session, wave) {
    if (session !== this.session || wave.rate !== this.rate) this.begin(session, wave);
    else if (wave.first > this.end) this.fill(wave.first);
    this.isOff = wave.isOff;
    const mask = this.ring.length - 1, skip = Math.max(0, this.end - wave.first);
    for (let i = skip; i < wave.samples.length; i++) {
      const step = wave.samples[i];
      this.ring[(wave.first + i) & mask] = step === MISSING ? NaN : (step - wave.offset) / wave.gain;
    }
    if (wave.code !== this.code && skip < wave.samples.length) this.ring[(wave.first + skip) & mask] = NaN;
    this.code = wave.code;
    this.end = Math.max(this.end, wave.first + wave.samples.length);
    this.start = Math.max(this.start, this.end - this.ring.length);
  }

  begin(session, wave) {
    while (this.ring.length < HELD_S * wave.rate) this.ring = new Float32Array(2 * this.ring.length);
    Object.assign(this, {session, rate: wave.rate, code: wave.code, start: wave.first, end: wave.first});
  }

  // What did not arrive is a gap; a single sample is what rounding leaves between two packets.
  fill(upTo) {
    const mask = this.ring.length - 1, by = upTo - this.end === 1 ? this.ring[(this.end - 1) & mask] : NaN;
    for (let i = Math.max(this.end, upTo - this.ring.length); i < upTo; i++) this.ring[i & mask] = by;
    this.end = upTo;
  }
}

// Where in a device's time the sweep stands. It runs at true speed, some seconds behind what has arrived, so that
// a packet that is a little late leaves no hole; it turns a tenth faster or slower to keep that distance.
export class Head {
  constructor() {
    this.clear();
  }

  clear() {
    Object.assign(this, {session: -1, ahead: 0, heardS: 0, delayS: 2, endS: 0, atS: NaN, nowS: 0});
  }

  take(session, endS, lengthS, nowS) {
    const ahead = endS - nowS;
    if (session !== this.session) Object.assign(this, {session, ahead, delayS: 2, endS, atS: NaN});
    this.ahead = Math.max(ahead, this.ahead - 0.001 * (nowS - this.heardS));
    this.delayS = Math.max(this.delayS, lengthS + 1);
    this.endS = Math.max(this.endS, endS);
    this.heardS = nowS;
  }

  at(nowS) {
    const wanted = nowS + this.ahead - this.delayS, passed = nowS - this.nowS;
    this.nowS = nowS;
    const off = wanted - this.atS - passed;
    if (!(Math.abs(off) < 3)) this.atS = Math.min(wanted, this.endS);
    else {
      const next = this.atS + passed + Math.max(-0.1 * passed, Math.min(0.1 * passed, off));
      this.atS = Math.max(this.atS, Math.min(next, this.endS));
    }
    return this.atS;
  }
}

// The signal of one device.
export class Signal {
  constructor() {
    this.head = new Head();
    this.waves = KINDS.map(() => new Wave());
    this.heardMs = -Infinity;
  }

  clear() {
    this.head.clear();
    this.waves.forEach(wave => wave.clear());
    this.heardMs = -Infinity;
  }

  take(session, atMs, waves, nowS) {
    this.heardMs = Math.max(this.heardMs, atMs);
    for (const wave of waves) {
      const lane = KINDS.indexOf(wave.kind);
      if (lane < 0) continue;
      this.waves[lane].take(session, wave);
      const lengthS = wave.samples.length / wave.rate;
      if (wave === waves[0]) this.head.take(session, wave.first / wave.rate + lengthS, lengthS, nowS);
    }
  }
}

class Lane {
  constructor(kind) {
    Object.assign(this, {kind, top: 0, height: 0, centre: 0, scale: PX_PER_MV});
  }

  // Moves the trace so that what is usual lies in the middle; once a sweep, so that nothing is bent. An ECG keeps
  // its scale; a wave without one fills its lane.
  place(wave, fromS) {
    const end = wave.end, begin = Math.max(wave.start, Math.floor(fromS * wave.rate));
    const step = Math.max(1, (end - begin) / LOOKED_AT), mask = wave.ring.length - 1;
    let n = 0, low = Infinity, high = -Infinity;
    for (let i = begin; i < end && n < LOOKED_AT; i += step) {
      const value = wave.ring[Math.floor(i) & mask];
      if (value !== value) continue;
      looked[n++] = value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (!n) return;
    if (this.kind === ECG) {
      for (let i = 1; i < n; i++) {
        const value = looked[i];
        let j = i - 1;
        for (; j >= 0 && looked[j] > value; j--) looked[j + 1] = looked[j];
        looked[j + 1] = value;
      }
      this.centre = looked[n >> 1];
      return;
    }
    this.centre = (low + high) / 2;
    this.scale = 0.8 * this.height / Math.max(high - low, 1e-6);
  }
}
const looked = new Float32Array(LOOKED_AT);

// The canvas of a wall. A change of its size forgets all that is drawn.
export class Sheet {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", {alpha: true});
    this.ratio = 0;
  }

  resize(width, height, ratio) {
    this.ratio = ratio;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    this.pen.lineWidth = 1.4;
    this.pen.lineJoin = "round";
  }

  // Until `leave`, only this part is drawn on, and its corner is the origin.
  enter(part) {
    const pen = this.pen;
    pen.save();
    pen.setTransform(this.ratio, 0, 0, this.ratio, part.left * this.ratio, part.top * this.ratio);
    pen.beginPath();
    pen.rect(0, 0, part.width, part.height);
    pen.clip();
  }

  leave() {
    this.pen.restore();
  }
}

// One sector's part of the sheet. `draw` is called once a frame of the screen.
export class Sweep {
  constructor(sheet) {
    this.sheet = sheet;
    this.pen = sheet.pen;
    this.lanes = KINDS.map(kind => new Lane(kind));
    this.present = -1;
    Object.assign(this, {left: 0, top: 0, width: 0, height: 0});
    this.forget();
  }

  move(left, top, width, height) {
    Object.assign(this, {left, top, width, height});
    this.present = -1;
    this.reset();
  }

  // Shares the height among the waves that there are, as many as have room.
  share(waves) {
    let present = 0;
    for (let i = 0; i < waves.length; i++) if (waves[i].session === this.session) present |= 1 << i;
    if (present === this.present) return;
    this.present = present;
    const there = this.lanes.filter((_, i) => present & 1 << i);
    const [, shares] = LANES.findLast(([from, {length}]) => this.height >= from && length <= Math.max(1, there.length));
    let top = 0;
    this.lanes.forEach(lane => { lane.height = 0; });
    there.slice(0, shares.length).forEach((lane, i) => {
      lane.top = top;
      top += lane.height = shares[i] * this.height;
    });
    this.drawnS = NaN;
  }

  forget() {
    Object.assign(this, {session: -1, drawnS: NaN, turn: 0});
  }

  wipe() {
    this.pen.clearRect(0, 0, this.width, this.height);
  }

  reset() {
    this.forget();
    this.sheet.enter(this);
    this.wipe();
    this.sheet.leave();
  }

  draw(signal, nowS) {
    this.sheet.enter(this);
    this.sweep(signal, nowS);
    this.sheet.leave();
  }

  sweep(signal, nowS) {
    const head = signal.head, turnS = this.width / PX_PER_S;
    if (head.session < 0 || turnS < 2 * BAR_S) return;
    const toS = head.at(nowS);
    if (head.session === this.session) this.share(signal.waves);
    if (head.session !== this.session || !(toS >= this.drawnS && toS - this.drawnS < turnS / 2)) {
      this.forget();
      this.wipe();
      this.session = head.session;
      this.share(signal.waves);
      this.drawnS = toS - turnS + BAR_S;
      this.turn = Math.floor(this.drawnS / turnS);
      this.place(signal, this.drawnS);
    }
    while (toS >= (this.turn + 1) * turnS) {
      this.piece(signal, (this.turn + 1) * turnS, turnS);
      this.turn++;
      this.place(signal, this.drawnS - turnS);
    }
    if (toS > this.drawnS) this.piece(signal, toS, turnS);
  }

  place(signal, fromS) {
    for (let i = 0; i < this.lanes.length; i++) this.lanes[i].place(signal.waves[i], fromS);
  }

  piece(signal, toS, turnS) {
    const pen = this.pen, originS = this.turn * turnS;
    const x = (this.drawnS - originS) * PX_PER_S, barX = (toS - originS + BAR_S) * PX_PER_S;
    pen.clearRect(x + 0.7, 0, barX - x, this.height);
    if (barX > this.width) pen.clearRect(0, 0, barX - this.width, this.height);
    for (let i = 0; i < this.lanes.length; i++) this.trace(signal.waves[i], this.lanes[i], originS, toS);
    this.drawnS = toS;
  }

  trace(wave, lane, originS, toS) {
    const pen = this.pen, rate = wave.rate, mask = wave.ring.length - 1;
    if (wave.session !== this.session || !lane.height) return;
    const begin = Math.max(wave.start, Math.ceil(this.drawnS * rate) - 1);
    const end = Math.min(wave.end, Math.floor(toS * rate) + 1);
    if (end - begin < 2) return;
    const middle = lane.top + lane.height / 2;
    pen.strokeStyle = wave.isOff ? OFF : COLOURS[lane.kind];
    pen.beginPath();
    let isDown = false;
    for (let i = begin; i < end; i++) {
      const value = wave.ring[i & mask];
      if (value !== value) {
        isDown = false;
        continue;
      }
      const x = (i / rate - originS) * PX_PER_S, y = middle - (value - lane.centre) * lane.scale;
      if (isDown) pen.lineTo(x, y);
      else pen.moveTo(x, y);
      isDown = true;
    }
    pen.stroke();
  }
}
