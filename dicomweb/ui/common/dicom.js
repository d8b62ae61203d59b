// Reading the DICOM JSON Model (PS3.18 Annex F) for the eye.

export const TAG = {
  studyDate: "00080020", studyTime: "00080030", accession: "00080050", modality: "00080060", modalities: "00080061",
  description: "00081030", seriesDescription: "0008103E", patientName: "00100010", patientId: "00100020",
  birthDate: "00100030", sex: "00100040", age: "00101010", bodyPart: "00180015", studyUid: "0020000D", seriesUid: "0020000E",
  seriesNumber: "00200011", seriesCount: "00201206", instanceCount: "00201208", seriesInstances: "00201209",
};

export const values = (dataset, tag) => (dataset[tag]?.Value ?? []).filter((value) => value !== null);

export const first = (dataset, tag) => values(dataset, tag)[0] ?? "";

const readable = (group) => {
  const [family = "", given = "", middle = "", prefix = "", suffix = ""] = group.split("^").map((part) => part.trim());
  const after = [prefix, given, middle].filter(Boolean).join(" ");
  return [family, after, suffix].filter(Boolean).join(", ");
};

/** The alphabetic form, and beside it the ideographic (or phonetic) one when there is any. */
export const personName = (dataset, tag) => {
  const name = first(dataset, tag) || {};
  const [main = "", other = ""] = [name.Alphabetic, name.Ideographic, name.Phonetic].filter(Boolean).map(readable);
  return { main, other };
};

/** 20260131 (or 2026.01.31, as in ACR-NEMA) -> 2026-01-31; what is no date stays as it is. */
export const date = (text) => text.replace(/^(\d{4})\.?(\d\d)\.?(\d\d)$/, "$1-$2-$3");

export const time = (text) => text.replace(/^(\d\d):?(\d\d).*$/, "$1:$2");

export const size = (bytes) => {
  const units = ["B", "KB", "MB", "GB", "TB", "PB"];
  let [amount, unit] = [bytes, 0];
  while (amount >= 1000 && unit < units.length - 1) {
    amount /= 1000;
    unit += 1;
  }
  return `${amount < 10 && unit ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
};
