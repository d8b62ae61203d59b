// The study list: search as you type, page by scrolling, open a study in place.

import { TAG, first, size } from "../common/dicom.js";
import { element } from "../common/elements.js";
import { nothingStored } from "../common/empty.js";
import * as server from "../common/server.js";
import { nothingFound, sheet, studyRow } from "./view.js";

const PAGE = 60;
const PAUSE = 160; // ms without a keystroke before a search
const LOOK_AGAIN = 10_000; // ms between looks at the facts

const at = (id) => document.getElementById(id);
const [search, list, status, more, news, empty, keys] = ["search", "rows", "status", "more", "news", "empty", "keys"].map(at);

let asked = { text: "", abort: new AbortController(), busy: false };
let known = new Set();
let facts = {};
let seen = null; // instances stored when the list was asked for
let selected = null;

const rows = () => [...list.querySelectorAll("tr.study")];

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

async function ask(text) {
  asked.abort.abort();
  asked = { text, abort: new AbortController(), busy: false };
  news.hidden = true;
  seen = facts.instances ?? null;
  await load(true);
}

async function load(fresh) {
  const mine = asked;
  if (mine.busy) return;
  mine.busy = true;
  try {
    const offset = fresh ? 0 : known.size;
    const page = await server.studies(mine.text, offset, PAGE, mine.abort.signal);
    mine.busy = false;
    if (mine !== asked) return;
    show(page, fresh);
    lookForEnd();
  } catch (error) {
    if (error.name !== "AbortError") say(`The studies could not be read: ${error.message}`, true);
  } finally {
    mine.busy = false;
  }
}

const nearEnd = new IntersectionObserver((seen) => seen.at(-1).isIntersecting && !more.hidden && load(false), { rootMargin: "600px" });

/** Observed anew after every page: an end that is still near says nothing by itself. */
function lookForEnd() {
  nearEnd.unobserve(at("end"));
  nearEnd.observe(at("end"));
}

function show(page, fresh) {
  const uid = selected?.dataset.uid;
  if (fresh) known = new Set();
  const fitting = page.studies.filter((study) => !known.has(first(study, TAG.studyUid)));
  fitting.forEach((study) => known.add(first(study, TAG.studyUid)));
  const made = fitting.map(studyRow);
  if (fresh) list.replaceChildren(...made);
  else list.append(...made);
  more.hidden = !page.more;
  if (fresh) select(rows().find((row) => row.dataset.uid === uid) ?? rows()[0] ?? null, false);
  tell(page.more);
}

function tell(hasMore) {
  const count = known.size;
  document.querySelector("#list").hidden = count === 0;
  empty.hidden = count !== 0;
  if (count === 0) empty.replaceChildren(...(asked.text ? nothingFound(asked.text) : nothingStored(facts)));
  const noun = count === 1 ? "study" : "studies";
  say(asked.text ? `${count} ${noun}${hasMore ? " and more" : ""} found` : `${count}${hasMore ? " latest" : ""} ${noun} shown`);
}

function select(row, scroll = true) {
  if (selected) {
    selected.setAttribute("aria-selected", "false");
    selected.tabIndex = -1;
  }
  selected = row;
  if (!row) return;
  row.setAttribute("aria-selected", "true");
  row.tabIndex = 0;
  if (!scroll) return;
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step) {
  const all = rows();
  const target = all[Math.max(0, Math.min(all.length - 1, all.indexOf(selected) + step))];
  if (target) select(target);
}

const opened = (row) => (row?.nextElementSibling?.classList.contains("inside") ? row.nextElementSibling : null);

async function toggle(row) {
  if (!row) return;
  if (opened(row)) {
    opened(row).remove();
    row.setAttribute("aria-expanded", "false");
    return;
  }
  row.setAttribute("aria-expanded", "true");
  const inner = element("td", { colspan: "9" }, element("p", { class: "sheet soft" }, "Reading the series…"));
  row.after(element("tr", { class: "inside" }, inner));
  try {
    inner.replaceChildren(sheet(row.dataset.uid, await server.seriesOf(row.dataset.uid), facts));
  } catch (error) {
    inner.replaceChildren(element("p", { class: "sheet wrong" }, `The series could not be read: ${error.message}`));
  }
}

async function look() {
  try {
    facts = await server.facts();
  } catch (error) {
    say(`The archive does not answer: ${error.message}`, true);
    return;
  }
  for (const place of document.querySelectorAll("[data-fact]")) {
    const value = facts[place.dataset.fact];
    place.textContent = place.dataset.fact === "bytes" ? size(value) : value.toLocaleString("en");
  }
  at("station").textContent = `${facts.aet} · version ${facts.version}`;
  const disk = at("disk");
  disk.high = 0.85;
  disk.optimum = 0;
  disk.value = 1 - facts.disk_free / facts.disk_total;
  disk.title = `${Math.round(100 * disk.value)} % of the disk is used`;
  at("free").textContent = `${size(facts.disk_free)} free`;
  if (seen === null) seen = facts.instances;
  news.hidden = seen === facts.instances;
}

const again = () => ask(search.value.trim());

const actions = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  g: () => select(rows()[0] ?? null),
  G: () => select(rows().at(-1) ?? null),
  Enter: () => toggle(selected),
  "/": () => search.select(),
  v: () => selected && location.assign(server.links.viewer(selected.dataset.uid)),
  w: () => selected && window.open(server.links.study(selected.dataset.uid), "_blank", "noopener"),
  r: () => again(),
  "?": () => keys.showModal(),
  Escape: () => rows().filter(opened).forEach(toggle),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys.open) return;
  if (event.target === search) {
    if (!["Escape", "ArrowDown", "Enter"].includes(event.key)) return;
    search.blur();
    if (selected) select(selected);
    event.preventDefault();
    return;
  }
  if (event.key === "Enter" && event.target.closest("a, button")) return;
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

let pause = 0;
search.addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(again, PAUSE);
});

list.addEventListener("click", (event) => {
  const row = event.target.closest("tr.study");
  if (!row || event.target.closest("a")) return;
  select(row, false);
  toggle(row);
});

more.addEventListener("click", () => load(false));
news.addEventListener("click", again);
at("help").addEventListener("click", () => keys.showModal());
await look();
await again();
setInterval(() => document.hidden || look(), LOOK_AGAIN);
