// Every call of the npm package dicomweb-client, in a page of a browser: it speaks XMLHttpRequest.
// Answers are told by their size and digest, pictures by their first bytes.
async ({ root, image, report, letter, parts }) => {
  const { DICOMwebClient: Client } = globalThis.DICOMwebClient.api;
  const client = new Client({ url: root, verbose: false });
  const single = new Client({ url: root, verbose: false, singlepart: "bulkdata,video,image" });
  const keys = ({ study, series, instance }) => ({
    studyInstanceUID: study,
    seriesInstanceUID: series,
    sopInstanceUID: instance,
  });
  const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const digest = async (buffer) => hex(await crypto.subtle.digest("SHA-256", buffer));
  const digests = async (buffers) => (await Promise.all([...buffers].map(digest))).sort();
  const start = (buffer) => hex(buffer.slice(0, 4));
  const first = (found) => (Array.isArray(found) ? found[0] : found);
  const bytes = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer;
  const types = (...names) => names.map((mediaType) => ({ mediaType }));
  const of = keys(image);
  const failure = (promise) => promise.then(() => 0, (error) => error.status);

  const stored = JSON.parse(await client.storeInstances({ datasets: parts.map(bytes) }));
  const storedInStudy = JSON.parse(
    await client.storeInstances({ datasets: [bytes(parts[0])], studyInstanceUID: image.study }),
  );
  const metadata = await client.retrieveInstanceMetadata(of);
  const BulkDataURI = metadata[0]["7FE00010"].BulkDataURI;
  const oneFrame = { ...of, frameNumbers: [1] };
  return {
    stored: stored["00081199"].Value.length,
    storedInStudy: storedInStudy["00081199"].Value.length,
    studies: (await client.searchForStudies({ queryParams: { PatientID: image.patient } })).length,
    everyStudy: (await client.searchForStudies()).length,
    noStudy: (await client.searchForStudies({ queryParams: { PatientID: "NOBODY" } })).length,
    series: (await client.searchForSeries({ studyInstanceUID: image.study })).length,
    everySeries: (await client.searchForSeries()).length,
    instances: (await client.searchForInstances({ studyInstanceUID: image.study })).length,
    instancesOfSeries: (
      await client.searchForInstances({ studyInstanceUID: image.study, seriesInstanceUID: image.series })
    ).length,
    everyInstance: (await client.searchForInstances()).length,
    studyMetadata: (await client.retrieveStudyMetadata(of)).length,
    seriesMetadata: (await client.retrieveSeriesMetadata(of)).length,
    instanceMetadata: metadata.map((dataset) => dataset["00080018"].Value[0]),
    instance: await digest(await client.retrieveInstance(of)),
    wholeSeries: await digests(await client.retrieveSeries(of)),
    wholeStudy: await digests(await client.retrieveStudy(of)),
    frame: await digests(await client.retrieveInstanceFrames(oneFrame)),
    frameByType: await digests(
      await client.retrieveInstanceFrames({
        ...oneFrame,
        mediaTypes: [{ mediaType: "application/octet-stream", transferSyntaxUID: "1.2.840.10008.1.2.1" }],
      }),
    ),
    frameMissing: await failure(client.retrieveInstanceFrames({ ...of, frameNumbers: [2] })),
    bulk: await digests(await client.retrieveBulkData({ BulkDataURI })),
    bulkSingle: await digests(await single.retrieveBulkData({ BulkDataURI })),
    bulkRange: (await client.retrieveBulkData({ BulkDataURI, byteRange: [0, 99] })).map((part) => part.byteLength),
    rendered: start(first(await client.retrieveInstanceRendered(of))),
    renderedPng: start(first(await client.retrieveInstanceRendered({ ...of, mediaTypes: types("image/png") }))),
    renderedSmall: start(
      first(
        await client.retrieveInstanceRendered({
          ...of,
          mediaTypes: types("image/jpeg"),
          queryParams: { viewport: "32,32", window: "40,400,linear", quality: 50 },
        }),
      ),
    ),
    renderedText: new TextDecoder().decode(
      first(await client.retrieveInstanceRendered({ ...keys(report), mediaTypes: types("text/html") })),
    ),
    renderedPdf: await digest(first(await client.retrieveInstanceRendered(keys(letter)))),
    renderedFrame: start(
      first(await client.retrieveInstanceFramesRendered({ ...oneFrame, queryParams: { quality: 90 } })),
    ),
    renderedFrameGif: start(
      first(await client.retrieveInstanceFramesRendered({ ...oneFrame, mediaTypes: types("image/gif") })),
    ),
    thumbnail: start(first(await client.retrieveInstanceThumbnail(of))),
    thumbnailPng: start(first(await client.retrieveInstanceThumbnail({ ...of, mediaTypes: types("image/png") }))),
    frameThumbnail: start(first(await client.retrieveInstanceFramesThumbnail(oneFrame))),
    missing: await failure(client.retrieveInstanceMetadata({ ...of, sopInstanceUID: "1.2.3" })),
    refused: await failure(
      client.retrieveInstanceRendered({ ...keys(report), mediaTypes: types("image/jpeg") }),
    ),
    wadoUri: client.buildInstanceWadoURIUrl({ ...of, contentType: "application/dicom" }),
  };
}
