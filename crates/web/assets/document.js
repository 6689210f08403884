// A runbook at the cited lines.
import { html, Page, useContext } from "./lib.js";
import { call } from "./api.js";
import { Lines } from "./lines.js";
import { hashOf } from "./location.js";
import { ProblemNote, Sheet, useLoad } from "./parts.js";

/** @param {{route: any, onClose: () => void}} props */
export function DocumentSheet({ route, onClose }) {
  const { t } = useContext(Page);
  const { data, problem, busy, again } = useLoad(
    (signal) => call("documentText", { params: { id: route.id }, signal }),
    [route.id],
  );
  return html`
    <${Sheet} title=${data?.source ?? t("document")} onClose=${onClose}>
      ${problem && html`<${ProblemNote} problem=${problem} again=${again} />`}
      <p role="status">${busy && t("loading")}</p>
      ${data && html`<${DocumentText} text=${data.text} source=${data.source} route=${route} />`}
    <//>
  `;
}

function DocumentText({ text, source, route }) {
  const { t, go } = useContext(Page);
  const address = (line) => "./" + hashOf({ ...route, lines: { from: line, to: line } });
  return html`
    <div class="prose">
      <${Lines}
        first=${1}
        lines=${text.split(/\r?\n/)}
        cited=${route.lines}
        label=${t("document_region", { source })}
        address=${address}
        onNumber=${(line) => go({ ...route, lines: { from: line, to: line } })}
      />
    </div>
  `;
}
