// Away from the page, so that it stays answering however large the picture is.

import { MOST_TAPS, resample } from "./resample.js";

let [picture, table] = [null, null];

onmessage = ({ data }) => {
  if (data.picture) picture = data.picture;
  if (data.table) table = data.table;
  if (!data.draw) return;
  const { view, width, height, hurry, number } = data.draw;
  const pixels = picture ? resample(picture, table, view, width, height, hurry ? 2 : MOST_TAPS) : new Uint8ClampedArray(4 * width * height);
  postMessage({ pixels, width, height, number }, [pixels.buffer]);
};
