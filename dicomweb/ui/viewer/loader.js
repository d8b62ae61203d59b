// What is fetched next, and what is kept: bounded by bytes, the image in view first, given up when no longer wanted.

import { Refused, links, refusal } from "../common/server.js";
import { NotShown, decode } from "./pixels.js";
import { tablesOf } from "./tables.js";
import { bytesOf, idOf } from "./images.js";

const SIDE = 8; // a preview is an eighth of the image each way
const AT_ONCE = 4; // of the six connections a browser has for one server
const MB = 1024 * 1024;
const SKIPPED = new Set([400, 404, 406, 501]); // answers that say: no preview of this

export const budget = () => Math.min(512, 64 * (navigator.deviceMemory ?? (matchMedia("(pointer: coarse)").matches ? 2 : 8))) * MB;

const sizeOf = (picture) => picture.data.byteLength;

/** Wants are `{image, small}`: the preview or the exact frame. */
const nameOf = ({ image, small }) => `${small ? "preview" : "exact"} ${idOf(image)}`;

export class Loader {
  #kept = new Map(); // name -> picture, the longest unused first
  #under = new Map(); // name -> AbortController
  #failed = new Map(); // name -> Error
  #unsized = new Set(); // series that give no previews
  #tables = new Map(); // instance -> promise of its tables
  #wanted = [];
  #bytes = 0;

  /** `came(image)`: a picture of it, or word that there will be none. */
  constructor(came, most = budget()) {
    this.came = came;
    this.most = most;
  }

  picture(image, small) {
    const name = nameOf({ image, small });
    const picture = this.#kept.get(name);
    if (picture) {
      this.#kept.delete(name);
      this.#kept.set(name, picture);
    }
    return picture ?? null;
  }

  get bytes() {
    return this.#bytes;
  }

  has = (want) => this.#kept.has(nameOf(want));

  failure(image) {
    return this.#failed.get(nameOf({ image, small: false })) ?? null;
  }

  /** Whether waiting for a preview of it is of any use. */
  previews(image) {
    return !this.#unsized.has(image.key.series) && !this.#failed.has(nameOf({ image, small: true }));
  }

  /** What is wanted now, most pressing first. What is under way for nobody is given up. */
  want(wants) {
    this.#wanted = wants;
    const names = new Set(wants.map(nameOf));
    for (const [name, control] of this.#under) if (!names.has(name)) control.abort();
    this.#next();
  }

  forgive() {
    this.#failed.clear();
  }

  #next() {
    for (const want of this.#wanted) {
      if (this.#under.size >= AT_ONCE) return;
      const name = nameOf(want);
      if (this.#kept.has(name) || this.#under.has(name) || this.#failed.has(name)) continue;
      if (want.small && !this.previews(want.image)) continue;
      this.#fetch(name, want);
    }
  }

  async #fetch(name, want) {
    const control = new AbortController();
    this.#under.set(name, control);
    try {
      const picture = await this.#picture(want, control.signal);
      if (picture) this.#keep(picture.exact && want.small ? nameOf({ ...want, small: false }) : name, picture);
    } catch (error) {
      if (error.name !== "AbortError") this.#failed.set(name, error);
    }
    this.#under.delete(name);
    if (!control.signal.aborted) this.came(want.image);
    this.#next();
  }

  async #picture({ image, small }, signal) {
    const pressing = this.#wanted[0]?.image === image || this.#wanted[1]?.image === image;
    const address = links.frame(image.key, image.frame) + (small ? `?resolution=1/${SIDE}` : "");
    const answer = await fetch(address, { signal, headers: { Accept: "application/octet-stream" }, priority: pressing ? "high" : "low" });
    if (!answer.ok) {
      if (small && SKIPPED.has(answer.status)) this.#unsized.add(image.key.series);
      throw await refusal(answer);
    }
    const [buffer, tables] = await Promise.all([answer.arrayBuffer(), this.#tablesOf(image)]);
    const shape = told(image.shape, answer.headers);
    Object.assign(image, { modalityTable: tables.modalityTable, voiTable: tables.voiTable });
    const exact = shape.rows === image.shape.rows && shape.columns === image.shape.columns;
    return { ...decode(buffer, shape, tables.palette), exact, factor: exact ? 1 : SIDE };
  }

  #tablesOf(image) {
    const { instance } = image.key;
    if (!this.#tables.has(instance)) this.#tables.set(instance, tablesOf(image));
    return this.#tables.get(instance);
  }

  #keep(name, picture) {
    if (this.#kept.has(name)) return;
    this.#kept.set(name, picture);
    this.#bytes += sizeOf(picture);
    const pressing = new Set(this.#wanted.slice(0, 2).map(nameOf));
    for (const [old, one] of this.#kept) {
      if (this.#bytes <= this.most) return;
      if (pressing.has(old) || old === name) continue;
      this.#kept.delete(old);
      this.#bytes -= sizeOf(one);
    }
  }
}

/** The shape the answer has, where that is not what the metadata says: smaller, by pixel, converted. */
function told(shape, headers) {
  const [rows, columns] = ["Hilum-Rows", "Hilum-Columns"].map((name) => Number(headers.get(name)) || 0);
  const photometric = headers.get("Hilum-Photometric-Interpretation") ?? shape.photometric;
  const smaller = headers.has("Hilum-Resolution");
  return { ...shape, photometric, rows: rows || shape.rows, columns: columns || shape.columns, planar: smaller ? 0 : shape.planar };
}

/** In words, for the place of the image. */
export function whyNot(error) {
  if (error instanceof NotShown) return error.message;
  if (error instanceof Refused && error.status === 406) return "The archive cannot decode the compression of this image.";
  if (error instanceof Refused) return error.plainly;
  return "The image could not be fetched. It is tried again when you scroll to it.";
}

/** The images around the one in view, nearest first and ahead before behind, as many as fit in the cache. */
export function around(images, index, ahead, most) {
  const wants = [];
  let bytes = bytesOf(images[index]);
  const large = bytes > 4 * MB;
  for (let distance = 1; distance < images.length && distance <= 400; distance += 1) {
    for (const step of [distance * ahead, -distance * ahead]) {
      const image = images[index + step];
      if (!image) continue;
      if (large && distance <= 8) wants.push({ image, small: true, near: distance });
      if (large && distance > 2) continue;
      bytes += bytesOf(image);
      if (bytes > most * 0.9) return wants;
      wants.push({ image, small: false, near: distance + (large ? 8 : 0) });
    }
  }
  return wants.sort((a, b) => a.near - b.near);
}
