// A row of the list: made once for a study, then written to where something differs.

import { left, moment, span } from "../common/ages.js";
import { chips, element, write } from "../common/elements.js";
import { links, now } from "../common/server.js";

const LEVELS = [[0.66, "grave"], [0.33, "high"], [0.0001, "low"], [0, "none"]];

export const levelOf = (urgency) => LEVELS.find(([least]) => urgency >= least)[1];

const percent = (share) => `${Math.round(share * 100)} %`;

const VERDICTS = { accepted: "✓ accepted", modified: "✓ modified", rejected: "✗ rejected" };

const cell = (kind, ...children) => element("td", { class: kind, role: "gridcell" }, ...children);
const span_ = (kind) => element("span", { class: kind });

export function makeRow(study) {
  const parts = Object.fromEntries(
    ["place", "rise", "share", "finding", "sure", "verdict", "about", "described", "chips", "part", "images", "waiting", "since", "priority", "reader", "lease"].map((name) => [name, span_(name)]),
  );
  const bar = element("span", { class: "bar", "aria-hidden": "true" }, element("i"));
  const name = element("a", { class: "name", href: links.viewer(study), tabindex: "-1" });
  const row = element("tr", { class: "study", tabindex: "-1", role: "row", "aria-selected": "false", "data-uid": study },
    cell("c-place num", parts.place, parts.rise),
    cell("c-urgency", bar, parts.share),
    cell("c-finding", parts.finding, element("small", {}, parts.sure, parts.verdict)),
    cell("c-patient", name, element("small", {}, parts.about)),
    cell("c-study", parts.described, element("small", {}, parts.chips, parts.part)),
    cell("c-images num", parts.images),
    cell("c-waiting", parts.waiting, element("small", {}, parts.since)),
    cell("c-priority", parts.priority),
    cell("c-status", parts.reader, element("small", {}, parts.lease)),
  );
  return { row, parts: { ...parts, name }, bar: bar.firstChild, shown: "" };
}

export function writeItem(made, item, place, me) {
  const { parts, row, bar } = made;
  write(parts.place, String(place));
  row.dataset.level = levelOf(item.urgency);
  row.dataset.state = item.state;
  row.classList.toggle("mine", item.holder === me);
  bar.style.width = `${item.urgency * 100}%`;
  write(parts.share, item.urgency ? percent(item.urgency) : "–");
  writeFinding(parts, item.finding);
  write(parts.priority, item.requested);
  parts.priority.dataset.priority = item.requested;
  writeTimes(made, item, me);
}

function writeFinding(parts, finding) {
  write(parts.finding, finding?.name ?? "");
  write(parts.sure, finding ? `${percent(finding.confidence)} · ${finding.model} ${finding.model_version}` : "");
  write(parts.verdict, VERDICTS[finding?.verdict] ?? "");
  parts.verdict.dataset.verdict = finding?.verdict ?? "";
  parts.finding.title = finding?.name ?? "";
}

/** What time alone changes. */
export function writeTimes({ parts }, item, me) {
  const moment_ = now();
  if (item.state === "done") {
    write(parts.waiting, item.done ? moment(item.done, moment_) : "");
    write(parts.since, item.done ? `after ${span(Date.parse(item.done) - Date.parse(item.waiting_since))}` : "");
    write(parts.reader, item.done_by === me ? "you" : (item.done_by ?? ""));
    write(parts.lease, "");
    return;
  }
  write(parts.waiting, span(moment_ - Date.parse(item.waiting_since)));
  write(parts.since, `since ${moment(item.waiting_since, moment_)}`);
  const remaining = item.holder ? Date.parse(item.held_until) - moment_ : 0;
  write(parts.reader, remaining > 0 ? (item.holder === me ? "you" : item.holder) : "");
  write(parts.lease, remaining > 0 ? `${left(remaining)} left` : "");
}

export function writePatient(made, known) {
  const { parts } = made;
  const shown = JSON.stringify(known);
  if (made.shown === shown) return;
  made.shown = shown;
  write(parts.name, known ? known.name || "no name" : "…");
  parts.name.title = [known?.name, known?.other].filter(Boolean).join(" · ");
  write(parts.about, known ? [known.id, known.age, known.sex, known.other].filter(Boolean).join(" · ") : "");
  write(parts.described, known?.description || (known ? "no description" : ""));
  parts.described.title = known?.description ?? "";
  parts.described.classList.toggle("soft", !known?.description);
  parts.chips.replaceChildren(...chips(known?.modalities ?? []));
  write(parts.part, [known?.parts.join(", ").toLowerCase(), known?.date].filter(Boolean).join(" · "));
  write(parts.images, known ? String(known.images) : "");
}

/** Up by so many places, until it has been seen for a while. */
export function markRise(made, by) {
  write(made.parts.rise, by ? `▲ ${by}` : "");
  made.row.classList.toggle("risen", by > 0);
}
