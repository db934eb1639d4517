// Takes the messages of the live socket apart; ecgstream/monitor/live/frames.py says what they hold.

const VERSION = 2, HEAD = 8, SIGNAL = 40, WAVE = 48;
const STATE = 1, DEVICES = 2, SIGNALS = 3, NUMBERS = 4, ALARMS = 5, LOST = 6, BEATS = 7;
const text = new TextDecoder("utf-8", {fatal: true});

// Calls of `told`, for each frame in its order: state(nowMs, isCurrent, isAway), devices(byName),
// signal(number, session, atMs, waves, rate0, originMs), numbers(number, byName), alarms(number, list), beats(number, list), lost(frames).
// Throws where it is no message of ours.
export function read(buffer, told) {
  const view = new DataView(buffer);
  for (let at = 0; at < buffer.byteLength;) {
    const kind = view.getUint8(at), size = view.getUint32(at + 4, true), body = at + HEAD;
    if (view.getUint8(at + 1) !== VERSION) throw new RangeError(`frames of version ${view.getUint8(at + 1)}`);
    if (kind === STATE) {
      const flag = at => view.getUint32(body + at, true) !== 0;
      told.state(view.getFloat64(body, true), flag(8), flag(12));
    }
    else if (kind === SIGNALS) signal(buffer, view, body, told);
    else if (kind === LOST) told.lost(view.getUint32(body, true));
    else if (kind === DEVICES) told.devices(json(buffer, body, size).devices);
    else if (kind === NUMBERS) { const n = json(buffer, body, size); told.numbers(n.n, n.numbers); }
    else if (kind === BEATS) { const b = json(buffer, body, size); told.beats(b.n, b.beats); }
    else if (kind === ALARMS) { const a = json(buffer, body, size); told.alarms(a.n, a.alarms); }
    else throw new RangeError(`a frame of kind ${kind}`);
    at = body + size;
  }
}

function json(buffer, at, size) {
  return JSON.parse(text.decode(new Uint8Array(buffer, at, size)));
}

function signal(buffer, view, at, told) {
  const count = view.getUint32(at + 16, true), waves = [];
  let samples = at + SIGNAL + count * WAVE;
  for (let head = at + SIGNAL, i = 0; i < count; i++, head += WAVE) {
    const n = view.getUint32(head + 44, true);
    waves.push({
      first: view.getFloat64(head, true),
      rate: view.getFloat64(head + 8, true),
      code: view.getUint32(head + 16, true),
      kind: view.getUint8(head + 20),
      isOff: view.getUint8(head + 22) !== 0,
      channel: view.getUint8(head + 23),
      gain: view.getFloat32(head + 24, true),
      offset: view.getFloat32(head + 28, true),
      highPass: view.getFloat32(head + 32, true),
      lowPass: view.getFloat32(head + 36, true),
      notch: view.getFloat32(head + 40, true),
      samples: new Int16Array(buffer, samples, n),
    });
    samples += 2 * n;
  }
  told.signal(view.getUint32(at, true), view.getUint32(at + 4, true), view.getFloat64(at + 8, true), waves,
    view.getFloat64(at + 24, true), view.getFloat64(at + 32, true));
}
