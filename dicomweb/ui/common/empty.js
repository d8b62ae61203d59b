// What to say where nothing is.

import { element } from "./elements.js";
import { at } from "./server.js";

export function nothingStored(facts) {
  const [host, port] = (facts.dimse ?? "").split(/:(?=\d+$)/);
  const reached = ["0.0.0.0", "::", "", undefined].includes(host) ? location.hostname : host;
  const aet = facts.aet ?? "HILUM";
  return [
    element("h2", {}, "Nothing is stored yet"),
    element("p", {}, `Send images from a modality or workstation to the AE title ${aet}, or from a folder on this machine:`),
    element("pre", {}, `storescu -aec ${aet} ${reached} ${port ?? "11112"} +sd +r FOLDER`),
    element("p", {}, "Over DICOMweb one file goes in like this; the study can be found the moment it is acknowledged:"),
    element("pre", {}, `curl -H "Content-Type: application/dicom" --data-binary @image.dcm ${at("dicom-web")}/studies`),
  ];
}
