// Lookup tables: from a stored sample to 8 bits of grey, by way of modality values and a window
// (PS3.3 C.11.1, C.11.2); and the tables that objects bring themselves.

import { at } from "../common/server.js";
import { TAG, all, has, item } from "./tags.js";

export const PLAIN = { centre: 127.5, width: 255, shape: "LINEAR_EXACT" }; // colour as it is

const SHAPES = {
  LINEAR: ({ centre, width }) => (x) => (width > 1 ? (x - (centre - 0.5)) / (width - 1) + 0.5 : Number(x > centre - 0.5)),
  LINEAR_EXACT: ({ centre, width }) => (x) => (x - centre) / width + 0.5,
  SIGMOID: ({ centre, width }) => (x) => 1 / (1 + Math.exp((-4 * (x - centre)) / width)),
};

const shapeOf = (voi) => (voi.table ? byTable(voi.table) : (SHAPES[voi.shape] ?? SHAPES.LINEAR)(voi));

/** `x` -> share of white, by a table of the object: below and above it hold its ends. */
const byTable = ({ first, values, top }) => (x) => values[Math.min(values.length - 1, Math.max(0, Math.round(x) - first))] / top;

/** Stored sample -> modality value. */
export function modalityOf(image, picture) {
  const { slope, intercept } = image.rescale;
  const { stored, high, signed, allocated } = image.shape;
  if (picture?.span) return (raw) => (raw * picture.span.scale + picture.span.low) * slope + intercept;
  const shift = allocated > 1 ? high + 1 - stored : 0;
  const [mask, sign] = [2 ** stored - 1, signed ? 2 ** (stored - 1) : 0];
  const value = (raw) => (((raw >> shift) & mask) ^ sign) - sign;
  const lut = image.modalityTable;
  if (lut) return (raw) => lut.values[Math.min(lut.values.length - 1, Math.max(0, value(raw) - lut.first))];
  return (raw) => value(raw) * slope + intercept;
}

const eight = (share, inverted) => {
  const level = Math.floor(Math.min(1, Math.max(0, share)) * 255 + 0.5);
  return inverted ? 255 - level : level;
};

/** 256 or 65,536 entries for the samples of `picture`. */
export function tableFor(image, picture, voi, inverted) {
  const share = shapeOf(voi);
  if (picture.kind === "colour") return Uint8Array.from({ length: 256 }, (_, x) => eight(share(x), inverted));
  const modality = modalityOf(image, picture);
  const dark = (image.shape.photometric === "MONOCHROME1") !== image.inverse;
  const table = new Uint8Array(picture.data.BYTES_PER_ELEMENT === 1 ? 256 : 65536);
  for (let raw = 0; raw < table.length; raw += 1) table[raw] = eight(share(modality(raw)), inverted !== dark);
  return table;
}

// -- tables that come with the object -------------------------------------------------------------

async function bytesOf(element) {
  if (element?.InlineBinary) return Uint8Array.from(atob(element.InlineBinary), (char) => char.charCodeAt(0));
  if (!element?.BulkDataURI) return null;
  const { pathname } = new URL(element.BulkDataURI, location.href);
  const answer = await fetch(at(pathname.slice(pathname.indexOf("dicom-web/"))), { headers: { Accept: "application/octet-stream" } });
  return answer.ok ? new Uint8Array(await answer.arrayBuffer()) : null;
}

/** Entries of a table, whether they came as numbers, inline or by reference; `bits` 8 or 16. */
async function entries(element, bits, count) {
  if (element?.Value) return Uint16Array.from(element.Value);
  const bytes = await bytesOf(element);
  if (!bytes) return null;
  if (bits === 8 && bytes.length < 2 * count) return Uint16Array.from(bytes);
  return new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + (bytes.length & ~1)));
}

const signedFirst = (first, signed) => (signed && first > 32767 ? first - 65536 : first);

async function lutOf(lut, signed) {
  const [count, first, bits] = all(lut, "LUTDescriptor").map(Number);
  const values = await entries(lut[TAG.LUTData], bits, count || 65536);
  return values && { first: signedFirst(first, signed), values, top: 2 ** (bits || 16) - 1, name: "LUT" };
}

const COLOURS = ["Red", "Green", "Blue"];

async function paletteOf(dataset, signed) {
  const tables = await Promise.all(COLOURS.map(async (colour) => {
    const [count, first, bits] = all(dataset, `${colour}PaletteColorLookupTableDescriptor`).map(Number);
    const whole = await entries(dataset[TAG[`${colour}PaletteColorLookupTableData`]], bits, count || 65536);
    const values = whole ?? expanded(await entries(dataset[TAG[`Segmented${colour}PaletteColorLookupTableData`]], 16, 0));
    const shift = bits === 8 || (values && !values.some((value) => value > 255)) ? 0 : 8;
    return values && { first: signedFirst(first, signed), table: Uint8Array.from(values, (value) => value >> shift) };
  }));
  return tables.every(Boolean) ? tables : null;
}

/** Segmented tables (PS3.3 C.7.9.2): runs of values, straight lines, and repetitions of both. */
function expanded(words) {
  if (!words) return null;
  const out = [];
  const read = (at) => {
    const [kind, length] = [words[at], words[at + 1]];
    if (kind === 0) {
      for (let i = 0; i < length; i += 1) out.push(words[at + 2 + i]);
      return at + 2 + length;
    }
    if (kind === 1) {
      const [from, to] = [out.at(-1) ?? 0, words[at + 2]];
      for (let i = 1; i <= length; i += 1) out.push(Math.round(from + ((to - from) * i) / length));
      return at + 3;
    }
    let again = words[at + 2] + words[at + 3] * 65536;
    for (let i = 0; i < length; i += 1) again = words[again] === 2 ? words.length : read(again);
    return at + 4;
  };
  for (let at = 0; at < words.length && out.length <= 65536; ) at = read(at);
  return Uint16Array.from(out);
}

/** What showing an image takes beside its frame; fetched once an object. */
export async function tablesOf(image) {
  const { dataset, shape } = image;
  const [modality, voi] = [item(dataset, "ModalityLUTSequence"), item(dataset, "VOILUTSequence")];
  const [modalityTable, voiTable, palette] = await Promise.all([
    modality && lutOf(modality, shape.signed),
    voi && !image.windows.length && lutOf(voi, shape.signed),
    shape.photometric === "PALETTE COLOR" && has(dataset, "RedPaletteColorLookupTableDescriptor") && paletteOf(dataset, shape.signed),
  ]);
  return { modalityTable: modalityTable || null, voiTable: voiTable || null, palette: palette || null };
}
