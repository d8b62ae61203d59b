// Objects without pixels, in a form that can be read: structured reports as their tree, documents as a link,
// everything else as what it says of itself.

import { personName } from "../common/dicom.js";
import { element } from "../common/elements.js";
import { at } from "../common/server.js";
import { TAG, all, has, item, one } from "./tags.js";

const DEEPEST = 24;

const meaning = (dataset, sequence) => one(item(dataset, sequence), "CodeMeaning") || one(item(dataset, sequence), "CodeValue");

/** The value of a content item in words (PS3.3 C.17.3.2). */
function valueOf(node) {
  const kind = one(node, "ValueType");
  if (kind === "TEXT") return one(node, "TextValue");
  if (kind === "CODE") return meaning(node, "ConceptCodeSequence");
  if (kind === "PNAME") return personName(node, TAG.PersonName).main;
  if (kind === "NUM") {
    const measured = item(node, "MeasuredValueSequence");
    return measured ? `${one(measured, "NumericValue")} ${one(item(measured, "MeasurementUnitsCodeSequence"), "CodeValue")}` : "not measured";
  }
  if (kind === "UIDREF") return one(node, "UID");
  if (kind === "IMAGE" || kind === "COMPOSITE") return `refers to ${one(item(node, "ReferencedSOPSequence"), "ReferencedSOPInstanceUID")}`;
  return one(node, "DateTime") || one(node, "Date") || one(node, "Time");
}

function branch(node, depth) {
  const name = meaning(node, "ConceptNameCodeSequence");
  const value = valueOf(node);
  const inner = depth < DEEPEST ? all(node, "ContentSequence") : [];
  const head = element("p", {}, element("span", { class: "soft" }, name ? `${name}${value ? ": " : ""}` : ""), value);
  return element("li", {}, head, ...(inner.length ? [element("ul", {}, ...inner.map((one_) => branch(one_, depth + 1)))] : []));
}

function report(dataset) {
  const title = meaning(dataset, "ConceptNameCodeSequence") || "Structured report";
  return [element("h3", {}, title), element("ul", { class: "tree" }, ...all(dataset, "ContentSequence").map((node) => branch(node, 1)))];
}

function encapsulated(dataset) {
  const uri = dataset[TAG.EncapsulatedDocument]?.BulkDataURI;
  const kind = one(dataset, "MIMETypeOfEncapsulatedDocument", "document");
  const name = one(dataset, "DocumentTitle") || "Document";
  const { pathname } = new URL(uri ?? "", location.href);
  const link = uri ? element("a", { href: at(pathname.slice(pathname.indexOf("dicom-web/"))), download: "" }, `Download (${kind})`) : "";
  return [element("h3", {}, name), element("p", {}, link)];
}

function plain(dataset) {
  const said = [["Modality", "Modality"], ["Series", "SeriesDescription"], ["SOP class", "SOPClassUID"], ["SOP instance", "SOPInstanceUID"]];
  const lines = said.filter(([, keyword]) => has(dataset, keyword)).map(([name, keyword]) => element("div", {}, element("dt", {}, name), element("dd", { class: "mono" }, String(one(dataset, keyword)))));
  return [element("h3", {}, "This object has no image"), element("dl", {}, ...lines)];
}

function described(dataset) {
  if (has(dataset, "ContentSequence")) return report(dataset);
  return has(dataset, "EncapsulatedDocument") ? encapsulated(dataset) : plain(dataset);
}

/** In place of the stack: the objects of a series none of which has pixels. */
export const structureOf = (metadata) => metadata.slice(0, 50).map((dataset) => element("article", {}, ...described(dataset)));
