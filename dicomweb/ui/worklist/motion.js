// Rows move to their new place in sight: first where they were, then where they are (FLIP).

const TIME = 620;
const EASE = "cubic-bezier(.22, .8, .24, 1)";
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const inSight = (box) => box.bottom > 0 && box.top < innerHeight;

/** Put the rows in this order inside `body`, moving as few as can be and keeping the focus where it is. */
function arrange(body, rows) {
  const focused = document.activeElement;
  const wanted = new Set(rows);
  for (const row of [...body.children]) if (!wanted.has(row)) row.remove();
  const stay = longestRun(rows.map((row) => (row.parentNode === body ? indexIn(body, row) : -1)));
  let next = null;
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    if (!stay.has(i)) put(body, rows[i], next);
    next = rows[i];
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

const put = (body, row, before) =>
  row.isConnected && body.moveBefore ? body.moveBefore(row, before) : body.insertBefore(row, before);

let indices = new WeakMap();
const indexIn = (body, row) => indices.get(row) ?? (indices = new WeakMap([...body.children].map((one, i) => [one, i]))).get(row);

/** Positions of a longest rising subsequence: those rows need not be touched. */
function longestRun(places) {
  const tails = [];
  const before = [];
  places.forEach((place, i) => {
    if (place < 0) return;
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[tails[middle]] < place) low = middle + 1;
      else high = middle;
    }
    before[i] = tails[low - 1] ?? -1;
    tails[low] = i;
  });
  const stay = new Set();
  for (let i = tails.at(-1) ?? -1; i >= 0; i = before[i]) stay.add(i);
  return stay;
}

const shift = (row, by, time) =>
  row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: time, easing: EASE });

const appear = (row) => row.animate([{ opacity: 0 }, { opacity: 1 }], { duration: TIME, easing: "ease-out" });

export function reorder(body, rows) {
  indices = new WeakMap();
  if (calm.matches || !body.children.length || document.hidden) return arrange(body, rows);
  const before = new Map([...body.children].map((row) => [row, row.getBoundingClientRect()]));
  arrange(body, rows);
  for (const row of rows) {
    const [from, to] = [before.get(row), row.getBoundingClientRect()];
    if (!from) {
      if (inSight(to)) appear(row);
      continue;
    }
    const by = from.top - to.top;
    if (Math.abs(by) > 1 && (inSight(from) || inSight(to))) shift(row, Math.max(-innerHeight, Math.min(innerHeight, by)), TIME);
  }
}
