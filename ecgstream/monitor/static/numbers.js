// One sector: its place on the wall, what it says, and its sweep.

import {LEADS} from "./leads.js";
import {MARKS, isOpen} from "./order.js";
import {PX_PER_MM, Sweep} from "./sweep.js";
import {age, say} from "./words.js";

const STALE_MS = 10_000, NO_SIGNAL_MS = 4_000, OLD_PRESSURE_MS = 3_600_000;
const NOTHING = "--";
const shape = document.getElementById("sector");

export class Sector {
  constructor(sheet) {
    this.element = shape.content.firstElementChild.cloneNode(true);
    const part = name => this.element.querySelector(name);
    const named = [".mark", ".what", ".more", ".bed", ".place", ".scale", ".veil"];
    this.parts = Object.fromEntries(named.map(name => [name, part(name)]));
    this.numbers = Object.fromEntries(["hr", "spo2", "resp", "nibp", "rhythm"].map(name => {
      const box = part(`.${name}`);
      return [name, {box, value: box.querySelector("b"), note: box.querySelector("i")}];
    }));
    this.mean = part(".nibp em");
    this.trace = part(".trace");
    this.sweep = new Sweep(sheet);
    this.patient = null;
    this.element.hidden = true;
  }

  // Looks where on the wall its trace is, and begins it anew.
  place() {
    const {element, trace} = this, left = element.offsetLeft + trace.offsetLeft, top = element.offsetTop + trace.offsetTop;
    this.sweep.move(left, top, trace.clientWidth, trace.clientHeight);
  }

  show(patient) {
    if (patient === this.patient) return;
    this.patient = patient;
    this.sweep.reset();
    this.element.hidden = !patient;
    if (patient) this.place();
  }

  draw(nowS) {
    if (this.patient) this.sweep.draw(this.patient.signal, nowS);
  }

  // Writes what there is to be read, as it stands at the server's time. `isLive`: the line is, and Kafka.
  write(nowMs, isLive) {
    const patient = this.patient;
    if (!patient) return;
    put(this.parts[".bed"], patient.name);
    put(this.parts[".place"], patient.since_ms == null ? patient.place : `${say("shared")} ${patient.place}`);
    this.alarm(patient.alarms);
    this.veil(nowMs - patient.signal.heardMs, isLive);
    const {hr, spo2, resp, nibp, rhythm} = own(patient);
    this.number("hr", hr && whole(hr[0]), hr, nowMs, isLive);
    this.number("spo2", spo2 && whole(spo2[0]), spo2, nowMs, isLive);
    this.number("resp", resp && whole(resp[0]), resp, nowMs, isLive);
    this.number("rhythm", rhythm && say(`rhythm.${rhythm[0]}`), rhythm, nowMs, isLive);
    this.pressure(nibp, nowMs, isLive);
    this.element.setAttribute("aria-label", this.summary());
  }

  number(name, told, source, nowMs, isLive) {
    const {box, value, note} = this.numbers[name], old = source ? nowMs - source.at(-1) : 0;
    const isStale = !isLive || old > STALE_MS;
    put(value, told ?? NOTHING);
    put(note, source && old > STALE_MS ? age(old) : "");
    box.classList.toggle("stale", Boolean(source) && isStale);
  }

  pressure(nibp, nowMs, isLive) {
    const {box, value, note} = this.numbers.nibp, old = nibp ? nowMs - nibp[3] : 0;
    put(value, nibp ? `${whole(nibp[0])}/${whole(nibp[1])}` : NOTHING);
    put(this.mean, nibp && nibp[2] !== null ? `(${whole(nibp[2])})` : "");
    put(note, nibp ? age(old) : "");
    box.classList.toggle("stale", Boolean(nibp) && (!isLive || old > OLD_PRESSURE_MS));
  }

  alarm(alarms) {
    const worst = alarms[0], {element, parts} = this;
    element.dataset.priority = worst ? worst.priority : "";
    element.classList.toggle("open", Boolean(worst) && isOpen(worst));
    put(parts[".mark"], worst ? MARKS[worst.priority] : "");
    const state = worst ? say(`state.${worst.state}`) : "";
    put(parts[".what"], worst ? say(`condition.${worst.code}`) + (state && ` · ${state}`) : "");
    parts[".what"].title = parts[".what"].textContent;
    put(parts[".more"], alarms.length > 1 ? `+${alarms.length - 1}` : "");
  }

  veil(silentMs, isLive) {
    const {sweep, parts, element} = this, wave = this.patient.signal.waves[0];
    const isSilent = silentMs > NO_SIGNAL_MS;
    element.classList.toggle("dead", !isLive || isSilent);
    parts[".veil"].hidden = isLive && !isSilent && !wave.isOff;
    if (!parts[".veil"].hidden) {
      const since = Number.isFinite(silentMs) ? say("no_signal_for", {age: age(silentMs)}) : say("no_signal");
      put(parts[".veil"], !isLive ? this.dead : isSilent ? since : say("lead_off"));
    }
    const scale = sweep.width > 60 * PX_PER_MM ? say("scale") : "";
    put(parts[".scale"], wave.session < 0 ? "" : `${LEADS.get(wave.code) ?? "ECG"} ${scale}`);
  }

  summary() {
    const {patient, parts, numbers} = this, worst = patient.alarms[0];
    const told = Object.entries(numbers).map(([name, n]) =>
      `${say(name)} ${n.value.textContent} ${n.box.classList.contains("stale") ? n.note.textContent : ""}`);
    const alarm = worst ? `${say(`priority.${worst.priority}`)}: ${parts[".what"].textContent}` : "";
    const veil = parts[".veil"].hidden ? "" : parts[".veil"].textContent;
    return [patient.name, patient.place, alarm, veil, ...told].filter(Boolean).join(", ");
  }
}

// The numbers that are this patient's: what was measured before is of whoever wore the device then.
function own({numbers, worn_ms: wornMs}) {
  const isOwn = ([, told]) => wornMs == null || told.at(-1) >= wornMs;
  return Object.fromEntries(Object.entries(numbers).filter(isOwn));
}

function whole(value) {
  return value === null ? NOTHING : String(Math.round(value));
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
