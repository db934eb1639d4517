// The socket: opened, watched, opened again. A line that says nothing for 3 s is lost, whatever the browser thinks.

const SILENT_MS = 3000, SHORTEST_MS = 500, LONGEST_MS = 5000;
const NOT_LOGGED_IN = 4401, FULL = 1013;

// `heard(buffer)` takes a message; `changed(state)` is told "open", "lost", "full" or "ended".
export class Line {
  constructor(address, heard, changed) {
    Object.assign(this, {address, heard, changed, state: "connecting", wish: null, pause: SHORTEST_MS, heardMs: 0});
    this.open();
    setInterval(() => this.watch(), 250);
    addEventListener("offline", () => this.state === "open" && this.close(0));
    addEventListener("online", () => this.state === "lost" && this.open());
  }

  open() {
    clearTimeout(this.timer);
    this.drop();
    const socket = this.socket = new WebSocket(this.address);
    this.openedMs = performance.now();
    socket.binaryType = "arraybuffer";
    socket.onmessage = event => {
      this.heardMs = performance.now();
      if (this.state !== "open") {
        this.pause = SHORTEST_MS;
        this.become("open");
        this.say();
      }
      this.heard(event.data);
    };
    socket.onclose = event => this.close(event.code);
  }

  // Shows these devices, and all leads of those watched whole; said again whenever the line is new.
  show(names, whole = []) {
    const wish = JSON.stringify({show: names, whole});
    if (wish === this.wish) return;
    this.wish = wish;
    this.say();
  }

  say() {
    if (this.state === "open" && this.wish !== null) this.socket.send(this.wish);
  }

  watch() {
    const now = performance.now();
    if (this.state === "open" && now - this.heardMs > SILENT_MS) this.close(0);
    else if (this.socket && this.state !== "open" && now - this.openedMs > 2 * SILENT_MS) this.close(0);
  }

  close(code) {
    this.drop();
    if (code === NOT_LOGGED_IN) return this.become("ended");
    this.become(code === FULL ? "full" : "lost");
    this.timer = setTimeout(() => this.open(), this.pause);
    this.pause = Math.min(2 * this.pause, LONGEST_MS);
  }

  drop() {
    clearTimeout(this.timer);
    if (!this.socket) return;
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    this.socket = null;
  }

  become(state) {
    if (state !== this.state) this.changed(this.state = state);
  }
}
