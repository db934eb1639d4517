// Times as they are typed, in a zone that need not be the screen's own.

// Returns the ms since 1970 of a local time ("2026-03-05T16:04:09") in a zone; NaN: it is none.
export function msIn(text, zone) {
  const asUtc = Date.parse(`${text}Z`);
  if (!Number.isFinite(asUtc)) return NaN;
  const once = asUtc - offsetMs(asUtc, zone);
  return asUtc - offsetMs(once, zone);  // again, since the clocks may have been changed in between
}

// By how much a zone's clocks are ahead of UTC at a time, ms.
function offsetMs(timeMs, zone) {
  const form = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit",
    minute: "2-digit", second: "2-digit",
  });
  const part = Object.fromEntries(form.formatToParts(timeMs).map(({type, value}) => [type, value]));
  const local = `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}Z`;
  return Date.parse(local) - Math.floor(timeMs / 1000) * 1000;
}
