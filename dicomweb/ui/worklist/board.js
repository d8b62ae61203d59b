// The reading list as the page knows it: items by study, and their one order. No elements here.

const byPlace = (one, other) =>
  one.place < other.place ? -1 : one.place > other.place ? 1 : one.study < other.study ? -1 : Number(one.study !== other.study);

const placed = (item) => ({ ...item, place: BigInt(item.rank) });

export class Board {
  /** `done`: what has been read, instead of what is to be read. */
  constructor(done) {
    this.done = done;
    this.items = new Map();
    this.next = null; // the cursor behind which the archive has more; null when all is here
  }

  /** A page from the archive: fresh, or the one behind the last. */
  take(page, fresh) {
    if (fresh) this.items.clear();
    for (const item of page.items) this.#keep(placed(item));
    this.next = page.next;
  }

  /** One changed item; false when it is old news. */
  change(item) {
    const known = this.items.get(item.study);
    if (known && known.version > item.version) return false;
    const belongs = item.state !== "gone" && (item.state === "done") === this.done;
    if (belongs && this.#within(placed(item))) this.#keep(placed(item));
    else this.items.delete(item.study);
    return true;
  }

  /** A finding was judged: known at once, before the archive tells everybody. */
  judged(finding) {
    for (const item of this.items.values()) if (item.finding?.id === finding.id) item.finding = finding;
  }

  order() {
    return [...this.items.values()].sort(byPlace);
  }

  /** What lies behind the last page loaded comes with that page. */
  #within(item) {
    if (!this.next) return true;
    const dot = this.next.indexOf(".");
    const last = { place: BigInt(this.next.slice(0, dot)), study: this.next.slice(dot + 1) };
    return byPlace(item, last) <= 0;
  }

  #keep(item) {
    const known = this.items.get(item.study);
    if (!known || known.version <= item.version) this.items.set(item.study, item);
  }
}

/** Who rose past somebody who stayed, and by how many places; newcomers rise from the end. */
export function risen(before, after) {
  const old = new Map(before.map((study, index) => [study, index]));
  const stayed = new Set(after);
  const gone = before.map((study) => !stayed.has(study));
  const places = new Map();
  let left = 0;
  before.forEach((study, index) => {
    places.set(study, index - left);
    if (gone[index]) left += 1;
  });
  return after
    .map((study, index) => ({ study, to: index, by: (old.has(study) ? places.get(study) : after.length - 1) - index, fresh: !old.has(study) }))
    .filter((one) => one.by > 0);
}
