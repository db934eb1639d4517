// The wall: brings the line, the patients, the sectors and the sound together.

import {read} from "./frames.js";
import {Line} from "./line.js";
import {Sector} from "./numbers.js";
import {byPlace, bySeverity, gravity, isOpen, sorted} from "./order.js";
import {Sound} from "./sound.js";
import {Sheet, Signal} from "./sweep.js";
import {age, say} from "./words.js";

const at = id => document.getElementById(id);
const wall = at("wall"), facility = document.body.dataset.at, isLeft = document.body.dataset.left !== "";
const sheet = new Sheet(at("traces"));
const COLUMNS = {8: 2, 16: 4, 24: 4, 32: 4, 48: 6, 64: 8};
const patients = new Map(), byNumber = new Map(), sectors = [], spare = [];
let count = Number(document.body.dataset.sectors), page = 0, order = localStorage.getItem("order") ?? "place";
let isCurrent = false, aheadMs = -Infinity, lost = 0, focused = 0, listed = [], unsettled = false;

// -- what arrives

const told = {
  state(nowMs, current, isAway) {
    at("away").hidden = !isAway;
    aheadMs = Math.max(aheadMs, nowMs - performance.now());
    if (current !== isCurrent) {
      isCurrent = current;
      alive();
    }
  },
  devices(named) {
    for (const [name, patient] of patients) if (!(name in named)) leave(name, patient);
    byNumber.clear();
    for (const [name, {n, ...bed}] of Object.entries(named)) {
      const known = patients.get(name) ?? {name, alarms: [], numbers: {}, signal: null};
      patients.set(name, Object.assign(known, bed));
      byNumber.set(n, known);
    }
    unsettled = true;
  },
  signal(number, session, atMs, waves) {
    byNumber.get(number)?.signal?.take(session, atMs, waves, performance.now() / 1000);
  },
  numbers(number, numbers) {
    const patient = byNumber.get(number);
    if (patient) patient.numbers = numbers;
  },
  alarms(number, alarms) {
    const patient = byNumber.get(number);
    if (!patient) return;
    patient.alarms = sorted(alarms);
    unsettled = true;
  },
  lost(frames) {
    lost += frames;
  },
};

const line = new Line(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/live`, buffer => {
  read(buffer, told);
  if (unsettled) arrange();
}, state => {
  if (state !== "open") [isCurrent, aheadMs] = [false, -Infinity];
  alive();
});

function nowMs() {
  return Number.isFinite(aheadMs) ? (lastMs = performance.now() + aheadMs) : Date.now();
}
let lastMs = 0;

// -- who is shown where

function leave(name, patient) {
  patients.delete(name);
  release(patient);
}

function release(patient) {
  if (!patient.signal) return;
  patient.signal.clear();
  spare.push(patient.signal);
  patient.signal = null;
  patient.numbers = {};
}

function arrange() {
  unsettled = false;
  const here = [...patients.values()].filter(patient => !facility || patient.path.split(".").includes(facility));
  listed = here.sort(order === "place" ? byPlace : bySeverity);
  const pages = Math.max(1, Math.ceil(listed.length / count));
  page = Math.min(page, pages - 1);
  const shown = listed.slice(page * count, (page + 1) * count), kept = new Set(shown);
  for (const patient of patients.values()) if (!kept.has(patient)) release(patient);
  for (const patient of shown) patient.signal ??= spare.pop() ?? new Signal();
  sectors.forEach((sector, i) => sector.show(shown[i] ?? null));
  line.show(shown.map(patient => patient.name));
  at("page").textContent = say("page", {n: page + 1, of: pages});
  at("before").disabled = page === 0;
  at("next").disabled = page === pages - 1;
  at("nobody").hidden = listed.length > 0 || !patients.size && line.state !== "open";
  const elsewhere = listed.filter(patient => !kept.has(patient) && patient.alarms.some(isOpen)).length;
  at("elsewhere").hidden = !elsewhere;
  at("elsewhere").textContent = say("elsewhere", {n: elsewhere});
  sounding();
  write();
}

function build() {
  while (sectors.length > count) sectors.pop().element.remove();
  while (sectors.length < count) {
    sectors.push(new Sector(sheet));
    wall.append(sectors.at(-1).element);
  }
  wall.style.setProperty("--columns", COLUMNS[count]);
  wall.style.setProperty("--rows", count / COLUMNS[count]);
  sectors.forEach(sector => { sector.dead = dead; });
  focus(Math.min(focused, count - 1), false);
  arrange();
  lay();
}

// What is drawn is drawn anew wherever a sector has come to lie.
function lay() {
  sheet.resize(wall.clientWidth, wall.clientHeight, devicePixelRatio);
  sectors.forEach(sector => sector.place());
}

// -- what is said

let dead = "";

function alive() {
  const isLive = line.state === "open" && isCurrent;
  const key = {open: "behind", full: "full", ended: isLeft ? "left_ended" : "ended"}[line.state] ?? "lost";
  const waits = line.state === "connecting";
  dead = isLive ? "" : waits ? say("connecting") : say(key);
  document.body.classList.toggle("dead", !isLive);
  at("line").textContent = isLive ? say("connected") : dead;
  at("lost").hidden = isLive || waits;
  at("lost").textContent = dead;
  if (line.state === "ended") {
    told.devices({});  // nobody is logged in, so nothing stays on the screen
    arrange();
    const link = document.createElement("a");
    link.href = `/login?to=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = say("login");
    at("lost").append(" ", link);
  }
  sectors.forEach(sector => { sector.dead = dead; });
  sounding();
  write();
}

function write() {
  const now = nowMs(), isLive = line.state === "open" && isCurrent;
  for (const sector of sectors) sector.write(now, isLive);
  at("slow").hidden = !lost;
  at("slow").textContent = say("slow", {n: lost});
  at("clock").textContent = new Date(now).toLocaleTimeString("en-GB");
  soundSaid();
}

// -- sound

const sound = new Sound(() => soundSaid());

function sounding() {
  const open = listed.flatMap(patient => patient.alarms.filter(isOpen));
  const worst = open.reduce((most, alarm) => !most || gravity(alarm) > gravity(most) ? alarm : most, null);
  // A wall that has gone blind calls as well: somebody must look after the patients.
  const isBlind = at("lost").hidden === false;
  const blind = isBlind && worst?.priority !== "HIGH" ? "MEDIUM" : null;
  sound.of(blind ?? worst?.priority ?? null);
}

function soundSaid() {
  const button = at("sound"), left = sound.leftMs;
  button.classList.toggle("paused", left > 0);
  button.classList.toggle("blocked", !left && sound.isBlocked);
  button.setAttribute("aria-pressed", String(left > 0));
  const said = left ? say("sound_paused", {left: age(left)}) : say(sound.isBlocked ? "sound_blocked" : "sound_on");
  button.lastElementChild.textContent = said;
}

// -- keys and buttons

function focus(index, now = true) {
  sectors[focused]?.element.setAttribute("tabindex", "-1");
  focused = index;
  sectors[focused].element.setAttribute("tabindex", "0");
  if (now) sectors[focused].element.focus();
}

function turn(pages) {
  page = Math.max(0, page + pages);
  arrange();
}

function sort() {
  order = order === "place" ? "severity" : "place";
  localStorage.setItem("order", order);
  sortSaid();
  arrange();
}

function sortSaid() {
  at("sort").textContent = say(order === "place" ? "by_place" : "by_severity");
}

function open(page = "patient") {
  const patient = sectors[focused].patient;
  if (patient?.patient && !isLeft) location.assign(`/${page}/${encodeURIComponent(patient.patient)}`);
}

const keys = {
  p: () => sound.pause(),
  s: sort,
  e: () => open("ecg"),
  PageUp: () => turn(-1),
  PageDown: () => turn(1),
};
const moves = {ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -COLUMNS[count], ArrowDown: () => COLUMNS[count]};

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in keys) keys[key]();
  else if (key in moves) {
    const to = focused + (wall.contains(document.activeElement) ? moves[key]() : 0);
    if (to >= 0 && to < count) focus(to);
  } else if (key === "Enter" && wall.contains(document.activeElement)) open();
  else return;
  event.preventDefault();
});
wall.addEventListener("focusin", event => {
  const index = sectors.findIndex(sector => sector.element === event.target);
  if (index >= 0 && index !== focused) focus(index, false);
});
wall.addEventListener("dblclick", () => open());
at("sound").onclick = () => sound.pause();
at("sort").onclick = sort;
at("before").onclick = () => turn(-1);
at("next").onclick = () => turn(1);
at("sectors").onchange = event => {
  count = Number(event.target.value);
  page = 0;
  build();
};

// -- time

let frames = 0;

function frame(now) {
  frames++;
  const nowS = now / 1000;
  for (const sector of sectors) sector.draw(nowS);
  requestAnimationFrame(frame);
}

setInterval(() => {
  document.body.dataset.frames = frames;
  document.body.dataset.bursts = sound.bursts;
  write();
}, 500);
new ResizeObserver(lay).observe(wall);
sortSaid();
build();
requestAnimationFrame(frame);
