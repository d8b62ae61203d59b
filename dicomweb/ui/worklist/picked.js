// The bar of the study picked: what can be done with it, always in the same place.

import { byId, write } from "../common/elements.js";

const BUTTONS = ["accept", "reject", "claim", "finish", "open", "undo"];

export class Picked {
  #at = Object.fromEntries(["picked-name", "picked-finding", "claim-text", "finish-text", "finish-key", "priority", ...BUTTONS].map((id) => [id, byId(id)[0]]));

  /** `deeds`: what each button does, by its name. */
  constructor(deeds) {
    this.deeds = deeds;
    for (const name of BUTTONS) {
      this.#at[name].addEventListener("click", () => {
        this.#press(name);
        this.#at[name].blur();
      });
    }
    this.#at.priority.addEventListener("change", () => {
      deeds.request(this.#at.priority.value);
      this.#at.priority.blur();
    });
  }

  mode(done) {
    this.done = done;
    write(this.#at["finish-text"], done ? "Reopen" : "Finish");
    write(this.#at["finish-key"], done ? "u" : "f");
    this.#at.claim.hidden = done;
    this.#at.priority.parentNode.hidden = done;
  }

  show(item, known, me) {
    write(this.#at["picked-name"], item ? known?.name || "no name" : "\u00a0");
    const { finding } = item ?? {};
    write(this.#at["picked-finding"], finding ? `${finding.name}, ${Math.round(finding.confidence * 100)} %` : (known?.description ?? ""));
    const theirs = item?.state === "claimed" && item.holder !== me;
    for (const name of ["claim", "finish", "open"]) this.#at[name].disabled = !item;
    for (const name of ["accept", "reject"]) this.#at[name].disabled = !finding;
    this.#at.priority.disabled = !item;
    if (item && document.activeElement !== this.#at.priority) this.#at.priority.value = item.requested;
    write(this.#at["claim-text"], item?.state === "claimed" && !theirs ? "Release" : "Claim");
  }

  undoable(can) {
    this.#at.undo.hidden = !can;
  }

  claim = () => this.#press("claim");
  finish = () => this.done || this.#press("finish");
  accept = () => this.#press("accept");
  reject = () => this.#press("reject");
  undo = () => this.deeds.undo();

  #press(name) {
    if (!this.#at[name].disabled) this.deeds[name]();
  }
}
