// What a reader does with a study, and how it is undone.

import { worklist } from "../common/server.js";

export class Deeds {
  #last = null; // () => Promise, and what it would undo

  /** `item(study)`, `me()`; told of `changed(item)`, `judged(finding)`, `failed(error)`, `done(text, undoable)`. */
  constructor(told) {
    this.told = told;
  }

  get canUndo() {
    return this.#last !== null;
  }

  claim(study) {
    const item = this.told.item(study);
    if (!item || item.state === "done") return undefined;
    const mine = item.state === "claimed" && item.holder === this.told.me();
    return mine
      ? this.#change(worklist.release, study, "Released.", worklist.claim)
      : this.#change(worklist.claim, study, "Claimed.", worklist.release);
  }

  finish(study) {
    return this.#change(worklist.finish, study, "Finished.", worklist.reopen);
  }

  reopen(study) {
    return this.#change(worklist.reopen, study, "Reopened.", worklist.finish);
  }

  request(study, priority) {
    const before = this.told.item(study)?.requested;
    return this.#change((one) => worklist.request(one, priority), study, `Priority ${priority}.`, (one) => worklist.request(one, before));
  }

  async judge(study, verdict) {
    const finding = this.told.item(study)?.finding;
    if (!finding) return;
    const before = finding.verdict;
    await this.#try(async () => {
      this.told.judged(await worklist.judge(finding.id, verdict));
      this.#last = before && before !== verdict ? async () => this.told.judged(await worklist.judge(finding.id, before)) : null;
      this.told.done(verdict === "accepted" ? "Finding accepted." : "Finding rejected.", this.canUndo);
    });
  }

  async undo() {
    const undo = this.#last;
    if (!undo) return;
    this.#last = null;
    await this.#try(async () => {
      await undo();
      this.told.done("Undone.", false);
    });
  }

  #change(deed, study, text, opposite) {
    if (!study) return undefined;
    return this.#try(async () => {
      this.told.changed(await deed(study));
      this.#last = async () => this.told.changed(await opposite(study));
      this.told.done(text, true);
    });
  }

  async #try(work) {
    try {
      await work();
    } catch (error) {
      this.told.failed(error);
    }
  }
}
