// From a series' metadata to the images of its stack: one a frame, each with all that showing it takes.

import { all, has, item, number, numbers, one } from "./tags.js";


/** Where a functional group macro puts an attribute (PS3.3 C.7.6.16): the frame's own, the shared, the object's. */
function macro(dataset, frame, sequence) {
  const own = item(all(dataset, "PerFrameFunctionalGroupsSequence")[frame], sequence);
  return own ?? item(item(dataset, "SharedFunctionalGroupsSequence"), sequence) ?? dataset;
}

function spacingOf(dataset, frame) {
  const measured = numbers(macro(dataset, frame, "PixelMeasuresSequence"), "PixelSpacing");
  if (measured.length === 2) return { spacing: measured, detector: false };
  const imager = numbers(dataset, "ImagerPixelSpacing");
  return imager.length === 2 ? { spacing: imager, detector: true } : { spacing: null, detector: false };
}

/** Height of a pixel by its width. */
function aspectOf(dataset, spacing) {
  const ratio = spacing ?? numbers(dataset, "PixelAspectRatio");
  return ratio.length === 2 && ratio[0] > 0 && ratio[1] > 0 ? ratio[0] / ratio[1] : 1;
}

function windowsOf(dataset, frame) {
  const voi = macro(dataset, frame, "FrameVOILUTSequence");
  const [centres, widths] = [numbers(voi, "WindowCenter"), numbers(voi, "WindowWidth")];
  const names = all(voi, "WindowCenterWidthExplanation");
  const shape = one(voi, "VOILUTFunction", "LINEAR");
  const found = centres.map((centre, i) => ({ centre, width: widths[i], name: names[i] ?? "", shape }));
  return found.filter(({ centre, width }) => Number.isFinite(centre) && width > 0);
}

function placeOf(dataset, frame) {
  const position = numbers(macro(dataset, frame, "PlanePositionSequence"), "ImagePositionPatient");
  const orientation = numbers(macro(dataset, frame, "PlaneOrientationSequence"), "ImageOrientationPatient");
  return { position: position.length === 3 ? position : null, orientation: orientation.length === 6 ? orientation : null };
}

function shapeOf(dataset) {
  const allocated = number(dataset, "BitsAllocated", 16);
  const stored = number(dataset, "BitsStored", allocated);
  return {
    rows: number(dataset, "Rows"), columns: number(dataset, "Columns"), allocated, stored, high: number(dataset, "HighBit", stored - 1),
    signed: number(dataset, "PixelRepresentation") === 1, samples: number(dataset, "SamplesPerPixel", 1),
    planar: number(dataset, "PlanarConfiguration"), photometric: one(dataset, "PhotometricInterpretation", "MONOCHROME2"),
  };
}

function rescaleOf(dataset, frame) {
  const transform = macro(dataset, frame, "PixelValueTransformationSequence");
  return { slope: number(transform, "RescaleSlope", 1), intercept: number(transform, "RescaleIntercept", 0), unit: one(transform, "RescaleType") };
}

export const hasPixels = (dataset) => ["PixelData", "FloatPixelData", "DoubleFloatPixelData"].some((keyword) => has(dataset, keyword));

/** Along the normal of the plane, in millimetres; what the sorting of a stack by place would use. */
export function along({ position, orientation }) {
  if (!position || !orientation) return null;
  const [a, b, c, d, e, f] = orientation;
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d];
  return position[0] * normal[0] + position[1] * normal[1] + position[2] * normal[2];
}

function imageOf(dataset, frame, key) {
  const { spacing, detector } = spacingOf(dataset, frame);
  return {
    key: { ...key, instance: one(dataset, "SOPInstanceUID") }, frame: frame + 1, frames: number(dataset, "NumberOfFrames", 1), number: number(dataset, "InstanceNumber"),
    shape: shapeOf(dataset), rescale: rescaleOf(dataset, frame), windows: windowsOf(dataset, frame), spacing, detector,
    aspect: aspectOf(dataset, spacing), place: placeOf(dataset, frame), location: one(dataset, "SliceLocation", null), dataset,
    inverse: one(dataset, "PresentationLUTShape") === "INVERSE",
  };
}

export const idOf = (image) => `${image.key.instance}/${image.frame}`;

/** Bytes of an image as it is fetched and kept. */
export const bytesOf = ({ shape }) => Math.ceil((shape.rows * shape.columns * shape.samples * shape.allocated) / 8);

/** All images of a series, in the order of their instance numbers; those without pixels are left out. */
export function imagesOf(metadata, study, series) {
  const sorted = [...metadata].sort((a, b) => number(a, "InstanceNumber") - number(b, "InstanceNumber"));
  return sorted.filter(hasPixels).flatMap((dataset) => {
    const count = Math.max(1, number(dataset, "NumberOfFrames", 1));
    return Array.from({ length: count }, (_, frame) => imageOf(dataset, frame, { study, series }));
  });
}

export function rateOf({ dataset }) {
  const time = number(dataset, "FrameTime");
  const told = number(dataset, "RecommendedDisplayFrameRate") || number(dataset, "CineRate") || (time > 0 ? 1000 / time : 0);
  return Math.min(60, Math.max(1, Math.round(told || 12)));
}
