// Which filters the leads in sight have passed, and what they are good for.

import {say} from "./words.js";

const DIAGNOSTIC = [0.0501, 150];

// Of leads before a place; each wording once.
export function filters(tape, leads, placeMs) {
  const found = new Set(leads.map(({key}) => tape.pieceAt(key, placeMs)).filter(Boolean).map(bandwidth));
  return [...found].join("; ");
}

function bandwidth({highPass, lowPass, notch}) {
  const mains = notch > 0 ? ` · ${say("notch", {n: round(notch)})}` : "";
  if (!(highPass >= 0 && lowPass > 0)) return say("filters_unknown") + mains;
  const use = highPass <= DIAGNOSTIC[0] && lowPass >= DIAGNOSTIC[1] ? "diagnostic" : "monitoring";
  return `${round(highPass)}–${round(lowPass)} Hz${mains} · ${say(use)}`;
}

function round(hz) {
  return Number(hz.toPrecision(3));
}
