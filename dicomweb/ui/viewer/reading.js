// The study as a piece of reading: what models found in it, who has it, and what its reader says.

import { left } from "../common/ages.js";
import { Deeds } from "../common/deeds.js";
import { byId, element, write } from "../common/elements.js";
import { me as whoAmI, now, plainly, worklist } from "../common/server.js";

const LOOK = 8000;
const ACTIVE = 600_000; // ms since the last touch in which a claim of mine is prolonged
const VERDICTS = { accepted: "accepted", modified: "accepted, modified", rejected: "rejected" };

const [list, state, alert, claim, claimText, finish, finishText, finishKey] = byId("findings", "state", "alert", "claim", "claim-text", "finish", "finish-text", "finish-key");

export class Reading {
  #me = "";
  #item = null;
  #touched = Date.now();
  #shown = "";

  constructor(study) {
    this.study = study;
    this.deeds = new Deeds({
      item: () => this.#item,
      me: () => this.#me,
      changed: (item) => this.#take({ ...this.#item, ...item }),
      judged: (finding) => this.#judged(finding),
      failed: (error) => this.#warn(plainly(error)),
      done: () => write(alert, ""),
    });
    claim.addEventListener("click", () => this.claim());
    finish.addEventListener("click", () => this.finish());
    list.addEventListener("click", (event) => this.#pressed(event.target.closest("button")));
    for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, () => (this.#touched = Date.now()), { passive: true });
  }

  async begin() {
    try {
      [{ name: this.#me }] = await Promise.all([whoAmI(), this.#look()]);
      this.#write();
    } catch (error) {
      this.#warn(plainly(error));
    }
    setInterval(() => document.hidden || this.#look().catch((error) => this.#warn(plainly(error))), LOOK);
    setInterval(() => this.#item && this.#tell(), 1000);
  }

  claim = () => claim.disabled || this.deeds.claim(this.study);
  accept = () => this.#first() && this.deeds.judge(this.study, "accepted", this.#first());
  reject = () => this.#first() && this.deeds.judge(this.study, "rejected", this.#first());
  undo = () => (this.deeds.canUndo ? this.deeds.undo() : this.#item?.state === "done" && this.deeds.reopen(this.study));
  finish = () => finish.disabled || (this.#item?.state === "done" ? this.deeds.reopen(this.study) : this.deeds.finish(this.study));

  #first() {
    return this.#item?.findings?.find((finding) => finding.id === this.#item.finding?.id) ?? this.#item?.findings?.[0];
  }

  async #look() {
    const [listed] = await worklist.some([this.study]);
    if (!listed) this.#take(null);
    else if (!this.#item || listed.version > this.#item.version) this.#take(await worklist.item(this.study));
    await this.#prolong();
  }

  /** Whoever reads for longer than a claim lasts keeps it while there are signs of life. */
  async #prolong() {
    const mine = this.#item?.state === "claimed" && this.#item.holder === this.#me;
    const remaining = mine ? Date.parse(this.#item.held_until) - now() : Infinity;
    if (remaining < 300_000 && Date.now() - this.#touched < ACTIVE) this.#take({ ...this.#item, ...(await worklist.claim(this.study)) });
  }

  #judged(finding) {
    this.#item.findings = this.#item.findings.map((one) => (one.id === finding.id ? finding : one));
    this.#write();
  }

  #take(item) {
    this.#item = item;
    this.#write();
  }

  #warn(text) {
    write(alert, text);
  }

  #pressed(button) {
    const finding = button && this.#item.findings.find((one) => one.id === Number(button.dataset.finding));
    if (finding) this.deeds.judge(this.study, button.dataset.verdict, finding);
  }

  #write() {
    const item = this.#item;
    const done = item?.state === "done";
    const theirs = item?.state === "claimed" && item.holder !== this.#me;
    for (const button of [claim, finish]) button.disabled = !item;
    claim.disabled ||= done;
    write(claimText, item?.state === "claimed" && !theirs ? "Release" : "Claim");
    write(finishText, done ? "Reopen" : "Finish");
    write(finishKey, done ? "u" : "f");
    this.#findings(item?.findings ?? []);
    this.#tell();
  }

  #findings(findings) {
    const key = JSON.stringify(findings);
    if (key === this.#shown) return;
    this.#shown = key;
    const rows = findings.map((finding) => this.#row(finding));
    list.replaceChildren(...(rows.length ? rows : [element("li", { class: "soft" }, "No model has found anything.")]));
  }

  #row(finding) {
    const sure = `${Math.round(finding.confidence * 100)} %`;
    const verdict = finding.verdict ? element("span", { class: "verdict", "data-verdict": finding.verdict }, VERDICTS[finding.verdict]) : "";
    const button = (verdict_, text) => element("button", { type: "button", class: "button", "data-finding": finding.id, "data-verdict": verdict_, "aria-pressed": String(finding.verdict === verdict_) }, text);
    return element("li", { "data-finding": finding.id, "data-verdict": finding.verdict ?? "" },
      element("p", { class: "what" }, element("span", { class: "name" }, finding.name), element("span", {}, sure)),
      element("p", { class: "soft" }, `${finding.model} ${finding.model_version}`, verdict),
      element("span", { class: "pair" }, button("accepted", "Accept"), button("rejected", "Reject")));
  }

  #tell() {
    const item = this.#item;
    if (!item) return write(state, "This study is not in the reading list.");
    if (item.state === "done") return write(state, `Read by ${item.done_by === this.#me ? "you" : item.done_by}.`);
    const remaining = item.holder ? Date.parse(item.held_until) - now() : 0;
    if (remaining <= 0) return write(state, "Waiting to be read; nobody has claimed it.");
    return write(state, `${item.holder === this.#me ? "Claimed by you" : `${item.holder} is reading this study`}, ${left(remaining)} left.`);
  }
}
