// Changes of the list as they happen: by server-sent events, by asking when those do not come.

import { worklist } from "../common/server.js";

const LOOK = { live: 20_000, asking: 2500 }; // ms between looks; a silent stream is noticed by them
const REST_AFTER = 30_000; // ms hidden until the stream is let go: a browser has six connections
const LONGEST_PAUSE = 15_000;
const SLOWEST_OPENING = 8000; // a stream that takes longer is opened anew
const CATCH_UP = 5; // pages of changes; after that the list is read anew

export class Live {
  #stream = null;
  #failures = 0;
  #look = 0;
  #again = 0;
  #rest = 0;
  #heard = 0;
  #opened = 0;

  /** `changed(items)`, `reread()` (the list anew: a promise of its version), `told(state)`: live, asking, away. */
  constructor({ changed, reread, told }) {
    Object.assign(this, { changed, reread, told, version: 0 });
    document.addEventListener("visibilitychange", () => this.#seen());
    addEventListener("online", () => this.#catchUp());
  }

  start(version) {
    this.version = version;
    this.#open();
    this.#plan();
  }

  #open() {
    this.#close();
    if (document.hidden) return;
    this.#opened = Date.now();
    const stream = (this.#stream = worklist.events(this.version));
    stream.onopen = () => {
      this.#failures = 0;
      this.told("live");
    };
    stream.onmessage = (event) => {
      this.#heard = Date.now();
      this.#take([JSON.parse(event.data)]);
    };
    stream.onerror = () => this.#broken();
  }

  #close() {
    clearTimeout(this.#again);
    this.#stream?.close();
    this.#stream = null;
  }

  #broken() {
    this.#close();
    this.#failures += 1;
    const pause = Math.min(LONGEST_PAUSE, 250 * 2 ** this.#failures);
    this.#again = setTimeout(() => this.#catchUp(), pause);
    this.#plan();
  }

  #take(items) {
    for (const item of items) this.version = Math.max(this.version, item.version);
    this.changed(items);
  }

  #plan() {
    clearTimeout(this.#look);
    const streaming = this.#stream?.readyState === EventSource.OPEN;
    this.#look = setTimeout(() => this.#ask(), streaming ? LOOK.live : LOOK.asking);
  }

  /** The safety net below the stream, and what there is without one. */
  async #ask() {
    try {
      if (!document.hidden) await this.#changes();
      if (this.#isStuck()) this.#open();
    } catch {
      this.told("away"); // said on the page; the next look tries again
    }
    this.#plan();
  }

  /** It was asked for through a connection that went nowhere, while the archive answers. */
  #isStuck() {
    return this.#stream?.readyState === EventSource.CONNECTING && Date.now() - this.#opened > SLOWEST_OPENING;
  }

  async #changes() {
    const streaming = this.#stream?.readyState === EventSource.OPEN;
    const asked = Date.now();
    for (let round = 0; round < CATCH_UP; round += 1) {
      const found = await worklist.changes(this.version);
      if (!streaming) this.told("asking");
      const missed = found.items.filter((item) => item.version > this.version);
      if (missed.length) this.#take(missed);
      if (streaming && missed.length && this.#heard < asked - LOOK.live / 2) this.#open(); // open, but mute
      if (!found.more) return;
    }
    this.version = await this.reread();
  }

  /** After a pause: go on from the version held, or read anew when the archive is not the one it was. */
  async #catchUp() {
    try {
      const { version } = await worklist.page({ limit: 1 });
      if (version < this.version) this.version = await this.reread();
      else if (version > this.version) await this.#changes();
      this.#open();
    } catch {
      this.told("away");
      this.#broken();
    }
    this.#plan();
  }

  #seen() {
    clearTimeout(this.#rest);
    if (document.hidden) this.#rest = setTimeout(() => this.#close(), REST_AFTER);
    else if (!this.#stream) this.#catchUp();
  }
}
