// The stack in view: which image is asked for, which is shown, and whether that is the preview or the exact one.

import { idOf } from "./images.js";
import { around, whyNot } from "./loader.js";
import { extremes } from "./pixels.js";
import { PLAIN, modalityOf, tableFor } from "./tables.js";
import { Viewport } from "./viewport.js";

const PATIENCE = 1500; // ms for a preview before the exact image is fetched beside it

export class Stack {
  #late = 0;
  #patient = true;

  /** `changed()` whenever something that is told of the image changed. */
  constructor(surface, loader, changed) {
    Object.assign(this, { surface, loader, changed, images: [], index: 0, ahead: 1, port: new Viewport() });
    this.shown = null; // {image, picture, state}
    this.message = "";
    this.inverted = false;
    this.window = null; // what the reader chose; null: what the image says
  }

  open(images, index = 0) {
    this.images = images;
    this.shown = null;
    this.message = "";
    this.window = null;
    this.inverted = false;
    this.port.image = { columns: 0, rows: 0, aspect: 1 };
    this.surface.clear();
    if (images.length) this.go(index, true);
    else this.loader.want([]);
    this.changed();
  }

  get image() {
    return this.images[this.index] ?? null;
  }

  go(index, anew = false) {
    const to = Math.max(0, Math.min(this.images.length - 1, index));
    if (to === this.index && !anew) return;
    this.ahead = to >= this.index ? 1 : -1;
    this.index = to;
    this.#patient = true;
    clearTimeout(this.#late);
    this.#late = setTimeout(() => {
      this.#patient = false;
      this.#want();
    }, PATIENCE);
    this.loader.forgive();
    this.#show();
    this.#want();
  }

  step(by) {
    this.go(this.index + by);
  }

  /** Something of an image has come, or has failed. */
  came(image) {
    if (image === this.image) this.#show();
    this.#want();
  }

  #want() {
    const { image, loader } = this;
    if (!image) return;
    const exact = { image, small: false };
    const preview = { image, small: true };
    const first = loader.has(exact) ? [] : [preview];
    if (!first.length || loader.has(preview) || !loader.previews(image) || !this.#patient) first.push(exact);
    const small = image.shape.rows * image.shape.columns <= 1 << 20;
    const settled = loader.has(exact) || loader.failure(image);
    loader.want(settled || small ? [...first, ...around(this.images, this.index, this.ahead, loader.most)] : first);
  }

  #show() {
    const { image, loader } = this;
    const exact = loader.picture(image, false);
    const picture = exact ?? loader.picture(image, true);
    this.message = !exact && loader.failure(image) ? whyNot(loader.failure(image)) : "";
    if (picture && picture !== this.shown?.picture) {
      this.shown = { image, picture, state: exact ? "exact" : "preview" };
      this.port.of(image);
      this.surface.show(picture);
      this.#auto(picture);
      this.paint();
    } else if (this.message && this.shown?.image !== image) {
      this.shown = null;
      this.surface.clear();
    }
    this.changed();
  }

  /** An image without a window gets one that holds all its values; the preview's serves the exact one too. */
  #auto(picture) {
    const { image } = this.shown;
    if (image.windows.length || image.voiTable || picture.kind === "colour" || image.whole) return;
    const [low, high] = extremes(picture, image.shape).map((value) => value * image.rescale.slope + image.rescale.intercept);
    image.whole = { centre: (low + high) / 2, width: Math.max(1, Math.abs(high - low)), shape: "LINEAR_EXACT" };
  }

  /** The window of the image shown. */
  get voi() {
    if (this.window) return this.window;
    const { image, picture } = this.shown;
    if (picture.kind === "colour") return PLAIN;
    if (image.voiTable) return asWindow(image.voiTable);
    return image.windows[0] ?? image.whole ?? PLAIN;
  }

  adjust(window) {
    this.window = window && { shape: this.shown?.image.windows[0]?.shape === "SIGMOID" ? "SIGMOID" : "LINEAR", ...window, width: Math.max(window.width, 1) };
    this.paint(true);
    this.changed();
  }

  invert() {
    this.inverted = !this.inverted;
    this.paint();
    this.changed();
  }

  reset() {
    this.window = null;
    this.inverted = false;
    this.port.reset();
    this.paint();
    this.changed();
  }

  paint(hurry = false) {
    if (!this.shown) return;
    const { image, picture } = this.shown;
    const { voi, inverted } = this;
    this.surface.draw(this.port.view(picture.factor), hurry, () => tableFor(image, picture, voi, inverted));
  }

  /** Where it lies has changed, not how it looks. */
  place(hurry = false) {
    if (this.shown) this.surface.draw(this.port.view(this.shown.picture.factor), hurry);
  }

  /** The modality value below a point of the image, of the exact picture only. */
  valueAt({ x, y }) {
    if (this.shown?.state !== "exact") return null;
    const { image, picture } = this.shown;
    const [column, row] = [Math.floor(x), Math.floor(y)];
    if (column < 0 || row < 0 || column >= picture.columns || row >= picture.rows) return null;
    const at = row * picture.columns + column;
    if (picture.kind === "colour") return { column, row, value: [...picture.data.slice(4 * at, 4 * at + 3)].join(" ") };
    const value = modalityOf(image, picture)(picture.data[at]);
    return { column, row, value: Number.isInteger(value) ? String(value) : value.toFixed(2) };
  }

  get name() {
    return this.shown ? idOf(this.shown.image) : "";
  }
}

const asWindow = (table) => ({ table, centre: table.first + table.values.length / 2, width: table.values.length, shape: "LUT" });
