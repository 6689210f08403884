// Small pictures beside words. Each is hidden from assistive technology: the word says it all.
import { html } from "./lib.js";

/** Outlines on a 16 by 16 grid. */
const SHAPES = {
  failed: "M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5zM5.5 5.5l5 5m0-5l-5 5",
  blocked: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM3.5 3.5l9 9",
  running: "M4.5 2.5l8.5 5.5l-8.5 5.5z",
  ready: "M8 2v9m-3.5-3.5L8 11l3.5-3.5M3 14h10",
  waiting: "M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13zM8 4.5V8l2.5 2",
  succeeded: "M2.5 8.5l3.5 3.5l7.5-8",
  cancelled: "M3 3l10 10M13 3L3 13",
  suppressed: "M3 8h10",
  undecided: "M5 5.5a3 3 0 1 1 4.2 2.8C8.3 8.7 8 9.2 8 10m0 3v.5",
  warning: "M8 1.8L15 14H1zM8 6v4m0 2v.3",
  close: "M3.5 3.5l9 9m0-9l-9 9",
  back: "M10 3L5 8l5 5",
  log: "M3 1.5h7l3 3v10H3zM5.5 6h5m-5 2.5h5m-5 2.5h3",
  document: "M2.5 2.5C5 2 7 2.5 8 4c1-1.5 3-2 5.5-1.5v10C11 12 9 12.5 8 14c-1-1.5-3-2-5.5-1.5zM8 4v10",
};

/** @param {{name: keyof typeof SHAPES}} props */
export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
    <path d=${SHAPES[name] ?? SHAPES.undecided} />
  </svg>
`;
