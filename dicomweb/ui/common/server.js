// What the pages ask of the archive. Addresses follow from this file's own, so that any prefix holds.

const ROOT = new URL("../../", import.meta.url);

export const at = (path) => new URL(path, ROOT).href;

export const links = {
  list: () => at(""),
  studies: () => at("studies/"),
  viewer: (study) => at(`view/?study=${study}`),
  ohif: (study) => at(`viewer/viewer?StudyInstanceUIDs=${study}`),
  study: (study) => at(`dicom-web/studies?StudyInstanceUID=${study}&includefield=all`),
  metadata: (study) => at(`dicom-web/studies/${study}/metadata`),
  series: (study) => at(`dicom-web/studies/${study}/series`),
  instances: (study, series) => at(`dicom-web/studies/${study}/series/${series}/instances`),
  seriesMetadata: (study, series) => at(`dicom-web/studies/${study}/series/${series}/metadata`),
  thumbnail: (study, series, size) => at(`dicom-web/studies/${study}/series/${series}/thumbnail?viewport=${size},${size}`),
  frame: (key, frame) => at(`dicom-web/studies/${key.study}/series/${key.series}/instances/${key.instance}/frames/${frame}`),
};

/** The archive answered, and the answer was no. `status` is HTTP's, `hint` says what to do about it. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? `the archive answered ${status}`);
    this.name = "Refused";
    this.status = status;
    this.hint = problem.hint ?? "";
  }

  get plainly() {
    const said = this.message.charAt(0).toUpperCase() + this.message.slice(1);
    return this.hint ? `${said}: ${this.hint}.` : `${said}.`;
  }
}

/** In words for people; a failed fetch says only "Failed to fetch". */
export const plainly = (error) =>
  error instanceof Refused ? error.plainly : "The archive cannot be reached just now.";

/** How far the archive's clock is ahead of this machine's, in milliseconds; waiting times need it. */
export let ahead = 0;

function readClock(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(told)) return;
  const seen = told + 500 - Date.now(); // the header is cut to the second
  if (Math.abs(seen - ahead) > 1500) ahead = seen;
}

export const now = () => Date.now() + ahead;

export async function refusal(answer) {
  const problem = await answer.json().catch(() => ({}));
  return new Refused(answer.status, problem);
}

export async function json(path, { signal, method = "GET" } = {}) {
  const answer = await fetch(at(path), { signal, method, headers: { Accept: "application/json" } });
  readClock(answer);
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

const post = (path) => json(path, { method: "POST" });

export const studies = (text, offset, limit, signal) =>
  json(`api/studies?${new URLSearchParams({ q: text, offset, limit })}`, { signal });

export const seriesOf = (study) => json(`dicom-web/studies/${study}/series?includefield=BodyPartExamined`);

export const facts = () => json("api/facts");

export const me = () => json("api/me");

export const models = () => json("api/models");

export const worklist = {
  page: ({ limit, after = "", done = false }) => json(`api/worklist?${new URLSearchParams({ limit, after, done: done ? "1" : "" })}`),
  item: (study) => json(`api/worklist/${study}`),
  some: async (studies) => (studies.length ? (await json(`api/worklist?studies=${studies.join(",")}`)).items : []),
  changes: (since) => json(`api/worklist/changes?since=${since}`),
  events: (since) => new EventSource(at(`api/worklist/events?since=${since}`)),
  claim: (study) => post(`api/worklist/${study}/claim`),
  release: (study) => post(`api/worklist/${study}/release`),
  finish: (study) => post(`api/worklist/${study}/finish`),
  reopen: (study) => post(`api/worklist/${study}/reopen`),
  request: (study, priority) => post(`api/worklist/${study}/request/${priority}`),
  judge: (finding, verdict) => post(`api/findings/${finding}/${verdict}`),
};
