// The ECG of one patient: brings the line, the store, the paper, the calipers and the keys together. It shows the
// signal live, sweeping behind an erase bar, or a stretch that stands still: frozen, or scrolled back to.

import {Calipers} from "./calipers.js";
import {filters} from "./filters.js";
import {read} from "./frames.js";
import {Line} from "./line.js";
import {isOpen, MARKS, sorted} from "./order.js";
import {clock, day, LEFT, Paper} from "./paper.js";
import {Past} from "./past.js";
import {Head} from "./sweep.js";
import {Tape} from "./tape.js";
import {age, say} from "./words.js";
import {msIn} from "./zone.js";

const at = id => document.getElementById(id);
const told = at("ecg").dataset, zone = told.zone, device = told.device;
const newestMs = Number(told.newest) || Date.now(), oldestMs = Number(told.oldest) || newestMs;
const BAR_MS = 160, NO_SIGNAL_MS = 4000, TICK_MS = 250, PRINTED_MS = 10_000;
const LARGE_MS = 1000, HOLE_MS = 1000, LATE_MS = 10_000;

export const tape = new Tape();
export const paper = new Paper(at("paper"));
const head = new Head();
const past = new Past(`${told.signal}?device=${encodeURIComponent(device)}`, tape, () => {
  if (wanted !== null) place = tape.placeOf(wanted) - paper.spanMs / 3;
  isDirty = true;
});
let mode = "live", place = NaN, wanted = null, onset = null, isDirty = true, drawn = NaN, turn = 0;
let reachedMs = -Infinity;  // so far went what came live when it was drawn last
let sinceMs = NaN;  // from here on, what came live came without a break of the line
let number = -1, numbers = {}, alarms = [], hasSeen = false, isCurrent = false, aheadMs = -Infinity, lost = 0;

// -- what arrives

const heard = {
  state(nowMs, current) {
    aheadMs = Math.max(aheadMs, nowMs - performance.now());
    isCurrent = current;
  },
  devices(named) {
    const bed = named[device], mine = bed?.patient === told.patient ? bed.n : -1;
    if (mine !== number && number >= 0) forget();
    number = mine;
    if (!hasSeen && number < 0 && mode === "live") end();
    hasSeen = true;
  },
  signal(n, session, atMs, waves, rate, originMs) {
    if (n !== number || !waves.length) return;
    const before = tape.sessions.at(-1)?.mark;
    const {mark, originMs: from} = tape.take(session, waves, rate, originMs);
    tape.heardMs = Math.max(tape.heardMs, atMs);
    if (Number.isNaN(sinceMs)) sinceMs = from + waves[0].first / waves[0].rate * 1000;
    const lengthS = waves[0].samples.length / waves[0].rate;
    const endS = from / 1000 + waves[0].first / waves[0].rate + lengthS;
    head.take(mark, endS, lengthS, performance.now() / 1000);
    if (before !== mark) isDirty = true;
  },
  numbers(n, found) {
    if (n === number) numbers = found;
  },
  alarms(n, found) {
    if (n === number) alarms = sorted(found);
  },
  beats(n, found) {
    if (n === number) tape.mark(found);
  },
  lost(frames) {
    lost += frames;
    sinceMs = NaN;
  },
};

const line = new Line(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/live`, buffer => {
  read(buffer, heard);
}, state => {
  if (state !== "open") [isCurrent, aheadMs, sinceMs] = [false, -Infinity, NaN];
  tick();
});
line.show([], [device]);

// Of what one may see no more, nothing is left.
function forget() {
  tape.clear();
  past.clear();
  head.clear();
  [numbers, alarms, sinceMs, isDirty] = [{}, [], NaN, true];
}

function nowMs() {
  return Number.isFinite(aheadMs) ? performance.now() + aheadMs : Date.now();
}

function deviceNow() {
  return Number.isFinite(tape.endMs) ? Math.max(tape.timeAt(tape.endMs), newestMs) : nowMs();
}

// -- what is shown: {from, to, x} of each stretch on the paper

function stretches() {
  const {spanMs, pxPerMs} = paper;
  if (mode === "still") return [{from: place, to: place + spanMs, x: LEFT}];
  if (!Number.isFinite(drawn)) return [];
  const begin = turn * spanMs, before = drawn - spanMs + BAR_MS;
  const now = {from: begin, to: drawn, x: LEFT};
  return before < begin ? [{from: before, to: begin, x: LEFT + (before + spanMs - begin) * pxPerMs}, now] : [now];
}

function draw(nowS) {
  if (mode === "live") return sweep(nowS);
  if (!isDirty) return;
  [isDirty, reachedMs] = [false, tape.endMs];
  paper.clear();
  paper.centre(tape, place, place + paper.spanMs);
  paper.draw(tape, stretches()[0]);
  annotate();
}

function sweep(nowS) {
  const {spanMs} = paper;
  if (head.session < 0 || spanMs < 2 * BAR_MS) {
    if (isDirty) paper.clear();
    isDirty = false;
    return;
  }
  const to = head.at(nowS) * 1000;
  if (isDirty || !(to >= drawn && to - drawn < spanMs / 2)) {
    [isDirty, drawn, turn] = [false, to, Math.floor(to / spanMs)];
    paper.clear();
    paper.centre(tape, to - spanMs, to);
    for (const stretch of stretches()) paper.draw(tape, stretch);
    return;
  }
  while (to >= (turn + 1) * spanMs) {
    piece((turn + 1) * spanMs);
    turn++;
    paper.centre(tape, drawn - spanMs, drawn);
  }
  if (to > drawn) piece(to);
}

// Draws on from where the sweep stands.
function piece(to) {
  const {pxPerMs, spanMs, width} = paper, x = LEFT + (drawn - turn * spanMs) * pxPerMs;
  const bar = x + (to - drawn + BAR_MS) * pxPerMs;
  paper.clear(x + 0.7, Math.min(bar, width));
  if (bar > width) paper.clear(LEFT, LEFT + bar - width);
  paper.draw(tape, {from: drawn, to, x});
  drawn = to;
}

function isSure(fromMs, toMs) {
  return fromMs >= sinceMs || past.has(fromMs, toMs, "isWhole");
}

function annotate() {
  paper.marks.clearRect(0, 0, paper.width, paper.height);
  for (const stretch of stretches()) {
    paper.annotate(tape, stretch, zone, isSure);
    const placed = onset === null ? NaN : tape.placeOf(onset);
    if (placed >= stretch.from && placed < stretch.to) {
      paper.upright(paper.x(placed, stretch), "#ff9a5c");
      paper.word(say("onset"), paper.x(placed, stretch) + 4, 12, "#ff9a5c", 700);
    }
  }
  calipers.draw();
}

export const calipers = new Calipers(paper, [at("caliper-1"), at("caliper-2")], at("reading"), annotate);

// -- where one looks

function still(fromMs) {
  [mode, place, isDirty] = ["still", fromMs, true];
  calipers.over(stretches()[0]);
  tick();
}

function freeze() {
  wanted = null;
  still((Number.isFinite(drawn) ? drawn : tape.placeOf(nowMs())) - paper.spanMs);
}

function live() {
  [mode, wanted, onset, drawn, isDirty] = ["live", null, null, NaN, true];
  calipers.over(null);
  tick();
}

function toggle() {
  if (mode === "live") freeze();
  else if (number >= 0) live();
}

function scroll(byMs) {
  if (mode === "live") freeze();
  wanted = null;
  const latest = Math.max(tape.endMs, tape.placeOf(newestMs));
  const most = Math.max(latest, place + paper.spanMs) - paper.spanMs / 2;
  still(Math.max(tape.placeOf(oldestMs), Math.min(place + byMs, most)));
}

function go(timeMs, onsetMs = null) {
  [wanted, onset] = [timeMs, onsetMs];
  still(tape.placeOf(timeMs) - paper.spanMs / 3);
}

// The newest that there is: live, where one may see that; else what was stored last.
function end() {
  if (number >= 0) return live();
  wanted = null;
  still(tape.placeOf(newestMs) - paper.spanMs);
}

function home() {
  [wanted, onset] = [oldestMs, null];
  still(tape.placeOf(wanted));
}

// -- what is said

function tick() {
  const [from, to] = mode === "still" ? [place, place + paper.spanMs] : [drawn - paper.spanMs, drawn];
  if (Number.isFinite(from)) {
    arrange(from, to);
    const key = paper.leads[0]?.key;
    const isLacking = mode === "still" || !key || tape.holes(key, from, to, HOLE_MS).length > 0;
    if (isLacking) past.need(from - (mode === "still" ? paper.spanMs : 0), to, deviceNow());
  }
  tape.keep(past.windows, from, to);
  // What comes while the paper stands still is drawn where it is in sight; beats come a little later than their signal.
  if (mode === "still" && to > reachedMs && tape.endMs > reachedMs) isDirty = true;
  else if (mode === "live" || to > tape.endMs - LATE_MS) annotate();
  write(from, to);
}

// Lays the paper out for the leads that are in sight; where there are none, it stays as it is.
function arrange(from, to) {
  const leads = tape.leads(from, to);
  if (!leads.length || `${leads.map(lead => lead.key)}` === `${paper.leads.map(lead => lead.key)}`) return;
  paper.isTwelve = (localStorage.getItem("layout") ?? (leads.length > 8 ? "12" : "all")) === "12";
  at("layout").value = paper.isTwelve ? "12" : "all";
  lay(leads);
}

function lay(leads = paper.leads) {
  paper.lay(leads);
  isDirty = true;
  calipers.over(mode === "still" ? stretches()[0] : null);
}

function write(from, to) {
  const isLive = line.state === "open" && isCurrent, silentMs = nowMs() - tape.heardMs;
  const key = {open: "behind", full: "full", ended: "ended", connecting: "connecting"}[line.state] ?? "lost";
  const isSilent = silentMs > NO_SIGNAL_MS, canSee = number >= 0 || !hasSeen;
  const silence = Number.isFinite(silentMs) ? say("no_signal_for", {age: age(silentMs)}) : say("no_signal");
  const veil = !isLive ? say(key) : !canSee ? say("no_live") : isSilent ? silence : "";
  document.body.classList.toggle("dead", mode === "live" && veil !== "");
  document.body.classList.toggle("still", mode === "still");
  put(at("veil"), mode === "live" ? veil : "");
  at("veil").hidden = mode !== "live" || !veil;
  put(at("off"), isLive || line.state === "connecting" ? "" : say(key));
  at("off").hidden = !at("off").textContent;
  const shown = tape.timeAt(mode === "still" ? place : to);
  const when = Number.isFinite(shown) ? {date: day(shown, zone), clock: clock(shown, zone)} : {date: "", clock: "–"};
  put(at("mode"), mode === "still" ? say("still", when) : veil ? say("not_live") : say("connected"));
  at("freeze").textContent = say(mode === "live" ? "freeze" : "go_live");
  at("freeze").disabled = mode === "still" && number < 0;
  put(at("rate"), number >= 0 && numbers.hr?.[0] != null && isLive && nowMs() - numbers.hr.at(-1) < 10_000
    ? `${say("hr")} ${Math.round(numbers.hr[0])}` : "");
  const worst = isLive ? alarms[0] : null, state = worst ? say(`state.${worst.state}`) : "";
  put(at("alarm"), worst ? `${MARKS[worst.priority]} ${say(`condition.${worst.code}`)}${state && ` · ${state}`}` : "");
  at("alarm").dataset.priority = worst && isOpen(worst) ? worst.priority : "";
  put(at("stored"), past.isDenied ? say("denied") : past.fails ? say("unread") : lost ? say("slow", {n: lost}) : "");
  const isRead = past.has(from, to);
  const isEmpty = mode === "still" && !tape.leads(from, to).length;
  put(at("none"), isEmpty ? say(isRead ? (past.has(from, to, "isWhole") ? "nothing" : "not_here") : past.isDenied || past.fails ? "not_read" : "reading") : "");
  at("none").hidden = !at("none").textContent;
  put(at("filters"), Number.isFinite(to) ? filters(tape, paper.leads, to) : "");
  print(isLive && !isSilent);
}

// A strip can be printed of what is stored; the newest seconds are not, yet.
function print(isSending) {
  const link = at("print"), isReady = mode === "still" && (!isSending || tape.storedMs >= place + PRINTED_MS);
  link.setAttribute("aria-disabled", String(!isReady));
  put(link, say(isReady || mode === "live" ? "print" : "print_soon"));
  const asked = new URLSearchParams({device, at: Math.round(tape.timeAt(place)), layout: at("layout").value});
  if (isReady) link.href = `${told.strip}?${asked}`;
  else link.removeAttribute("href");
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// -- keys and buttons

const keys = {
  " ": toggle,
  ArrowLeft: () => scroll(-LARGE_MS), ArrowRight: () => scroll(LARGE_MS),
  PageUp: () => scroll(-paper.spanMs), PageDown: () => scroll(paper.spanMs),
  Home: home, End: end,
  c: () => { if (mode === "live") freeze(); calipers.toggle(); },
  m: () => calipers.march(),
  p: () => { if (mode === "live") freeze(); else if (at("print").href) at("print").click(); },
  g: () => at("time").focus(),
};

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
  if (event.key === " " && event.target.closest("a, button:not(.handle)")) return;
  const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  act();
  event.preventDefault();
});
at("freeze").onclick = toggle;
at("calipers").onclick = keys.c;
at("march").onclick = keys.m;
at("back").onclick = keys.PageUp;
at("forth").onclick = keys.PageDown;
at("print").onclick = event => {
  if (at("print").href) return;
  event.preventDefault();
  if (mode === "live") freeze();
};
for (const [id, name] of [["speed", "speed"], ["gain", "gain"]]) {
  at(id).value = localStorage.getItem(id) ?? at(id).value;
  paper[name] = Number(at(id).value) || paper[name];
  at(id).onchange = () => {
    localStorage.setItem(id, at(id).value);
    const to = mode === "still" ? place + paper.spanMs / 2 : NaN;
    paper[name] = Number(at(id).value);
    lay();
    if (mode === "still") still(to - paper.spanMs / 2);
  };
}
at("layout").onchange = () => {
  localStorage.setItem("layout", at("layout").value);
  paper.isTwelve = at("layout").value === "12";
  lay();
};
at("device").onchange = () => location.assign(`?device=${encodeURIComponent(at("device").value)}`);
at("goto").onsubmit = event => {
  event.preventDefault();
  const time = msIn(at("time").value, zone);
  if (Number.isFinite(time)) go(time);
};
at("sheet").onscroll = annotate;
at("live").addEventListener("click", event => {
  const chosen = event.target.closest("a[data-at]");
  if (!chosen || chosen.dataset.device !== device) return;
  event.preventDefault();
  go(Number(chosen.dataset.at), Number(chosen.dataset.at));
});

// -- time

function frame(now) {
  draw(now / 1000);
  requestAnimationFrame(frame);
}

new ResizeObserver(() => lay()).observe(at("sheet"));
lay([]);
if (told.at) go(Number(told.at), Number(told.at));
setInterval(tick, TICK_MS);
requestAnimationFrame(frame);
