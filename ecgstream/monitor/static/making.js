// Once a report is made, its page is opened, unless somebody has gone on to something else.
const live = document.getElementById("live");
new MutationObserver(() => {
  const made = document.getElementById("made");
  if (made) location.replace(made.href);
}).observe(live, { childList: true });
