// Away from the page, so that it stays answering however large the picture is.

import { resample } from "./resample.js";

let [picture, table] = [null, null];

onmessage = ({ data }) => {
  if (data.picture) picture = data.picture;
  if (data.table) table = data.table;
  if (!data.draw) return;
  const { view, width, height, most, number } = data.draw;
  const pixels = picture ? resample(picture, table, view, width, height, most) : new Uint8ClampedArray(4 * width * height);
  postMessage({ pixels, width, height, number }, [pixels.buffer]);
};
