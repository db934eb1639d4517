// How grave what stands at a device is, and in which order devices are shown.

export const MARKS = {HIGH: "!!!", MEDIUM: "!!", LOW: "!"};
const GRAVITY = {HIGH: 3, MEDIUM: 2, LOW: 1};
// What nobody has answered comes before all that somebody has.
const OPEN = new Set(["ACTIVE", "LATCHED"]);

// Whether an alarm still calls: it flashes and sounds.
export function isOpen(alarm) {
  return OPEN.has(alarm.state);
}

export function gravity(alarm) {
  if (alarm.state === "LATE") return 0.5;
  return GRAVITY[alarm.priority] + (isOpen(alarm) ? 3 : 0);
}

// Alarms, the gravest first, of equal ones the newest.
export function sorted(alarms) {
  return alarms.toSorted((a, b) => gravity(b) - gravity(a) || b.since - a.since);
}

const byName = new Intl.Collator("zh", {numeric: true}).compare;

export function byPlace(a, b) {
  return byName(a.place, b.place) || byName(a.name, b.name);
}

export function bySeverity(a, b) {
  const [one, other] = [a.alarms[0], b.alarms[0]];
  if (!one || !other) return (other ? 1 : 0) - (one ? 1 : 0) || byPlace(a, b);
  return gravity(other) - gravity(one) || one.since - other.since || byPlace(a, b);
}
