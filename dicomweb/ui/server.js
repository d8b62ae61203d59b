// What the page asks of the archive. Addresses are relative, so that any prefix before them holds.

export const links = {
  study: (study) => `dicom-web/studies?StudyInstanceUID=${study}&includefield=all`,
  metadata: (study) => `dicom-web/studies/${study}/metadata`,
  series: (study) => `dicom-web/studies/${study}/series`,
  instances: (study, series) => `dicom-web/studies/${study}/series/${series}/instances`,
  seriesMetadata: (study, series) => `dicom-web/studies/${study}/series/${series}/metadata`,
};

async function json(path, signal) {
  const answer = await fetch(path, { signal, headers: { Accept: "application/json" } });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail ?? `the archive answered ${answer.status}`);
  return body;
}

export const studies = (text, offset, limit, signal) =>
  json(`api/studies?${new URLSearchParams({ q: text, offset, limit })}`, signal);

export const seriesOf = (study) => json(`${links.series(study)}?includefield=BodyPartExamined`);

export const facts = () => json("api/facts");
