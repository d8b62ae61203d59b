// Where the image lies on the screen: fitted, or at a scale of its own around a point of the image.

const NEAREST = 64;
const FARTHEST = 0.02;

export class Viewport {
  constructor() {
    this.screen = { width: 1, height: 1 }; // device pixels
    this.image = { columns: 1, rows: 1, aspect: 1 };
    this.reset();
  }

  reset() {
    this.fitted = true;
    this.scale = 1; // device pixels a column
    this.centre = { x: 0, y: 0 };
    this.#fit();
  }

  of(image) {
    const { columns, rows } = image.shape;
    const same = columns === this.image.columns && rows === this.image.rows && image.aspect === this.image.aspect;
    this.image = { columns, rows, aspect: image.aspect };
    if (!same) this.reset();
  }

  on(width, height) {
    this.screen = { width, height };
    if (this.fitted) this.#fit();
  }

  #fit() {
    const { columns, rows, aspect } = this.image;
    this.centre = { x: columns / 2, y: rows / 2 };
    this.scale = Math.min(this.screen.width / columns, this.screen.height / (rows * aspect));
  }

  /** For a picture whose samples each stand for `factor` x `factor` of the image. */
  view(factor = 1) {
    const { columns, rows } = this.image;
    const { left, top } = this.corner;
    return { scaleX: this.scale * factor, scaleY: this.scaleY * factor, x: left, y: top, limitX: columns / factor, limitY: rows / factor };
  }

  get scaleY() {
    return this.scale * this.image.aspect;
  }

  /** On whole device pixels, so that at 1:1 every sample is one of them. */
  get corner() {
    return {
      left: Math.round(this.screen.width / 2 - this.centre.x * this.scale),
      top: Math.round(this.screen.height / 2 - this.centre.y * this.scaleY),
    };
  }

  toImage(x, y) {
    const { left, top } = this.corner;
    return { x: (x - left) / this.scale, y: (y - top) / this.scaleY };
  }

  /** By a factor, around a point of the screen, which stays where it is. */
  zoom(by, x = this.screen.width / 2, y = this.screen.height / 2) {
    this.to(this.scale * by, x, y);
  }

  to(scale, x = this.screen.width / 2, y = this.screen.height / 2) {
    const [dx, dy] = [x - this.screen.width / 2, y - this.screen.height / 2];
    const held = { x: this.centre.x + dx / this.scale, y: this.centre.y + dy / this.scaleY };
    this.fitted = false;
    this.scale = Math.min(NEAREST, Math.max(FARTHEST, scale));
    this.centre = { x: held.x - dx / this.scale, y: held.y - dy / this.scaleY };
    this.#keepInside();
  }

  pan(dx, dy) {
    this.fitted = false;
    this.centre = { x: this.centre.x - dx / this.scale, y: this.centre.y - dy / this.scaleY };
    this.#keepInside();
  }

  /** Some of the image is always to be seen. */
  #keepInside() {
    const { columns, rows } = this.image;
    this.centre.x = Math.min(columns, Math.max(0, this.centre.x));
    this.centre.y = Math.min(rows, Math.max(0, this.centre.y));
  }
}
