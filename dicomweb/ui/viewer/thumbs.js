// The series of the study, each with a small picture, at the side of the stack.

import { element } from "../common/elements.js";
import { links } from "../common/server.js";
import { number, one } from "./tags.js";

const SIDE = 128; // device pixels asked for, shown at 96
const WITHOUT = new Set(["SR", "PR", "KO", "REG", "FID", "RTSTRUCT", "RTPLAN", "RTRECORD", "DOC", "PLAN", "AU", "ECG", "HD", "EPS", "SMR", "RWV", "STAIN"]);

export const hasImages = (series) => !WITHOUT.has(one(series, "Modality"));

export class Thumbs {
  /** `chosen(index)` when one is clicked. */
  constructor(list, chosen) {
    this.list = list;
    list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) chosen(Number(button.dataset.index));
    });
  }

  show(study, series) {
    this.list.replaceChildren(...series.map((one_, index) => element("li", {}, this.#button(study, one_, index))));
  }

  #button(study, series, index) {
    const modality = one(series, "Modality");
    const name = one(series, "SeriesDescription") || `Series ${one(series, "SeriesNumber")}`;
    const count = number(series, "NumberOfSeriesRelatedInstances");
    const face = element("span", { class: "face" });
    face.append(element("span", { class: "soft" }, modality), ...(hasImages(series) ? [this.#picture(study, series)] : []));
    return element("button", { type: "button", "data-index": index, "data-series": one(series, "SeriesInstanceUID"), title: name }, face,
      element("span", { class: "caption" }, element("span", { class: "title" }, name), element("span", { class: "soft" }, `${modality} ${one(series, "SeriesNumber")} · ${count}`)));
  }

  /** Over the modality's letters, which stay to be seen where there is no picture. */
  #picture(study, series) {
    const image = element("img", { alt: "", width: 96, height: 96, loading: "lazy", decoding: "async" });
    image.addEventListener("error", () => image.remove());
    image.src = links.thumbnail(study, one(series, "SeriesInstanceUID"), SIDE);
    return image;
  }

  mark(index) {
    for (const button of this.list.querySelectorAll("button")) {
      const current = Number(button.dataset.index) === index;
      button.toggleAttribute("aria-current", current);
      if (current) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }
}
