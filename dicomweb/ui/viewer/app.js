// The viewer: one study, its series at the side, a stack in the middle, what was found beside it.

import { date, personName } from "../common/dicom.js";
import { byId, element, write } from "../common/elements.js";
import { facts, json, links, plainly, worklist } from "../common/server.js";
import { Cine } from "./cine.js";
import { bindKeys } from "./keys.js";
import { imagesOf, rateOf } from "./images.js";
import { Loader } from "./loader.js";
import { Overlay, ageOf } from "./overlay.js";
import { presetsOf } from "./presets.js";
import { Reading } from "./reading.js";
import { Stack } from "./stack.js";
import { structureOf } from "./structure.js";
import { Surface } from "./surface.js";
import { TAG, number, one } from "./tags.js";
import { Thumbs, hasImages } from "./thumbs.js";
import { Tools } from "./tools.js";

const UID = /^[0-9.]{1,64}$/;
const [canvas, stage, instead, thumbList, presetList, panel, showPanel] = byId("stack", "stage", "instead", "thumbs", "presets", "panel", "show-panel");

const asked = new URLSearchParams(location.search).get("study") ?? "";
const study = UID.test(asked) ? asked : "";
if (study) sessionStorage.setItem("picked", study);

let series = [];
let current = -1;
let presets = [];
const read = new Map(); // series -> promise of its metadata

// -- the image ------------------------------------------------------------------------------

const overlay = new Overlay();
const loader = new Loader((image) => stack.came(image));
const surface = new Surface(canvas, {
  resized: () => {
    stack.port.on(surface.canvas.width, surface.canvas.height);
    stack.place();
    tell();
  },
  drawn: () => mark(),
});
const stack = new Stack(surface, loader, () => tell());
stack.port.on(canvas.width, canvas.height);
const cine = new Cine(stack, () => tellCine());
const tools = new Tools(stage, stack, { moved: (point) => overlay.pointed(stack, point) });
const reading = new Reading(study);

/** What is on the screen, for those who look at the page from outside. */
function mark() {
  const { shown } = stack;
  const { dataset } = surface.canvas;
  dataset.instance = shown?.image.key.instance ?? "";
  dataset.frame = shown?.image.frame ?? "";
  dataset.window = shown ? `${stack.voi.centre},${stack.voi.width}` : "";
  dataset.zoom = shown ? stack.port.scale : "";
  dataset.state = shown?.state ?? "none";
}

function tell() {
  overlay.show(stack);
  if (!stack.shown) mark();
  byId("invert")[0].setAttribute("aria-pressed", String(stack.inverted));
  const structure = instead.dataset.kind === "structure";
  if (structure) return;
  instead.hidden = !stack.message;
  if (stack.message) instead.replaceChildren(element("p", {}, stack.message));
}

// -- the series -----------------------------------------------------------------------------

const thumbs = new Thumbs(thumbList, (index) => open(index));

const metadataOf = (uid) => {
  if (!read.has(uid)) read.set(uid, json(`dicom-web/studies/${study}/series/${uid}/metadata`));
  return read.get(uid);
};

async function open(index) {
  if (index === current || !series[index]) return;
  current = index;
  cine.toggle(false);
  thumbs.mark(index);
  const uid = one(series[index], "SeriesInstanceUID");
  stack.open([]);
  instead.hidden = true;
  instead.dataset.kind = "";
  try {
    const metadata = await metadataOf(uid);
    if (index === current) put(metadata, imagesOf(metadata, study, uid));
  } catch (error) {
    read.delete(uid);
    if (index === current) say(plainly(error));
  }
}

function put(metadata, images) {
  instead.dataset.kind = images.length ? "" : "structure";
  instead.hidden = images.length > 0;
  if (!images.length) return instead.replaceChildren(...structureOf(metadata));
  cine.rate = rateOf(images[0]);
  stack.open(images);
  presets = presetsOf(images[0]);
  presetList.replaceChildren(element("option", { value: "" }, "Presets"), ...presets.map((preset, i) => element("option", { value: i }, `${i < 9 ? `${i + 1}  ` : ""}${preset.name}`)));
  presetList.disabled = presets.length === 0;
  return tellCine();
}

function say(text) {
  instead.dataset.kind = "structure";
  instead.hidden = false;
  instead.replaceChildren(element("p", {}, text));
}

const byNumber = (a, b) => number(a, "SeriesNumber") - number(b, "SeriesNumber");

/** The other viewer, where there is one. */
async function offerOhif() {
  const [link] = byId("ohif");
  const { ohif } = await facts().catch(() => ({}));
  link.href = links.ohif(study);
  link.hidden = !ohif;
}

async function begin() {
  if (!study) return say("The address names no study. Choose one from the list.");
  reading.begin();
  offerOhif();
  try {
    const [[about], found] = await Promise.all([
      json(`dicom-web/studies?StudyInstanceUID=${study}&includefield=StudyDescription,PatientAge`),
      json(`dicom-web/studies/${study}/series`),
    ]);
    if (!about) return say("The archive holds no such study.");
    head(about);
    series = found.sort((a, b) => Number(hasImages(b)) - Number(hasImages(a)) || byNumber(a, b));
    thumbs.show(study, series);
    return await open(0);
  } catch (error) {
    return say(plainly(error));
  }
}

function head(about) {
  const name = personName(about, TAG.PatientName);
  const [whose, what] = byId("patient", "study");
  write(whose, name.main || "no name");
  const facts = [String(one(about, "PatientID")), one(about, "PatientSex"), ageOf(about), one(about, "StudyDescription"), date(one(about, "StudyDate"))];
  write(what, facts.filter(Boolean).join(" · "));
}

// -- what can be pressed --------------------------------------------------------------------

function tellCine() {
  const [button, rate] = byId("cine", "rate");
  button.setAttribute("aria-pressed", String(cine.running));
  button.disabled = stack.images.length < 2;
  write(rate, String(cine.rate));
}

function mode(name) {
  tools.mode = name;
  tools.touch = name;
  for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-checked", String(button.dataset.mode === name));
}

function preset(index) {
  if (presets[index]) stack.adjust(presets[index]);
}

function fit() {
  if (stack.port.fitted) stack.port.to(1);
  else stack.port.reset();
  stack.place();
  tell();
}

const back = () => location.assign(links.list());

/** The most pressing one that nobody has and that is not this one. */
async function next() {
  try {
    const { items } = await worklist.page({ limit: 50 });
    const free = items.find((item) => item.state === "waiting" && item.study !== study);
    if (free) location.assign(links.viewer(free.study));
    else write(byId("alert")[0], "Nothing else waits to be read.");
  } catch (error) {
    write(byId("alert")[0], plainly(error));
  }
}

for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => mode(button.dataset.mode));
const pressed = { cine: () => cine.toggle(), invert: () => stack.invert(), reset: () => stack.reset(), next, help: () => byId("keys")[0].showModal() };
for (const [id, deed] of Object.entries(pressed)) {
  byId(id)[0].addEventListener("click", (event) => {
    deed();
    event.currentTarget.blur();
  });
}
presetList.addEventListener("change", () => {
  if (presetList.value !== "") preset(Number(presetList.value));
  presetList.value = "";
  presetList.blur();
});
showPanel.addEventListener("click", () => showPanel.setAttribute("aria-expanded", String(panel.classList.toggle("open"))));

bindKeys({ stack, cine, reading, overlay, preset, fit, next, back, series: (by) => open(Math.max(0, Math.min(series.length - 1, current + by))) });

await begin();
