// Reads what is stored onto a tape, in windows of a minute of the device's time, as they are looked at. The newest
// seconds are not stored yet: a window is read again until what it holds is old enough to be whole, and the store has
// gone on beyond it, or has had a day for it.

import {read} from "./frames.js";

const WINDOW_MS = 60_000, MOST_WINDOWS = 12, AT_ONCE = 2, WHOLE_MS = 60_000, AGAIN_MS = 10_000;
const PATIENCE_MS = 15_000, DAY_MS = 86_400_000, BY_ITSELF = {"X-By-Itself": "1"};

export class Past {
  // `address`: of the signal, up to its times. `changed()` is called when something new is on the tape, or reading
  // has begun to fail, or works again.
  constructor(address, tape, changed) {
    Object.assign(this, {address, tape, changed, windows: new Map(), asking: 0, fails: false, isDenied: false});
  }

  clear() {
    this.windows.clear();
  }

  // Reads what is lacking between two places; `nowMs`: the device's time now.
  need(fromMs, toMs, nowMs) {
    if (this.isDenied) return;
    const {tape, windows} = this, at = performance.now();
    const first = Math.floor(tape.timeAt(fromMs) / WINDOW_MS);
    const last = Math.min(Math.floor(tape.timeAt(toMs) / WINDOW_MS), Math.floor(nowMs / WINDOW_MS));
    for (let key = last; key >= first && key > last - MOST_WINDOWS / 2; key--) {
      const known = windows.get(key);
      if (known && (known.isWhole || known.isAsked || at - known.readMs < AGAIN_MS)) continue;
      if (this.asking < AT_ONCE) this.ask(key, nowMs);
    }
    if (windows.size <= MOST_WINDOWS) return;
    const middle = (first + last) / 2, far = key => Math.abs(key - middle);
    const kept = [...windows.keys()].sort((a, b) => far(a) - far(b)).slice(0, MOST_WINDOWS);
    for (const key of windows.keys()) if (!kept.includes(key)) windows.delete(key);
  }

  // Whether what is stored between two places has been asked for, and has come; `what`: "isWhole", all that there is.
  has(fromMs, toMs, what = "isRead") {
    const [first, last] = [fromMs, toMs].map(place => Math.floor(this.tape.timeAt(place) / WINDOW_MS));
    for (let key = first; key <= last; key++) if (!this.windows.get(key)?.[what]) return false;
    return true;
  }

  async ask(key, nowMs) {
    const window = {isAsked: true, isRead: false, isWhole: false, readMs: 0, ...this.windows.get(key), isAsked: true};
    this.windows.set(key, window);
    this.asking++;
    try {
      const found = await fetch(`${this.address}&since=${key * WINDOW_MS}&until=${(key + 1) * WINDOW_MS}`, {
        headers: BY_ITSELF, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if ([401, 403, 404].includes(found.status)) this.isDenied = true;
      if (!found.ok) throw new Error(String(found.status));
      this.put(key, await found.arrayBuffer());
      const endMs = (key + 1) * WINDOW_MS, isBeyond = found.headers.get("stored-beyond") === "1";
      Object.assign(window, {isRead: true, isWhole: endMs < nowMs - (isBeyond ? WHOLE_MS : DAY_MS)});
      this.fails = false;
    } catch {
      this.fails = true;
    }
    this.asking--;
    Object.assign(window, {isAsked: false, readMs: performance.now()});
    this.changed();
  }

  put(key, buffer) {
    const {tape} = this;
    tape.drop(key);
    if (!this.windows.has(key)) return;  // nobody looks there any more
    read(buffer, {
      signal: (_, session, __, waves, rate, originMs) => tape.take(session, waves, rate, originMs, key),
      beats: (_, beats) => tape.mark(beats),
    });
  }
}
