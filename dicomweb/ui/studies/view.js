// Elements from values. Text goes in as text, never as markup: names come from anywhere.

import { TAG, date, first, personName, time, values } from "../common/dicom.js";
import { chips as made, element } from "../common/elements.js";
import { links } from "../common/server.js";

const cell = (text, kind = "") => element("td", { class: kind, title: text }, text);

const away = (href, text, label) =>
  element("a", { href, target: "_blank", rel: "noopener", "aria-label": label ?? text }, text);

const chips = (modalities) => element("td", { title: modalities.join(", ") }, ...made(modalities));

export function studyRow(study) {
  const uid = first(study, TAG.studyUid);
  const row = element("tr", { class: "study", tabindex: "-1", "aria-selected": "false", "aria-expanded": "false", "data-uid": uid });
  row.append(
    dated(study), patient(study), cell(first(study, TAG.patientId), "mono"), chips(values(study, TAG.modalities)),
    cell(first(study, TAG.description)), cell(first(study, TAG.accession), "mono"),
    cell(String(first(study, TAG.seriesCount)), "num"), cell(String(first(study, TAG.instanceCount)), "num"),
    element("td", { class: "num" }, element("a", { href: links.viewer(uid), class: "open" }, "Open")),
  );
  return row;
}

function dated(study) {
  const day = date(first(study, TAG.studyDate));
  return element("td", {}, element("span", { class: "turn", "aria-hidden": "true" }, "›"), day || element("span", { class: "soft" }, "no date"),
    element("span", { class: "time" }, time(first(study, TAG.studyTime))));
}

function patient(study) {
  const name = personName(study, TAG.patientName);
  const about = [name.other, first(study, TAG.sex), date(first(study, TAG.birthDate))].filter(Boolean).join(" · ");
  const shown = name.main ? element("span", { class: "name" }, name.main) : element("span", { class: "soft" }, "no name");
  return element("td", {}, shown, element("span", { class: "about" }, about));
}

export function sheet(uid, series, facts) {
  const heads = [["No", "s-no num"], ["Modality", "s-mod"], ["Description", ""], ["Body part", "s-part"], ["Images", "s-num num"], ["DICOMweb", "s-link"]];
  const head = element("tr", {}, ...heads.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...series.map((one) => seriesRow(uid, one))));
  return element("div", { class: "sheet" }, studyLinks(uid, facts), element("p", { class: "uid" }, uid), table);
}

const studyLinks = (uid, { ohif }) =>
  element("p", { class: "links" }, ...(ohif ? [away(links.ohif(uid), "OHIF ↗", "Open in OHIF")] : []), away(links.study(uid), "Study ↗"), away(links.series(uid), "Series ↗"), away(links.metadata(uid), "Metadata ↗"));

function seriesRow(study, series) {
  const uid = first(series, TAG.seriesUid);
  return element("tr", {}, cell(String(first(series, TAG.seriesNumber)), "num"), chips(values(series, TAG.modality)),
    cell(first(series, TAG.seriesDescription)), cell(first(series, TAG.bodyPart)), cell(String(first(series, TAG.seriesInstances)), "num"),
    element("td", {}, away(links.instances(study, uid), "Instances ↗"), away(links.seriesMetadata(study, uid), "Metadata ↗")));
}

export const nothingFound = (text) => [
  element("h2", {}, "No study matches"),
  element("p", {}, `Nothing holds every word of “${text}”. Fewer words or part of a word find more; * stands for anything.`),
];
