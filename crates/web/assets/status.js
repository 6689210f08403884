// States of a job, as icon and word. Colour only repeats what the word says.
import { html, Page, useContext } from "./lib.js";
import { Icon } from "./icons.js";
import { has } from "./language.js";

/** The order of the board: what needs a person comes first. */
export const PHASES = [
  "failed",
  "blocked",
  "running",
  "ready",
  "waiting",
  "undecided",
  "cancelled",
  "suppressed",
  "succeeded",
];

const PHASE_OF = {
  HOLD: "waiting",
  READY: "ready",
  FENCE: "waiting",
  INTRO: "waiting",
  WAIT: "waiting",
  EXEC: "running",
  PEND: "waiting",
  SUCCP: "running",
  ABENP: "running",
  SUCC: "succeeded",
  ABEND: "failed",
  FAIL: "failed",
  SUPPR: "suppressed",
  CANCL: "cancelled",
  CANCLP: "waiting",
  SUSP: "blocked",
  STUCK: "blocked",
  UNDCDED: "undecided",
  SCHED: "waiting",
  ADD: "waiting",
};

/** The broad group of a state word; a word that we do not know is undecided. @param {string} state */
export const phaseOf = (state) => PHASE_OF[state] ?? "undecided";

/** @param {{state: string}} props the engine's word */
export function State({ state }) {
  const { t } = useContext(Page);
  const phase = phaseOf(state);
  const key = `phase_${phase}`;
  return html`
    <span class="state phase-${phase}" title=${has(key) ? t(key) : phase}>
      <${Icon} name=${phase} /><span>${state || "?"}</span>
    </span>
  `;
}
