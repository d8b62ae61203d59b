// The keyboard of the viewer.

import { byId } from "../common/elements.js";

const [keys] = byId("keys");

export function bindKeys({ stack, cine, reading, overlay, preset, fit, next, back, series }) {
  const far = () => stack.images.length;
  const actions = {
    ArrowDown: () => stack.step(1), ArrowRight: () => stack.step(1), ArrowUp: () => stack.step(-1), ArrowLeft: () => stack.step(-1),
    PageDown: () => stack.step(10), PageUp: () => stack.step(-10), Home: () => stack.step(-far()), End: () => stack.step(far()),
    j: () => series(1), k: () => series(-1),
    " ": () => cine.toggle(), "+": () => cine.faster(1), "=": () => cine.faster(1), "-": () => cine.faster(-1),
    i: () => stack.invert(), r: () => stack.reset(), z: fit, o: () => overlay.toggle(),
    a: () => reading.accept(), x: () => reading.reject(), c: () => reading.claim(), f: () => reading.finish(), u: () => reading.undo(),
    n: next, "?": () => keys.showModal(), Escape: back,
  };
  for (let digit = 1; digit <= 9; digit += 1) actions[digit] = () => preset(digit - 1);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
    if (event.target.closest("select, input")) return;
    if ([" ", "Enter"].includes(event.key) && event.target.closest("button, a")) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
