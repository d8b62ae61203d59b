// The one way a picture is laid on the screen. The shader in gl.js does the same on the graphics card;
// this is for where there is none. `view`: device pixels a sample, and where the picture begins.

export const MOST_TAPS = 8;

/** How many samples are averaged to one device pixel, along one axis. */
export const tapsFor = (scale, most = MOST_TAPS) => (scale >= 1 ? 0 : Math.min(most, Math.max(1, Math.ceil(1 / scale - 1e-6))));

function linear(length, scale, offset, size) {
  const low = new Int32Array(length);
  const high = new Int32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i += 1) {
    const place = (i + 0.5 - offset) / scale - 0.5;
    const floor = Math.floor(place);
    low[i] = Math.min(size - 1, Math.max(0, floor));
    high[i] = Math.min(size - 1, Math.max(0, floor + 1));
    share[i] = place - floor;
  }
  return { low, high, share };
}

function boxes(length, scale, offset, size, taps) {
  const places = new Int32Array(length * taps);
  for (let i = 0; i < length; i += 1) {
    const centre = (i + 0.5 - offset) / scale;
    for (let tap = 0; tap < taps; tap += 1) {
      const place = Math.floor(centre + ((tap + 0.5) / taps - 0.5) / scale);
      places[i * taps + tap] = Math.min(size - 1, Math.max(0, place));
    }
  }
  return places;
}

const within = (i, offset, scale, limit) => {
  const place = (i + 0.5 - offset) / scale;
  return place >= 0 && place < limit;
};

function lookUp(picture, table) {
  const { data, columns } = picture;
  if (picture.kind === "grey") return (x, y) => table[data[y * columns + x]];
  return (x, y, channel) => table[data[4 * (y * columns + x) + channel]];
}

/** RGBA of `width` x `height` device pixels. */
export function resample(picture, table, view, width, height, most = MOST_TAPS) {
  const out = new Uint8ClampedArray(4 * width * height);
  const look = lookUp(picture, table);
  const channels = picture.kind === "grey" ? 1 : 3;
  const taps = Math.max(tapsFor(view.scaleX, most), tapsFor(view.scaleY, most));
  const sample = taps ? averaged(picture, look, view, width, height, taps) : blended(picture, look, view, width, height);
  for (let y = 0; y < height; y += 1) {
    const inRow = within(y, view.y, view.scaleY, view.limitY);
    for (let x = 0; x < width; x += 1) {
      const to = 4 * (y * width + x);
      out[to + 3] = 255;
      if (!inRow || !within(x, view.x, view.scaleX, view.limitX)) continue;
      for (let channel = 0; channel < channels; channel += 1) out[to + channel] = sample(x, y, channel);
      if (channels === 1) out[to + 1] = out[to + 2] = out[to];
    }
  }
  return out;
}

function blended({ columns, rows }, look, view, width, height) {
  const across = linear(width, view.scaleX, view.x, columns);
  const down = linear(height, view.scaleY, view.y, rows);
  return (x, y, channel) => {
    const [left, right, fx] = [across.low[x], across.high[x], across.share[x]];
    const [top, bottom, fy] = [down.low[y], down.high[y], down.share[y]];
    const upper = look(left, top, channel) * (1 - fx) + look(right, top, channel) * fx;
    if (!fy) return upper;
    return upper * (1 - fy) + (look(left, bottom, channel) * (1 - fx) + look(right, bottom, channel) * fx) * fy;
  };
}

function averaged({ columns, rows }, look, view, width, height, taps) {
  const across = boxes(width, view.scaleX, view.x, columns, taps);
  const down = boxes(height, view.scaleY, view.y, rows, taps);
  return (x, y, channel) => {
    let sum = 0;
    for (let j = 0; j < taps; j += 1) for (let i = 0; i < taps; i += 1) sum += look(across[x * taps + i], down[y * taps + j], channel);
    return sum / (taps * taps);
  };
}
