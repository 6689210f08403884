// Numbered lines of text, with the cited ones marked in words, highlighted and focused.
import { html, Page, useContext, useEffect, useRef } from "./lib.js";
import { visible } from "./format.js";

/**
 * @param {{first: number, lines: string[], cited?: {from: number, to: number}, label: string,
 *   onNumber: (line: number) => void, address: (line: number) => string}} props
 */
export function Lines({ first, lines, cited, label, onNumber, address }) {
  const { t } = useContext(Page);
  const mark = useRef(null);
  const shown = cited && cited.from <= first + lines.length - 1 && cited.to >= first;
  useEffect(() => {
    if (!shown) return;
    mark.current?.focus({ preventScroll: true });
    mark.current?.scrollIntoView({ block: "center" });
  }, [shown, cited?.from, cited?.to, first]);
  const start = shown ? Math.max(cited.from, first) : first;
  // One stop of the Tab key for the whole text; the arrows go from line to line.
  const move = (event) => {
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const next = step && event.target.closest("li")?.[step]?.querySelector(".number");
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
  return html`
    <div class="lines-box" role="region" aria-label=${label} tabindex="0">
      <ol class="text-lines" start=${first} onKeyDown=${move}>
        ${lines.map((text, index) => {
          const line = first + index;
          const inside = shown && line >= cited.from && line <= cited.to;
          return html`
            <li
              key=${line}
              id=${`L${line}`}
              value=${line}
              class=${inside ? "cited" : ""}
              ref=${inside && line === start ? mark : null}
              tabindex=${inside && line === start ? -1 : undefined}
            >
              <a
                class="number"
                href=${address(line)}
                tabindex=${line === start ? 0 : -1}
                aria-label=${t("line", { n: line })}
                onClick=${(event) => {
                  event.preventDefault();
                  onNumber(line);
                }}
                >${line}</a
              >
              ${inside && html`<span class="sr-only">${t("cited")}: </span>`}
              <code>${visible(text) || " "}</code>
            </li>
          `;
        })}
      </ol>
    </div>
  `;
}
