// Windows to choose from: those that the image brings, then for CT the usual ones, in Hounsfield units.

import { one } from "./tags.js";

const CT = [
  { name: "Soft tissue", centre: 40, width: 400 }, { name: "Lung", centre: -600, width: 1500 }, { name: "Bone", centre: 480, width: 2500 },
  { name: "Brain", centre: 40, width: 80 }, { name: "Subdural", centre: 75, width: 215 }, { name: "Stroke", centre: 35, width: 35 },
  { name: "Liver", centre: 90, width: 150 }, { name: "Mediastinum", centre: 50, width: 350 }, { name: "Angiography", centre: 300, width: 600 },
];

export function presetsOf(image) {
  if (image.shape.samples > 1) return [];
  const own = image.windows.map((window, i) => ({ ...window, name: window.name || (i ? `Image ${i + 1}` : "Image") }));
  return one(image.dataset, "Modality") === "CT" ? [...CT, ...own] : own;
}
