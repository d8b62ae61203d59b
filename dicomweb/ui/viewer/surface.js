// The screen of the stack: one canvas, whichever painter takes the picture.

import { FlatPainter } from "./flat.js";
import { GlPainter } from "./gl.js";
import { MOST_TAPS } from "./resample.js";

const SETTLE = 160; // ms without movement before it is drawn as finely as it can be

export class Surface {
  #frame = 0;
  #settling = 0;
  #painted = 0;
  #taps = 3;

  /** `resized()` when there is another number of device pixels; `drawn()` when a picture is on the screen. */
  constructor(canvas, { resized, drawn }) {
    this.canvas = canvas;
    this.drawn = drawn;
    this.picture = null;
    this.painters = new Map();
    this.gl = GlPainter.on(canvas, () => this.#lost());
    this.painter = this.gl ?? this.#flat();
    this.observer = new ResizeObserver(() => this.#fit() && resized());
    this.observer.observe(canvas.parentNode);
    this.#fit();
  }

  /** Put up a picture; `draw` lays it out. */
  show(picture) {
    const painter = this.gl?.takes(picture) ? this.gl : this.#flat();
    if (painter !== this.painter) this.#use(painter);
    this.picture = picture;
    painter.show(picture);
  }

  /** Once a frame of the screen, however often it is asked for; finely once it rests. `table` is made
   * when it is needed; without one the last one holds. */
  draw(view, hurry, table = this.making) {
    this.view = view;
    this.hurry = hurry;
    this.making = table;
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#paint());
    clearTimeout(this.#settling);
    if (hurry) this.#settling = setTimeout(() => this.draw(this.view, false), SETTLE);
  }

  clear() {
    this.picture = null;
    this.painter.clear();
  }

  async #paint() {
    this.#frame = 0;
    if (!this.picture) return;
    const shown = this.picture;
    this.canvas.dataset.painter = this.painter.kind;
    this.#tabulate();
    await this.painter.draw(this.view, this.hurry ? this.#pace() : MOST_TAPS);
    if (shown === this.picture) this.drawn(shown);
  }

  #tabulate() {
    if (this.making === this.made) return;
    this.made = this.making;
    this.entries = this.making();
    this.painter.table(this.entries);
  }

  /** While something moves, as fine as this machine can draw it and keep up. */
  #pace() {
    const now = performance.now();
    const gap = now - this.#painted;
    this.#painted = now;
    if (gap > 45 && gap < 500) this.#taps = Math.max(1, this.#taps - 1);
    else if (gap < 22) this.#taps = Math.min(4, this.#taps + 0.1);
    return Math.floor(this.#taps);
  }

  #fit() {
    const box = this.canvas.parentNode.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
    if (width === this.canvas.width && height === this.canvas.height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    return true;
  }

  /** A canvas has one kind of context for life, so another painter brings another canvas. */
  #use(painter) {
    painter.canvas.width = this.canvas.width;
    painter.canvas.height = this.canvas.height;
    for (const [name, value] of Object.entries(this.canvas.dataset)) painter.canvas.dataset[name] = value;
    this.canvas.replaceWith(painter.canvas);
    this.canvas = painter.canvas;
    this.painter = painter;
    if (this.entries) painter.table(this.entries);
  }

  #flat() {
    if (!this.second) {
      const canvas = this.gl === null && !this.picture ? this.canvas : this.canvas.cloneNode(false);
      this.second = new FlatPainter(canvas);
    }
    return this.second;
  }

  #lost() {
    this.gl = null;
    const { picture } = this;
    this.#use(this.#flat());
    if (!picture) return;
    this.show(picture);
    this.draw(this.view, false);
  }
}
