// The filter reaches past what is loaded: the archive is searched for the words, and those of the studies
// found that are in this list are shown too.

import { TAG, first } from "../common/dicom.js";
import { studies, worklist } from "../common/server.js";

const PAUSE = 250; // ms without a keystroke
const MOST = 60;

export class Beyond {
  #timer = 0;
  #abort = new AbortController();

  /** `came()` when there is something new in `items`. */
  constructor(done, came) {
    Object.assign(this, { done, came, items: new Map() });
  }

  ask(text) {
    clearTimeout(this.#timer);
    this.#abort.abort();
    if (!text && !this.items.size) return;
    this.items.clear();
    if (text) this.#timer = setTimeout(() => this.#search(text), PAUSE);
  }

  async #search(text) {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      const page = await studies(text, 0, MOST, signal);
      const listed = await worklist.some(page.studies.map((study) => first(study, TAG.studyUid)));
      if (signal.aborted) return;
      for (const item of listed) this.change(item, true);
      this.came();
    } catch {
      // What is loaded has been filtered already; the next keystroke asks again.
    }
  }

  /** A study changed that is shown because it was found. */
  change(item, fresh = false) {
    if (!fresh && !this.items.has(item.study)) return;
    if (item.state !== "gone" && (item.state === "done") === this.done) this.items.set(item.study, item);
    else this.items.delete(item.study);
  }
}
