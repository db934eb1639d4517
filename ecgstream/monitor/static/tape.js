// The signal of one device: what came live in the newest two minutes, and what was read from the store, joined by
// session, channel and sample: none is there twice, and none that is known is left out.
//
// A place is in ms on one axis. A session keeps the origin with which it was first seen, so that its samples lie
// evenly; what the device's own clock says at a place is `timeAt`.

import {LEADS, UNNAMED} from "./leads.js";

export const LIVE_MS = 120_000, MISSING = -32768;
const ECG = 0, MOST_BEATS = 4000, LOOKED_AT = 48;
const LIVE = null;

class Track {
  constructor(key, code, channel) {
    Object.assign(this, {key, code, channel, pieces: [], longest: 0});
  }

  // Keeps the pieces in the order of their first samples.
  put(piece) {
    const at = firstFrom(this.pieces, piece.first);
    if (this.pieces[at]?.first === piece.first && this.pieces[at].end === piece.end) this.pieces[at] = piece;
    else this.pieces.splice(at, 0, piece);
    this.longest = Math.max(this.longest, piece.end - piece.first);
  }
}

class Session {
  constructor(mark, originMs, rate) {
    Object.assign(this, {mark, originMs, rate, tracks: new Map(), beats: new Map()});
  }

  // A lead is known by its name; where it has none, or another channel has the same, by its channel too.
  track(wave) {
    const known = this.tracks.get(`${wave.code}`), own = `${wave.code}:${wave.channel}`;
    const isOwn = wave.code === UNNAMED || (known && known.channel !== wave.channel);
    const key = isOwn ? own : `${wave.code}`;
    if (!this.tracks.has(key)) this.tracks.set(key, new Track(key, wave.code, wave.channel));
    return this.tracks.get(key);
  }

  get fromMs() {
    let from = Infinity;
    for (const {pieces} of this.tracks.values()) {
      if (pieces.length) from = Math.min(from, this.originMs + pieces[0].first / pieces[0].rate * 1000);
    }
    return from;
  }
}

export class Tape {
  constructor() {
    this.clear();
  }

  clear() {
    Object.assign(this, {sessions: [], byMark: new Map(), endMs: -Infinity, heardMs: -Infinity, driftMs: 0});
  }

  // Takes a frame's waves in; `window`: of the store, by which they are forgotten; none: live. Samples are copied,
  // for a message holds those of others as well. Returns the session.
  take(mark, waves, rate, originMs, window = LIVE) {
    let session = this.byMark.get(mark);
    if (!session) {
      this.byMark.set(mark, session = new Session(mark, originMs, rate));
      this.sessions.push(session);
    }
    for (const wave of waves) {
      if (wave.kind !== ECG || !wave.samples.length) continue;
      const end = wave.first + wave.samples.length, driftMs = originMs - session.originMs;
      session.track(wave).put({...wave, end, window, driftMs, samples: wave.samples.slice()});
      if (window === LIVE) {
        this.endMs = Math.max(this.endMs, session.originMs + end / wave.rate * 1000);
        this.driftMs = driftMs;
      }
    }
    this.sessions.sort((a, b) => a.fromMs - b.fromMs);
    return session;
  }

  // Of a session that is not known (yet), beats cannot be placed: they come with its signal again.
  mark(beats) {
    for (const [mark, sample, code] of beats) {
      const session = this.byMark.get(mark);
      if (!session) continue;
      session.beats.set(sample, code);
      if (session.beats.size > MOST_BEATS) session.beats.delete(session.beats.keys().next().value);
    }
  }

  // Forgets what came live longer ago, but for what lies between two places, where somebody looks; and windows of the
  // store that are not among these.
  keep(windows, fromMs = NaN, toMs = NaN) {
    for (const session of this.sessions) {
      for (const [key, track] of session.tracks) {
        const isNear = ({first, end, rate}) => {
          const [begin, stop] = [first, end].map(sample => session.originMs + sample / rate * 1000);
          return stop > this.endMs - LIVE_MS || (stop > fromMs && begin < toMs);
        };
        const isKept = piece => piece.window === LIVE ? isNear(piece) : windows.has(piece.window);
        if (!track.pieces.every(isKept)) track.pieces = track.pieces.filter(isKept);
        if (!track.pieces.length) session.tracks.delete(key);
      }
      if (!session.tracks.size) this.byMark.delete(session.mark);
    }
    if (this.byMark.size < this.sessions.length) this.sessions = this.sessions.filter(s => this.byMark.has(s.mark));
  }

  // Forgets one window, to read it anew.
  drop(window) {
    for (const {tracks} of this.sessions) {
      for (const track of tracks.values()) track.pieces = track.pieces.filter(piece => piece.window !== window);
    }
  }

  // The device's own time at a place, by what is known nearest to it.
  timeAt(placeMs) {
    return placeMs + this.near(placeMs);
  }

  placeOf(timeMs) {
    return timeMs - this.near(timeMs);
  }

  near(placeMs) {
    let least = placeMs > this.endMs - LIVE_MS && this.endMs > 0 ? 0 : Infinity, drift = this.driftMs;
    for (const {tracks, originMs} of least ? this.sessions : []) {
      for (const {pieces} of tracks.values()) {
        for (const piece of pieces) {
          const off = Math.abs(originMs + piece.first / piece.rate * 1000 - placeMs);
          if (off < least) [least, drift] = [off, piece.driftMs];
        }
        break;  // any lead tells
      }
    }
    return drift;
  }

  // The leads that are known of a stretch: those with a name in the usual order, then the others by channel.
  leads(fromMs, toMs) {
    const found = new Map();
    for (const session of this.sessions) {
      for (const track of session.tracks.values()) {
        if (span(session, track, fromMs, toMs)) found.set(track.key, track);
      }
    }
    return [...found.values()].sort((a, b) => rank(a.code) - rank(b.code) || a.channel - b.channel);
  }

  // Calls `stretch(piece, begin, stop, session)` for what is known of a lead, in order, each sample once. Where a
  // session has begun, nothing of one before it is shown, whatever its clock said.
  each(key, fromMs, toMs, stretch) {
    for (const [i, session] of this.sessions.entries()) {
      const track = session.tracks.get(key), until = Math.min(toMs, this.sessions[i + 1]?.fromMs ?? Infinity);
      if (!track?.pieces.length || until <= fromMs) continue;
      const rate = track.pieces[0].rate / 1000;
      const from = Math.floor((fromMs - session.originMs) * rate), to = Math.ceil((until - session.originMs) * rate) + 1;
      stretches(track, from, to, (piece, begin, stop) => stretch(piece, begin, stop, session));
    }
  }

  // What lies between two places and has no sample: [from, to] in ms, each longer than `leastMs`.
  holes(key, fromMs, toMs, leastMs = 40) {
    const found = [];
    let end = fromMs;
    const upTo = placeMs => {
      if (placeMs - end > leastMs) found.push([end, placeMs]);
    };
    this.each(key, fromMs, toMs, (piece, begin, stop, {originMs}) => {
      for (let i = begin; i < stop; i++) {
        if (piece.samples[i - piece.first] === MISSING) continue;
        const at = originMs + i / piece.rate * 1000;
        upTo(at);
        end = Math.max(end, at + 1000 / piece.rate);
      }
    });
    upTo(toMs);
    return found;
  }

  // A value in the middle of what a lead has there, mV: its paper's base line. NaN: it has nothing.
  middle(key, fromMs, toMs) {
    const looked = [];
    this.each(key, fromMs, toMs, (piece, begin, stop) => {
      const step = Math.max(1, Math.floor((toMs - fromMs) / 1000 * piece.rate / LOOKED_AT));
      for (let i = begin + (step - begin % step) % step; i < stop; i += step) {
        const value = piece.samples[i - piece.first];
        if (value !== MISSING) looked.push((value - piece.offset) / piece.gain);
      }
    });
    return looked.sort((a, b) => a - b)[looked.length >> 1] ?? NaN;
  }

  // The beats between two places: [place, code].
  beats(fromMs, toMs) {
    const found = [];
    for (const [i, {beats, originMs, rate}] of this.sessions.entries()) {
      const until = Math.min(toMs, this.sessions[i + 1]?.fromMs ?? Infinity);
      for (const [sample, code] of beats) {
        const at = originMs + sample / rate * 1000;
        if (at >= fromMs && at < until) found.push([at, code]);
      }
    }
    return found;
  }

  // Where between two places the signal becomes another one: [place, what], of "session", "rate", "leads", "gain".
  changes(fromMs, toMs) {
    const found = [];
    for (const [i, session] of this.sessions.entries()) {
      const at = session.fromMs, before = this.sessions[i - 1], until = this.sessions[i + 1]?.fromMs ?? Infinity;
      if (before && at >= fromMs && at < toMs) found.push([at, ["session", ...differences(before, session)]]);
      for (const {pieces} of session.tracks.values()) {
        for (let n = 1; n < pieces.length; n++) {
          const [one, other] = [pieces[n - 1], pieces[n]];
          if (one.gain === other.gain && one.offset === other.offset) continue;
          const place = session.originMs + other.first / other.rate * 1000;
          if (place >= fromMs && place < Math.min(toMs, until)) found.push([place, ["gain"]]);
        }
      }
    }
    return found.filter(([at, what], i) => i === found.findIndex(one => one[0] === at && `${one[1]}` === `${what}`));
  }

  // Up to which place something is stored.
  get storedMs() {
    let end = -Infinity;
    for (const {tracks, originMs} of this.sessions) {
      for (const {pieces} of tracks.values()) {
        for (const piece of pieces) {
          if (piece.window !== LIVE) end = Math.max(end, originMs + piece.end / piece.rate * 1000);
        }
      }
    }
    return end;
  }

  // The newest piece of a lead before a place.
  pieceAt(key, placeMs) {
    let newest = null;
    this.each(key, placeMs - 15_000, placeMs, piece => { newest = piece; });
    return newest;
  }
}

const ORDER = [...LEADS.keys()];

function rank(code) {
  const place = ORDER.indexOf(code);
  return place < 0 ? ORDER.length : place;
}

function differences(before, after) {
  const leads = ({tracks}) => [...tracks.keys()].sort().join();
  const of = ({tracks}, what) => [...tracks.values()].map(track => track.pieces.at(-1)?.[what]).join();
  if (leads(before) !== leads(after)) return ["leads"];
  return ["rate", "gain"].filter(what => of(before, what) !== of(after, what));
}

// Whether a track has anything between two places.
function span({originMs}, {pieces, longest}, fromMs, toMs) {
  if (!pieces.length) return false;
  const rate = pieces[0].rate / 1000, from = (fromMs - originMs) * rate, to = (toMs - originMs) * rate;
  for (let i = firstFrom(pieces, from - longest); i < pieces.length && pieces[i].first < to; i++) {
    if (pieces[i].end > from) return true;
  }
  return false;
}

function stretches({pieces, longest}, from, to, stretch) {
  let end = from;
  for (let i = firstFrom(pieces, from - longest); i < pieces.length && pieces[i].first < to; i++) {
    const piece = pieces[i], begin = Math.max(piece.first, end), stop = Math.min(piece.end, to);
    if (stop <= begin) continue;
    stretch(piece, begin, stop);
    end = stop;
  }
}

// The index of the first piece that begins at a sample or behind it.
function firstFrom(pieces, sample) {
  let low = 0, high = pieces.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pieces[middle].first < sample) low = middle + 1;
    else high = middle;
  }
  return low;
}
