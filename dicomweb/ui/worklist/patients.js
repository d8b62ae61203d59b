// Whose studies these are. The reading list names studies only; this searches for them, a page of rows at
// a time, and that is written down.

import { age } from "../common/ages.js";
import { TAG, date, first, personName, values } from "../common/dicom.js";
import { json } from "../common/server.js";

const AT_ONCE = 50; // studies a request: addresses stay below 4 KB
const PAUSE = 40; // ms in which studies are gathered into one request
const LATER = 2000; // ms after a failure
const MOST_SERIES = 1000;

const LIST = (studies) => `StudyInstanceUID=${studies.join(",")}`;

const details = (study) => {
  const name = personName(study, TAG.patientName);
  return {
    name: name.main,
    other: name.other,
    id: String(first(study, TAG.patientId)),
    sex: first(study, TAG.sex),
    birth: date(first(study, TAG.birthDate)),
    age: age(first(study, TAG.age), first(study, TAG.birthDate), first(study, TAG.studyDate)),
    description: first(study, TAG.description),
    accession: first(study, TAG.accession),
    date: date(first(study, TAG.studyDate)),
    modalities: values(study, TAG.modalities),
    images: first(study, TAG.instanceCount),
  };
};

export class Patients {
  #wanted = new Set();
  #timer = 0;

  /** `came(studies)` is called when more is known of these. */
  constructor(came) {
    this.known = new Map();
    this.came = came;
  }

  get(study) {
    return this.known.get(study) ?? null;
  }

  want(studies) {
    for (const study of studies) if (!this.known.has(study)) this.#wanted.add(study);
    if (this.#wanted.size && !this.#timer) this.#timer = setTimeout(() => this.#ask(), PAUSE);
  }

  /** More images have come to this study. */
  forget(study) {
    this.known.delete(study);
  }

  async #ask() {
    const now = [...this.#wanted].slice(0, AT_ONCE);
    let pause = PAUSE;
    try {
      const [studies, parts] = await Promise.all([this.#studies(now), this.#parts(now)]);
      for (const study of now) this.known.set(study, { ...(studies.get(study) ?? details({})), parts: parts.get(study) ?? [] });
      for (const study of now) this.#wanted.delete(study);
      this.came(now);
    } catch {
      pause = LATER; // the list stands without names meanwhile
    }
    this.#timer = this.#wanted.size ? setTimeout(() => this.#ask(), pause) : 0;
  }

  async #studies(studies) {
    const query = `${LIST(studies)}&includefield=StudyDescription,PatientAge&limit=${AT_ONCE}`;
    const found = await json(`dicom-web/studies?${query}`);
    return new Map(found.map((study) => [first(study, TAG.studyUid), details(study)]));
  }

  async #parts(studies) {
    const found = await json(`dicom-web/series?${LIST(studies)}&includefield=BodyPartExamined&limit=${MOST_SERIES}`);
    const parts = new Map();
    for (const series of found) {
      const [study, part] = [first(series, TAG.studyUid), first(series, TAG.bodyPart)];
      if (part) parts.set(study, [...new Set([...(parts.get(study) ?? []), part])]);
    }
    return parts;
  }
}
