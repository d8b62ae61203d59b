// Running the stack: the next image when its time has come and it is here, and round again at the end.

const SLOWEST = 1;
const FASTEST = 60;

export class Cine {
  #last = 0;

  constructor(stack, told) {
    Object.assign(this, { stack, told, running: false, rate: 12 });
  }

  toggle(on = !this.running) {
    this.running = on && this.stack.images.length > 1;
    if (this.running) {
      this.#last = performance.now();
      requestAnimationFrame((now) => this.#tick(now));
    }
    this.told();
  }

  faster(by) {
    this.rate = Math.min(FASTEST, Math.max(SLOWEST, Math.round(by > 0 ? Math.max(this.rate + 1, this.rate * 1.25) : Math.min(this.rate - 1, this.rate / 1.25))));
    this.told();
  }

  #tick(now) {
    if (!this.running) return;
    const due = now - this.#last >= 1000 / this.rate;
    const here = this.stack.shown?.image === this.stack.image || this.stack.message;
    if (due && here) {
      this.#last = Math.max(this.#last + 1000 / this.rate, now - 1000 / this.rate);
      const last = this.stack.index === this.stack.images.length - 1;
      this.stack.go(last ? 0 : this.stack.index + 1);
    }
    requestAnimationFrame((next) => this.#tick(next));
  }
}
