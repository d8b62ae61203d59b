// What is written over the image: whose it is, what it is, how it is shown, which way it lies.

import { age } from "../common/ages.js";
import { date, personName, time } from "../common/dicom.js";
import { byId, element, write } from "../common/elements.js";
import { along } from "./images.js";
import { TAG, number, one } from "./tags.js";

const [overlay, badge, track, rule] = byId("overlay", "badge", "track", "rule");
const corner = (name) => overlay.querySelector(`[data-corner="${name}"]`);

export const ageOf = (dataset) => age(one(dataset, "PatientAge"), one(dataset, "PatientBirthDate"), one(dataset, "StudyDate"));

const lines = (place, texts) => {
  const shown = texts.filter(Boolean);
  if (place.dataset.shown === shown.join("\n")) return;
  place.dataset.shown = shown.join("\n");
  place.replaceChildren(...shown.map((text) => element("div", {}, text)));
};

const joined = (...texts) => texts.filter((text) => text !== "" && text !== null).join(" · ");

const round = (value) => (Math.abs(value) >= 100 || Number.isInteger(value) ? String(Math.round(value)) : String(Number(value.toFixed(2))));

/** Patient axes of a direction: of LPH, the letters in the order of their share (PS3.3 C.7.6.1.1.1). */
function letters([x, y, z]) {
  const named = [[x, x > 0 ? "L" : "R"], [y, y > 0 ? "P" : "A"], [z, z > 0 ? "H" : "F"]];
  return named.filter(([share]) => Math.abs(share) > 0.3).sort(([a], [b]) => Math.abs(b) - Math.abs(a)).slice(0, 2).map(([, letter]) => letter).join("");
}

const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const opposite = (text) => [...text].map((letter) => OPPOSITE[letter] ?? letter).join("");

function sides({ place, dataset }) {
  if (place.orientation) return [letters(place.orientation.slice(0, 3)), letters(place.orientation.slice(3))];
  const told = dataset[TAG.PatientOrientation]?.Value ?? [];
  return [told[0] ?? "", told[1] ?? ""];
}

function positionOf(image) {
  const place = along(image.place) ?? (image.location === null ? null : Number(image.location));
  const thick = number(image.dataset, "SliceThickness");
  return joined(place === null ? "" : `at ${place.toFixed(1)} mm`, thick ? `${round(thick)} mm thick` : "");
}

const STATES = { preview: "1/8 preview", exact: "exact" };

export class Overlay {
  constructor() {
    this.point = null;
  }

  toggle() {
    overlay.classList.toggle("off");
  }

  show(stack) {
    this.#badge(stack);
    this.#track(stack);
    const { shown } = stack;
    overlay.hidden = !shown;
    if (!shown) return;
    const { image } = shown;
    const { dataset } = image;
    lines(corner("nw"), [personName(dataset, TAG.PatientName).main || "no name", joined(String(one(dataset, "PatientID")), one(dataset, "PatientSex"), ageOf(dataset)), date(one(dataset, "PatientBirthDate")) && `born ${date(one(dataset, "PatientBirthDate"))}`]);
    lines(corner("ne"), [one(dataset, "StudyDescription"), joined(date(one(dataset, "StudyDate")), time(one(dataset, "StudyTime"))), joined(one(dataset, "AccessionNumber")), one(dataset, "InstitutionName")]);
    lines(corner("sw"), [joined(`${one(dataset, "Modality")} ${one(dataset, "SeriesNumber")}`, one(dataset, "SeriesDescription")), this.#which(stack, image), joined(one(dataset, "ViewPosition"), one(dataset, "ImageLaterality"), positionOf(image))]);
    this.#how(stack);
    this.#sides(image);
    this.#rule(stack, image);
  }

  #which({ images }, image) {
    const place = `image ${images.indexOf(image) + 1} of ${images.length}`;
    return image.frames > 1 ? joined(place, `frame ${image.frame}`) : place;
  }

  /** How it is shown; with the value below the pointer. */
  #how(stack) {
    const { centre, width } = stack.voi;
    const { scale } = stack.port;
    const value = this.point && stack.valueAt(this.point);
    const colour = stack.shown.picture.kind === "colour";
    lines(corner("se"), [
      value ? `${value.column}, ${value.row}: ${value.value}${!colour && stack.shown.image.rescale.unit === "HU" ? " HU" : ""}` : "",
      colour && !stack.window ? "" : `W ${round(width)}  L ${round(centre)}${stack.inverted ? "  inverted" : ""}`,
      joined(`zoom ${Math.round(scale * 100)} %`, `${stack.port.image.columns} × ${stack.port.image.rows}`),
    ]);
  }

  pointed(stack, point) {
    this.point = point;
    if (stack.shown) this.#how(stack);
  }

  #sides(image) {
    const [across, down] = sides(image);
    const named = { e: across, w: opposite(across), s: down, n: opposite(down) };
    for (const [side, text] of Object.entries(named)) write(overlay.querySelector(`[data-side="${side}"]`), text);
  }

  /** A length of 1, 2 or 5 of something that fits the screen. */
  #rule(stack, { spacing, detector }) {
    rule.hidden = !spacing;
    if (!spacing) return;
    const pixels = stack.port.scale / (devicePixelRatio || 1) / spacing[1]; // css pixels a millimetre
    const length = [1, 2, 5, 10, 20, 50, 100, 200].findLast((mm) => mm * pixels <= 160) ?? 1;
    rule.firstElementChild.style.width = `${length * pixels}px`;
    write(rule.lastElementChild, `${length >= 10 ? `${length / 10} cm` : `${length} mm`}${detector ? " at detector" : ""}`);
  }

  #badge({ shown, image, message }) {
    const waiting = image && shown?.image !== image && !message;
    const state = message || !image ? "none" : waiting ? "loading" : shown.state;
    badge.dataset.state = state;
    write(badge, STATES[state] ?? (waiting ? "loading" : ""));
  }

  #track({ images, index }) {
    track.hidden = images.length < 2;
    if (track.hidden) return;
    track.firstElementChild.style.height = `${Math.max(3, 100 / images.length)}%`;
    track.firstElementChild.style.top = `${(index / Math.max(1, images.length - 1)) * (100 - Math.max(3, 100 / images.length))}%`;
  }
}
