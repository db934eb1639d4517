// Alarm sounds of IEC 60601-1-8 (6.3.3.1): bursts of 10, 3 and 2 pulses, each with harmonics, a pause between bursts.

const PAUSE_MS = 120_000, PITCH_HZ = 523, LEVEL = 0.25, EDGE_S = 0.02;
// Length of a pulse and its distances to the next, s; how long after a burst's begin the next one comes.
const X = 0.1, HIGH = 0.15, SLOW = 0.2;
const FIVE = [X, X, 2 * X + HIGH, X];
const BURSTS = {
  HIGH: {pulse: HIGH, gaps: [...FIVE, 0.8, ...FIVE], everyS: 6},
  MEDIUM: {pulse: SLOW, gaps: [0.2, 0.2], everyS: 10},
  LOW: {pulse: SLOW, gaps: [0.2], everyS: 20},
};

export class Sound {
  // `changed()` is called where what is to be shown of the sound has changed.
  constructor(changed) {
    Object.assign(this, {changed, priority: null, pausedUntil: 0, nextS: 0, bursts: 0});
    const AudioContext = window.AudioContext;
    this.audio = new AudioContext();
    this.audio.onstatechange = changed;
    const real = new Float32Array(7), imag = Float32Array.of(0, 1, 0.7, 0.6, 0.5, 0.4, 0.3);
    this.timbre = this.audio.createPeriodicWave(real, imag);
    // Browsers let a page sound once somebody has touched it.
    for (const touched of ["keydown", "pointerdown"]) addEventListener(touched, () => this.audio.resume(), true);
    setInterval(() => this.tick(), 100);
  }

  get isBlocked() {
    return this.audio.state !== "running";
  }

  get leftMs() {
    return Math.max(0, this.pausedUntil - performance.now());
  }

  // What sounds: "HIGH", "MEDIUM", "LOW" or null. What is graver than before sounds at once.
  of(priority) {
    if (priority !== this.priority) this.nextS = 0;
    this.priority = priority;
  }

  pause() {
    this.pausedUntil = this.leftMs ? 0 : performance.now() + PAUSE_MS;
    this.nextS = 0;
    this.changed();
  }

  tick() {
    const nowS = this.audio.currentTime;
    if (!this.priority || this.leftMs || this.isBlocked || nowS < this.nextS) return;
    const {pulse, gaps, everyS} = BURSTS[this.priority];
    let atS = nowS + 0.05;
    this.pulse(atS, pulse);
    for (const gap of gaps) this.pulse(atS += pulse + gap, pulse);
    this.nextS = nowS + everyS;
    this.bursts++;
  }

  pulse(atS, lengthS) {
    const tone = this.audio.createOscillator(), level = this.audio.createGain();
    tone.setPeriodicWave(this.timbre);
    tone.frequency.value = PITCH_HZ;
    level.gain.setValueAtTime(0, atS);
    level.gain.linearRampToValueAtTime(LEVEL, atS + EDGE_S);
    level.gain.setValueAtTime(LEVEL, atS + lengthS - EDGE_S);
    level.gain.linearRampToValueAtTime(0, atS + lengthS);
    tone.connect(level).connect(this.audio.destination);
    tone.start(atS);
    tone.stop(atS + lengthS);
  }
}
