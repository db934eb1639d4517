// The ECG of a case, in the case's page: the stretch that was asked about, page by page of at least ten seconds. It is
// read and drawn as in the review, to which a link leads that opens where one is.

import {filters} from "./filters.js";
import {clock, day, LEFT, Paper} from "./paper.js";
import {Past} from "./past.js";
import {Tape} from "./tape.js";
import {say} from "./words.js";

const TICK_MS = 1000, MOST_STACKED = 8;
const at = id => document.getElementById(id);
const told = at("strip").dataset, zone = told.zone, sinceMs = Number(told.since), untilMs = Number(told.until);

export const tape = new Tape();
export const paper = new Paper(at("paper"));
const past = new Past(told.signal, tape, draw);
let beginMs = sinceMs;  // the device's time with which the page begins

function show(timeMs) {
  beginMs = Math.max(sinceMs, Math.min(timeMs, untilMs - paper.spanMs));
  read();
  draw();
}

function stretch() {
  const from = tape.placeOf(beginMs);
  return {from, to: Math.min(from + paper.spanMs, tape.placeOf(untilMs)), x: LEFT};
}

// Nothing is read that begins where the stretch ends. What is not stored yet, or could not be read, is asked for again.
function read() {
  const {from, to} = stretch();
  past.need(from, to - 1, Date.now());
  tape.keep(past.windows);
}

function has(from, to, what) {
  return past.has(from, to - 1, what);
}

function draw() {
  if (past.isDenied) tape.clear();
  const shown = stretch(), {from, to} = shown, leads = tape.leads(from, to);
  const isOther = `${leads.map(({key}) => key)}` !== `${paper.leads.map(({key}) => key)}`;
  if (isOther && (leads.length || past.isDenied)) lay(leads);
  paper.clear();
  paper.centre(tape, from, to);
  paper.draw(tape, shown);
  paper.marks.clearRect(0, 0, paper.width, paper.height);
  paper.annotate(tape, shown, zone, (begin, end) => has(begin, end, "isWhole"));
  write(shown, leads.length === 0);
}

function lay(leads) {
  paper.isTwelve = leads.length > MOST_STACKED;
  paper.lay(leads);
}

function write({from, to}, isEmpty) {
  at("none").textContent = past.fails || isEmpty ? say(lack(from, to)) : "";
  at("none").hidden = !at("none").textContent;
  at("when").textContent = `${day(beginMs, zone)} ${clock(beginMs, zone)} – ${clock(beginMs + to - from, zone)}`;
  at("filters").textContent = filters(tape, paper.leads, to);
  at("place").max = Math.max(0, Math.ceil((untilMs - sinceMs - paper.spanMs) / 1000));
  at("place").value = Math.round((beginMs - sinceMs) / 1000);
  at("place").setAttribute("aria-valuetext", at("when").textContent);
  at("back").disabled = beginMs <= sinceMs;
  at("forth").disabled = beginMs + paper.spanMs >= untilMs;
  const look = new URL(at("look").href);
  look.searchParams.set("at", Math.round(beginMs));
  at("look").href = look.href;
}

function lack(from, to) {
  if (past.isDenied) return "denied";
  if (past.fails) return "unread";
  if (!has(from, to)) return "reading";
  return has(from, to, "isWhole") ? "nothing" : "not_here";
}

at("back").onclick = () => show(beginMs - paper.spanMs);
at("forth").onclick = () => show(beginMs + paper.spanMs);
at("place").oninput = () => show(sinceMs + 1000 * at("place").value);
at("sheet").onscroll = draw;
addEventListener("resize", () => {
  lay(paper.leads);
  show(beginMs);
});
lay([]);
show(sinceMs);
setInterval(read, TICK_MS);
