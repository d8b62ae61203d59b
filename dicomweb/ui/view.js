// Elements from values. Text goes in as text, never as markup: names come from anywhere.

import { TAG, date, first, personName, time, values } from "./dicom.js";
import { links } from "./server.js";

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const cell = (text, kind = "") => element("td", { class: kind, title: text }, text);

const away = (href, text, label) =>
  element("a", { href, target: "_blank", rel: "noopener", "aria-label": label ?? text }, text);

const chips = (modalities) => {
  const shown = modalities.map((modality) => element("span", { class: "chip" }, modality));
  return element("td", { title: modalities.join(", ") }, ...shown);
};

export function studyRow(study) {
  const uid = first(study, TAG.studyUid);
  const row = element("tr", { class: "study", tabindex: "-1", "aria-selected": "false", "aria-expanded": "false", "data-uid": uid });
  row.append(
    dated(study), patient(study), cell(first(study, TAG.patientId), "mono"), chips(values(study, TAG.modalities)),
    cell(first(study, TAG.description)), cell(first(study, TAG.accession), "mono"),
    cell(String(first(study, TAG.seriesCount)), "num"), cell(String(first(study, TAG.instanceCount)), "num"),
    element("td", { class: "num" }, away(links.study(uid), "JSON ↗", "What DICOMweb returns for this study")),
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

export function sheet(uid, series) {
  const heads = [["No", "s-no num"], ["Modality", "s-mod"], ["Description", ""], ["Body part", "s-part"], ["Images", "s-num num"], ["DICOMweb", "s-link"]];
  const head = element("tr", {}, ...heads.map(([text, kind]) => element("th", { scope: "col", class: kind }, text)));
  const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...series.map((one) => seriesRow(uid, one))));
  return element("div", { class: "sheet" }, studyLinks(uid), element("p", { class: "uid" }, uid), table);
}

const studyLinks = (uid) =>
  element("p", { class: "links" }, away(links.study(uid), "Study ↗"), away(links.series(uid), "Series ↗"), away(links.metadata(uid), "Metadata ↗"));

function seriesRow(study, series) {
  const uid = first(series, TAG.seriesUid);
  return element("tr", {}, cell(String(first(series, TAG.seriesNumber)), "num"), chips(values(series, TAG.modality)),
    cell(first(series, TAG.seriesDescription)), cell(first(series, TAG.bodyPart)), cell(String(first(series, TAG.seriesInstances)), "num"),
    element("td", {}, away(links.instances(study, uid), "Instances ↗"), away(links.seriesMetadata(study, uid), "Metadata ↗")));
}

export function nothingStored(facts) {
  const [host, port] = (facts.dimse ?? "").split(/:(?=\d+$)/);
  const reached = ["0.0.0.0", "::", "", undefined].includes(host) ? location.hostname : host;
  const base = new URL("dicom-web", location.href).href;
  return [
    element("h2", {}, "Nothing is stored yet"),
    element("p", {}, `Send images from a modality or workstation to the AE title ${facts.aet ?? "HILUM"}, or from a folder on this machine:`),
    element("pre", {}, `storescu -aec ${facts.aet ?? "HILUM"} ${reached} ${port ?? "11112"} +sd +r FOLDER`),
    element("p", {}, "Over DICOMweb one file goes in like this; the study appears here the moment it is acknowledged:"),
    element("pre", {}, `curl -H "Content-Type: application/dicom" --data-binary @image.dcm ${base}/studies`),
  ];
}

export const nothingFound = (text) => [
  element("h2", {}, "No study matches"),
  element("p", {}, `Nothing holds every word of “${text}”. Fewer words or part of a word find more; * stands for anything.`),
];
