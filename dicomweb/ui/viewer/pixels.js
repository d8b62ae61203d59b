// From the bytes of a frame, as Explicit VR Little Endian has them, to what a painter takes:
// grey: one unsigned sample a pixel, as stored; colour: RGBA.

/** An image that this viewer cannot make a picture of, and why. */
export class NotShown extends Error {}

/** `shape` as in images.js, `palette` three tables (below) for PALETTE COLOR. */
export function decode(buffer, shape, palette = null) {
  const { rows, columns } = shape;
  if (shape.samples === 3) return { kind: "colour", rows, columns, data: rgba(buffer, shape) };
  const samples = greyOf(buffer, shape);
  if (shape.photometric === "PALETTE COLOR" && palette) return { kind: "colour", rows, columns, data: painted(samples.data, palette, shape) };
  return { kind: "grey", rows, columns, ...samples };
}

function greyOf(buffer, shape) {
  const count = shape.rows * shape.columns;
  if (shape.allocated === 1) return { data: unpacked(buffer, count) };
  if (buffer.byteLength < (count * shape.allocated) / 8) throw new NotShown("The frame is shorter than its rows and columns say.");
  if (shape.allocated === 8) return { data: new Uint8Array(buffer, 0, count) };
  if (shape.allocated === 16) return { data: new Uint16Array(buffer, 0, count) };
  if (shape.allocated === 32) return squeezed(shape.signed ? new Int32Array(buffer, 0, count) : new Uint32Array(buffer, 0, count));
  throw new NotShown(`Samples of ${shape.allocated} bits are not shown.`);
}

/** PS3.5 8.1.1: the first pixel is the lowest bit. */
function unpacked(buffer, count) {
  const packed = new Uint8Array(buffer);
  return Uint8Array.from({ length: count }, (_, i) => (packed[i >> 3] >> (i & 7)) & 1);
}

/** 32 bits to 16; `span` leads back to the stored values. */
function squeezed(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = high > low ? (high - low) / 65535 : 1;
  return { data: Uint16Array.from(values, (value) => Math.round((value - low) / scale)), span: { scale, low } };
}

function rgba(buffer, shape) {
  const bytes = eightBits(buffer, shape);
  const count = shape.rows * shape.columns;
  if (bytes.length < 3 * count) return subsampled(bytes, count, shape);
  const [step, next] = shape.planar ? [1, count] : [3, 1];
  const out = new Uint8ClampedArray(4 * count);
  const convert = shape.photometric.startsWith("YBR") ? fromYbr : null;
  for (let i = 0, from = 0, to = 0; i < count; i += 1, from += step, to += 4) {
    const [a, b, c] = [bytes[from], bytes[from + next], bytes[from + 2 * next]];
    if (convert) convert(out, to, a, b, c);
    else {
      out[to] = a;
      out[to + 1] = b;
      out[to + 2] = c;
    }
    out[to + 3] = 255;
  }
  return out;
}

function eightBits(buffer, { allocated, stored }) {
  if (allocated === 8) return new Uint8Array(buffer);
  if (allocated !== 16) throw new NotShown(`Colour of ${allocated} bits is not shown.`);
  return Uint8Array.from(new Uint16Array(buffer), (value) => value >> Math.max(0, stored - 8));
}

/** YBR_FULL (PS3.3 C.7.6.3.1.2). The array clamps and rounds. */
function fromYbr(out, to, y, cb, cr) {
  out[to] = y + 1.402 * (cr - 128);
  out[to + 1] = y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128);
  out[to + 2] = y + 1.772 * (cb - 128);
}

/** YBR_FULL_422: two pixels share their colour: Y1 Y2 CB CR. */
function subsampled(bytes, count, { photometric }) {
  if (!photometric.endsWith("422") || bytes.length < 2 * count) throw new NotShown("The frame is shorter than its rows and columns say.");
  const out = new Uint8ClampedArray(4 * count);
  for (let i = 0; i < count; i += 1) {
    const pair = (i >> 1) << 2;
    fromYbr(out, 4 * i, bytes[pair + (i & 1)], bytes[pair + 2], bytes[pair + 3]);
    out[4 * i + 3] = 255;
  }
  return out;
}

function painted(samples, palette, { stored, signed }) {
  const out = new Uint8ClampedArray(4 * samples.length);
  const [mask, sign] = [2 ** stored - 1, signed ? 2 ** (stored - 1) : 0];
  for (let i = 0; i < samples.length; i += 1) {
    const value = ((samples[i] & mask) ^ sign) - sign;
    for (let channel = 0; channel < 3; channel += 1) {
      const { first, table } = palette[channel];
      out[4 * i + channel] = table[Math.min(table.length - 1, Math.max(0, value - first))];
    }
    out[4 * i + 3] = 255;
  }
  return out;
}

/** The lowest and highest stored value of a grey picture, by a sample of it when it is large. */
export function extremes({ data, span }, { stored, high, signed, allocated }) {
  if (span) return [span.low, span.low + 65535 * span.scale];
  const [shift, mask] = [allocated > 1 ? high + 1 - stored : 0, 2 ** stored - 1];
  const sign = signed ? 2 ** (stored - 1) : 0;
  const step = Math.max(1, Math.floor(data.length / 1_000_000));
  let [low, top] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i += step) {
    const value = (((data[i] >> shift) & mask) ^ sign) - sign;
    if (value < low) low = value;
    if (value > top) top = value;
  }
  return [low, top];
}
