// Whether the monitor is still there, said at once; and what stands on the page, fetched anew in its time.
// Nothing that is fetched by itself counts as a sign of a person: a session that nobody uses ends.

const ASK_MS = 2000;
const PATIENCE_MS = 4000;
const BY_ITSELF = { "X-By-Itself": "1" };
const link = document.getElementById("link");
const words = document.getElementById("link-words");
const lost = document.getElementById("lost");
const connected = words.textContent;
let touched = false;
let lostSince = null;
let refreshedAt = Date.now();

for (const kind of ["pointerdown", "pointermove", "keydown", "wheel"]) {
  addEventListener(kind, () => { touched = true; }, { passive: true });
}

async function get(path, byItself) {
  const found = await fetch(path, {
    headers: byItself ? BY_ITSELF : {}, cache: "no-store", redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS),
  });
  if (found.status === 401) {
    location.assign("/login?to=" + encodeURIComponent(location.pathname + location.search));
    throw new Error("logged out");
  }
  if (!found.ok) throw new Error(String(found.status));
  return found;
}

function show(isLost) {
  if (isLost === (lostSince !== null)) return;
  lostSince = isLost ? new Date() : null;
  document.documentElement.classList.toggle("is-lost", isLost);
  words.textContent = isLost ? link.dataset.lost : connected;
  const clock = isLost ? lostSince.toLocaleTimeString("en-GB", { timeZone: link.dataset.zone }) : "";
  lost.textContent = isLost ? link.dataset.since.replace("{clock}", clock) : "";
  lost.hidden = !isLost;
}

// The part that changes is put in the place of the old one; who stands in it with the keyboard stays there. On a button
// that does something only as long as it is the same one: never on what another alert's row has at its place.
async function refresh(live) {
  const text = await (await get(location.href, true)).text();
  const came = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  const inside = document.activeElement;
  if (!came || (live.contains(inside) && inside.matches("input, select, textarea, button:not([id])"))) return;
  const places = live.querySelectorAll("a, [tabindex]");
  const at = [...places].indexOf(inside);
  const button = live.contains(inside) && inside.matches("button") ? inside.id : "";
  live.replaceChildren(...came.childNodes);
  if (button) document.getElementById(button)?.focus({ preventScroll: true });
  if (at >= 0) live.querySelectorAll("a, [tabindex]")[at]?.focus({ preventScroll: true });
}

async function turn() {
  try {
    const was = lostSince !== null;
    const used = touched;
    touched = false;
    await get("/alive", !used);
    const live = document.getElementById("live");
    const every = 1000 * Number(live?.dataset.every ?? Infinity);
    if (live && (was || Date.now() - refreshedAt >= every)) {
      await refresh(live);
      refreshedAt = Date.now();
    }
    show(false);
  } catch {
    show(true);
  }
  setTimeout(turn, ASK_MS);
}

addEventListener("offline", () => show(true));
turn();
