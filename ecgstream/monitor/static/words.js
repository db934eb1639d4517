// The page's words, put into it by the server.

const words = JSON.parse(document.body.dataset.words);

// Returns the words of a key, with values put in; of an unknown key, what stands behind its point.
export function say(key, values = {}) {
  const found = words[key] ?? key.slice(key.indexOf(".") + 1);
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// Returns an age in the unit that one would say.
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return say("s", {n: s});
  return s < 7200 ? say("min", {n: Math.round(s / 60)}) : say("h", {n: Math.round(s / 3600)});
}
