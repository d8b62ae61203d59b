// What an administrator asks of the page: what is stored, and how the models fare. And what to say of nothing.

import { size } from "../common/dicom.js";
import { byId, element } from "../common/elements.js";
import { nothingStored } from "../common/empty.js";
import { facts, links, models, plainly } from "../common/server.js";

const [dialog, list, cards, button] = byId("facts", "facts-list", "models", "archive");

const line = (name, text) => element("div", {}, element("dt", {}, name), element("dd", {}, text));

const count = (number) => number.toLocaleString("en");

export class Archive {
  #known = {};
  #said = "";

  constructor() {
    button.addEventListener("click", () => this.#open());
  }

  async look() {
    this.#known = await facts();
  }

  async #open() {
    dialog.showModal();
    try {
      const [, judged] = await Promise.all([this.look(), models()]);
      this.#write(this.#known, judged);
    } catch (error) {
      list.replaceChildren(element("p", { class: "wrong" }, plainly(error)));
    }
  }

  #write(known, judged) {
    const used = known.disk_total ? 1 - known.disk_free / known.disk_total : 0;
    list.replaceChildren(
      line("Version", known.version), line("AE title", `${known.aet} at ${known.dimse}`), line("Index", known.index),
      line("Patients", count(known.patients)), line("Studies", count(known.studies)), line("Series", count(known.series)), line("Images", count(known.instances)),
      line("Stored", size(known.bytes)), line("Disk", `${Math.round(used * 100)} % used, ${size(known.disk_free)} free`),
    );
    const rows = judged.map((card) => element("tr", {}, ...[`${card.model} ${card.version}`, card.accepted, card.modified, card.rejected].map((text) => element("td", {}, String(text)))));
    const head = element("tr", {}, ...["Model", "Accepted", "Modified", "Rejected"].map((text) => element("th", { scope: "col" }, text)));
    cards.replaceChildren(rows.length ? element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)) : element("p", { class: "soft" }, "No finding has been judged yet."));
  }

  /** Fill the place of the empty list. */
  nothing(place, { text, done, more }) {
    const key = JSON.stringify([text, done, more, this.#known.instances === 0]);
    if (this.#said === key) return;
    this.#said = key;
    place.replaceChildren(...this.#words(text, done, more));
  }

  #words(text, done, more) {
    if (text) return [element("h2", {}, "No study of the list fits"), element("p", {}, `Nothing ${more ? "of what is loaded " : ""}holds every word of “${text}”. `, element("a", { href: links.studies() }, "Search all studies"), ".")];
    if (done) return [element("h2", {}, "Nothing has been read yet"), element("p", {}, "Studies come here when a reader finishes them.")];
    if (this.#known.instances === 0) return nothingStored(this.#known);
    return [element("h2", {}, "Everything has been read"), element("p", {}, "A study is listed as soon as it has settled, that is when nothing more of it comes for a while.")];
  }
}
