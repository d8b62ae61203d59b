// Hands on the image: mouse, pen, fingers and wheel, turned into what the stack and its window do.

const SCROLL = 14; // css pixels of a drag that go one image further
const DOUBLE = 320;

export const MODES = ["window", "pan", "zoom", "scroll"];

export class Tools {
  #held = new Map(); // pointer -> where it was last
  #pinch = null;
  #rolled = 0;
  #tapped = { at: 0, x: 0, y: 0 };

  /** `place` is the element around the canvas; `moved(point)` tells where the pointer is, in the image. */
  constructor(place, stack, { moved }) {
    Object.assign(this, { place, stack, moved, mode: "window", touch: null });
    place.addEventListener("pointerdown", (event) => this.#down(event));
    place.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) place.addEventListener(end, (event) => this.#up(event));
    place.addEventListener("pointerleave", () => moved(null));
    place.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    place.addEventListener("contextmenu", (event) => event.preventDefault());
    place.addEventListener("dblclick", (event) => this.#toggle(event));
  }

  /** In device pixels of the canvas. */
  #at(event) {
    const box = this.place.getBoundingClientRect();
    const ratio = devicePixelRatio || 1;
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  #down(event) {
    if (event.target.closest("button, a")) return;
    this.place.setPointerCapture(event.pointerId);
    this.#held.set(event.pointerId, { x: event.clientX, y: event.clientY, deed: this.#deed(event) });
    this.#rolled = 0;
    if (this.#held.size === 2) this.#pinch = this.#spread();
    if (event.pointerType === "touch") this.#tap(event);
  }

  #deed(event) {
    if (event.pointerType === "touch") return this.touch ?? (this.stack.images.length > 1 ? "scroll" : "window");
    if (event.button === 1 || event.shiftKey) return "pan";
    if (event.button === 2) return this.mode === "window" ? "zoom" : "window";
    return this.mode;
  }

  #move(event) {
    const held = this.#held.get(event.pointerId);
    if (!held) return this.moved(this.stack.port.toImage(...Object.values(this.#at(event))));
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    Object.assign(held, { x: event.clientX, y: event.clientY });
    if (this.#pinch) return this.#spreadTo();
    return this.#do(held.deed, dx, dy, event);
  }

  #do(deed, dx, dy, event) {
    const { stack } = this;
    const ratio = devicePixelRatio || 1;
    if (deed === "window") this.#window(dx, dy);
    else if (deed === "pan") stack.port.pan(dx * ratio, dy * ratio);
    else if (deed === "zoom") stack.port.zoom(Math.exp(-dy / 160));
    else this.#scroll(dy);
    if (deed === "pan" || deed === "zoom") {
      stack.place(true);
      stack.changed();
    }
    if (event.pointerType !== "touch") this.moved(stack.port.toImage(...Object.values(this.#at(event))));
  }

  /** Right is wider, down is brighter values: as far as the width of what is seen. */
  #window(dx, dy) {
    if (!this.stack.shown) return;
    const { centre, width } = this.stack.voi;
    const reach = Math.max(Math.min(width, 8000), 40) / 300;
    this.stack.adjust({ centre: centre + dy * reach, width: Math.max(1, width + dx * reach) });
  }

  #scroll(dy) {
    this.#rolled += dy;
    const steps = Math.trunc(this.#rolled / SCROLL);
    if (!steps) return;
    this.#rolled -= steps * SCROLL;
    this.stack.step(steps);
  }

  #spread() {
    const [one, other] = [...this.#held.values()];
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, wide: Math.hypot(one.x - other.x, one.y - other.y) };
  }

  #spreadTo() {
    if (this.#held.size < 2) return;
    const [before, now] = [this.#pinch, this.#spread()];
    const ratio = devicePixelRatio || 1;
    const { x, y } = this.#at({ clientX: now.x, clientY: now.y });
    this.stack.port.pan((now.x - before.x) * ratio, (now.y - before.y) * ratio);
    if (before.wide > 8) this.stack.port.zoom(now.wide / before.wide, x, y);
    this.#pinch = now;
    this.stack.place(true);
    this.stack.changed();
  }

  #up(event) {
    this.#held.delete(event.pointerId);
    if (this.#held.size < 2) this.#pinch = null;
  }

  #wheel(event) {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const { x, y } = this.#at(event);
      this.stack.port.zoom(Math.exp(-event.deltaY / 300), x, y);
      this.stack.place(true);
      return this.stack.changed();
    }
    const unit = event.deltaMode === 1 ? 34 : event.deltaMode === 2 ? 400 : 1;
    this.#rolled += event.deltaY * unit;
    const steps = Math.abs(event.deltaY * unit) >= 50 ? Math.sign(event.deltaY) : Math.trunc(this.#rolled / 50);
    if (!steps) return undefined;
    this.#rolled = 0;
    return this.stack.step(steps);
  }

  /** Fingers send no dblclick where touch-action is none everywhere alike. */
  #tap(event) {
    const near = Math.hypot(event.clientX - this.#tapped.x, event.clientY - this.#tapped.y) < 30;
    if (near && event.timeStamp - this.#tapped.at < DOUBLE) this.#toggle(event);
    this.#tapped = { at: event.timeStamp, x: event.clientX, y: event.clientY };
  }

  /** Fitted, or one device pixel a sample around the place pointed at. */
  #toggle(event) {
    if (event.target.closest("button, a")) return;
    if (event.type === "dblclick" && performance.now() - (this.toggled ?? -DOUBLE) < DOUBLE) return;
    this.toggled = performance.now();
    const { x, y } = this.#at(event);
    if (this.stack.port.fitted) this.stack.port.to(1, x, y);
    else this.stack.port.reset();
    this.stack.place();
    this.stack.changed();
  }
}
