// Painting without a graphics card: a worker lays the picture out, this page only puts it down.

export class FlatPainter {
  kind = "2d";

  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.worker = new Worker(new URL("flat-worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#made(data);
    this.number = 0;
    this.waiting = null;
    this.busy = false;
  }

  takes() {
    return true;
  }

  show(picture) {
    this.number += 1;
    this.worker.postMessage({ picture });
  }

  table(entries) {
    this.worker.postMessage({ table: entries });
  }

  /** Resolves when it is on the screen, or when something newer is. */
  draw(view, most) {
    return new Promise((done) => {
      this.waiting?.done();
      this.waiting = { view, most, done, width: this.canvas.width, height: this.canvas.height, number: this.number };
      this.#next();
    });
  }

  #next() {
    if (this.busy || !this.waiting) return;
    const { done, ...asked } = this.waiting;
    [this.busy, this.waiting, this.done] = [true, null, done];
    this.worker.postMessage({ draw: asked });
  }

  #made({ pixels, width, height, number }) {
    this.busy = false;
    const current = number === this.number && width === this.canvas.width && height === this.canvas.height;
    if (current) this.context.putImageData(new ImageData(pixels, width, height), 0, 0);
    this.done();
    this.#next();
  }

  clear() {
    this.number += 1;
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }
}
