// The reading list: most pressing first, moving before one's eyes, worked by keys.

import { Deeds } from "../common/deeds.js";
import { byId, write } from "../common/elements.js";
import { links, me as whoAmI, plainly, worklist } from "../common/server.js";
import { Archive } from "./archive.js";
import { Beyond } from "./beyond.js";
import { Board, risen } from "./board.js";
import { matches, words } from "./filter.js";
import { Live } from "./live.js";
import { reorder } from "./motion.js";
import { Patients } from "./patients.js";
import { Picked } from "./picked.js";
import { makeRow, markRise, writeItem, writePatient, writeTimes } from "./rows.js";

const PAGE = 50; // rows, and so studies a search
const MOST_BY_ITSELF = 300; // rows that scrolling loads; more are asked for by the button
const MARKED = 60_000; // ms a risen study stays marked
const GATHER = 60; // ms in which changes are shown together
const STILL = 300; // ms after a move in which a press may have been meant for another row

const DONE = new URLSearchParams(location.search).has("read");
const [list, body, search, status, alert, more, empty, keys, said, link, linkText] =
  byId("list", "rows", "search", "status", "alert", "more", "empty", "keys", "said", "link", "link-text");

const board = new Board(DONE);
const made = new Map(); // study -> its row, shown or not
let me = "";
let shown = []; // studies in the order of the rows
let picked = sessionStorage.getItem("picked");
let movedAt = -Infinity;
let loading = false;

const beyond = new Beyond(DONE, () => show());
const itemOf = (study) => board.items.get(study) ?? beyond.items.get(study);

const patients = new Patients((studies) => {
  for (const study of studies) if (made.has(study)) writePatient(made.get(study), patients.get(study));
  if (search.value.trim()) show();
  else tell();
});

// -- what is shown --------------------------------------------------------------------------

function rowOf(item) {
  let one = made.get(item.study);
  if (!one) {
    one = makeRow(item.study);
    made.set(item.study, one);
    writePatient(one, patients.get(item.study));
  }
  return one;
}

/** Everything the board knows, in its order; `news` says that what rises rises because of a change. */
function show(news = false) {
  const asked = words(search.value);
  const order = board.order();
  const found = [...beyond.items.values()].filter((item) => !board.items.has(item.study));
  const fitting = [...order.filter((item) => matches(asked, item, patients.get(item.study))), ...found];
  const after = fitting.map((item) => item.study);
  const rises = news && !asked.length ? risen(shown, after) : [];
  order.forEach((item, index) => writeItem(rowOf(item), item, index + 1, me));
  for (const item of found) writeItem(rowOf(item), item, "", me);
  if (after.join() !== shown.join()) movedAt = performance.now();
  reorder(body, after.map((study) => made.get(study).row));
  for (const study of made.keys()) if (!itemOf(study)) made.delete(study);
  shown = after;
  patients.want([...order, ...found].map((item) => item.study));
  announce(rises);
  keepPick();
  tell();
}

function announce(rises) {
  for (const { study, by } of rises) {
    const one = made.get(study);
    if (by < 1) continue;
    const passed = rises.length <= 3 || board.items.get(study)?.finding;
    if (!passed) continue;
    markRise(one, by);
    clearTimeout(one.fading);
    one.fading = setTimeout(() => markRise(one, 0), MARKED);
  }
  const [first] = rises.filter((one) => one.to < 10);
  if (!first) return;
  const { finding } = board.items.get(first.study);
  const name = patients.get(first.study)?.name || "a study";
  write(said, `${name} rose to place ${first.to + 1}${finding ? `: ${finding.name}` : ""}`);
}

function tell() {
  const total = board.items.size;
  const some = shown.length;
  const noun = total === 1 ? "study" : "studies";
  const all = `${total}${board.next ? "+" : ""} ${noun} ${DONE ? "read" : "to read"}`;
  write(status, search.value.trim() ? `${some} of ${all}` : all);
  more.hidden = !board.next;
  list.hidden = some === 0;
  empty.hidden = some !== 0 || loading;
  if (!empty.hidden) archive.nothing(empty, { text: search.value.trim(), done: DONE, more: Boolean(board.next) });
  list.setAttribute("aria-rowcount", board.next ? "-1" : String(total));
  panel.show(itemOf(picked), patients.get(picked), me);
}

// -- the study picked -----------------------------------------------------------------------

function pick(study, focus = true) {
  const before = made.get(picked)?.row;
  if (before) {
    before.setAttribute("aria-selected", "false");
    before.tabIndex = -1;
  }
  picked = study ?? null;
  const row = made.get(picked)?.row;
  if (row) {
    sessionStorage.setItem("picked", picked);
    row.setAttribute("aria-selected", "true");
    row.tabIndex = 0;
    if (focus) {
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }
  panel.show(itemOf(picked), patients.get(picked), me);
}

let pickedAt = 0;

/** The pick stays on its study while that moves; when the study goes, the next one takes its place. */
function keepPick() {
  const index = shown.indexOf(picked);
  if (index >= 0) pickedAt = index;
  pick(index >= 0 ? picked : shown[Math.min(pickedAt, shown.length - 1)], false);
}

function step(by) {
  const index = Math.max(0, Math.min(shown.length - 1, shown.indexOf(picked) + by));
  if (shown[index]) pick(shown[index]);
  pickedAt = index;
}

const open = () => picked && location.assign(links.viewer(picked));

// -- what is done ---------------------------------------------------------------------------

let quiet = 0;

function warn(text) {
  clearTimeout(quiet);
  write(alert, text);
  if (text) quiet = setTimeout(() => write(alert, ""), 12_000);
}

const deeds = new Deeds({
  item: itemOf,
  changed: (item) => changed([item]),
  judged: (finding) => {
    board.judged(finding);
    show();
  },
  failed: (error) => warn(plainly(error)),
  done: (text, undo) => {
    warn("");
    write(said, text);
    panel.undoable(undo);
  },
  me: () => me,
});

const panel = new Picked({
  claim: () => deeds.claim(picked),
  finish: () => (DONE ? deeds.reopen(picked) : deeds.finish(picked)),
  accept: () => deeds.judge(picked, "accepted"),
  reject: () => deeds.judge(picked, "rejected"),
  request: (priority) => deeds.request(picked, priority),
  undo: () => (deeds.canUndo ? deeds.undo() : DONE && deeds.reopen(picked)),
  open,
});

const archive = new Archive();

// -- how it comes ---------------------------------------------------------------------------

let gathered = 0;

function changed(items) {
  let news = false;
  for (const item of items) {
    const known = board.items.get(item.study);
    if (known && known.waiting_since !== item.waiting_since) patients.forget(item.study);
    beyond.change(item);
    news = board.change(item) || news;
  }
  if (news && !gathered) {
    gathered = setTimeout(() => {
      gathered = 0;
      show(true);
    }, GATHER);
  }
}

async function reread() {
  const limit = Math.max(PAGE, Math.min(1000, board.items.size));
  const page = await worklist.page({ limit, done: DONE });
  board.take(page, true);
  loading = false;
  show(shown.length > 0);
  return page.version;
}

async function loadMore() {
  if (loading || !board.next) return;
  loading = true;
  try {
    const page = await worklist.page({ limit: PAGE, after: board.next, done: DONE });
    board.take(page, false);
  } catch (error) {
    warn(plainly(error));
  } finally {
    loading = false;
  }
  show();
  nearEnd.unobserve(more.parentNode);
  nearEnd.observe(more.parentNode);
}

const nearEnd = new IntersectionObserver(
  (seen) => seen.at(-1).isIntersecting && board.items.size < MOST_BY_ITSELF && loadMore(), { rootMargin: "500px" });

const STATES = { live: "live", asking: "every 3 s", away: "no connection" };

const live = new Live({
  changed,
  reread,
  told: (state) => {
    link.dataset.link = state;
    write(linkText, STATES[state]);
    document.body.classList.toggle("away", state === "away");
  },
});

async function begin() {
  loading = true;
  try {
    [{ name: me }] = await Promise.all([whoAmI(), archive.look()]);
    live.start(await reread());
    nearEnd.observe(more.parentNode);
  } catch (error) {
    warn(plainly(error));
    write(status, "The list could not be read; trying again…");
    setTimeout(begin, 3000);
  }
}

// -- keys, mouse, touch ---------------------------------------------------------------------

const actions = {
  j: () => step(1),
  ArrowDown: () => step(1),
  k: () => step(-1),
  ArrowUp: () => step(-1),
  g: () => pick(shown[0]),
  G: () => pick(shown.at(-1)),
  Enter: open,
  c: () => panel.claim(),
  f: () => panel.finish(),
  a: () => panel.accept(),
  x: () => panel.reject(),
  u: () => panel.undo(),
  "/": () => search.select(),
  "?": () => keys.showModal(),
  Escape: () => clearFilter(),
};

function clearFilter() {
  if (!search.value) return;
  search.value = "";
  beyond.ask("");
  show();
}

function inSearch(event) {
  if (event.key === "Escape") clearFilter();
  if (!["Escape", "ArrowDown", "Enter"].includes(event.key)) return;
  event.preventDefault();
  search.blur();
  if (picked) pick(picked);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target === search) return inSearch(event);
  if (event.target.closest("select")) return;
  if (event.key === "Enter" && event.target.closest("a, button")) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

search.addEventListener("input", () => {
  beyond.ask(board.next ? search.value.trim() : "");
  show();
});

const meantAnother = () => performance.now() - movedAt < STILL;

body.addEventListener("click", (event) => {
  const row = event.target.closest("tr.study");
  if (meantAnother()) return event.preventDefault();
  if (row && !event.target.closest("a")) pick(row.dataset.uid);
});

body.addEventListener("dblclick", (event) => {
  if (event.target.closest("tr.study") && !meantAnother()) open();
});

more.addEventListener("click", loadMore);
byId("help")[0].addEventListener("click", () => keys.showModal());

const tab = byId(DONE ? "tab-done" : "tab-open")[0];
tab.setAttribute("aria-current", "page");
list.classList.toggle("done", DONE);
if (DONE) write(byId("since-head")[0], "Read");
panel.mode(DONE);

setInterval(() => {
  for (const study of shown) {
    const item = itemOf(study); // gone already, and its row goes with the next frame
    if (item) writeTimes(made.get(study), item, me);
  }
}, 1000);

await begin();
