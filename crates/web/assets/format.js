// Times, ages and foreign text, the way people read them.

/** @param {"en" | "pt"} language */
export const localeOf = (language) => (language === "pt" ? "pt-BR" : "en-GB");

/**
 * An age or a duration: "4 s", "12 min", "3 h 05 min", "2 d 4 h". The units are the same in both languages.
 * @param {number} ms
 */
export function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * A moment: the time of day, with the date when it is not today, and seconds where they matter.
 * @param {string | null | undefined} text RFC 3339
 * @param {"en" | "pt"} language
 * @param {boolean} [seconds]
 */
export function moment(text, language, seconds = false) {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return "";
  const today = at.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(localeOf(language), {
    ...(today ? {} : { day: "2-digit", month: "short" }),
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds && { second: "2-digit" }),
    hourCycle: "h23",
  }).format(at);
}

/** The whole moment with its zone, for a title. @param {string | null | undefined} text @param {"en" | "pt"} language */
export function fullMoment(text, language) {
  const at = new Date(text ?? "");
  if (Number.isNaN(at.getTime())) return "";
  return new Intl.DateTimeFormat(localeOf(language), { dateStyle: "full", timeStyle: "long" }).format(at);
}

/** @param {number} value @param {"en" | "pt"} language */
export const number = (value, language) => new Intl.NumberFormat(localeOf(language)).format(value);

/**
 * Text from outside with its control characters and direction marks made visible, so that a log
 * cannot rearrange what the reader sees.
 * @param {unknown} text
 */
export function visible(text) {
  return String(text ?? "")
    .replaceAll("\r\n", "\n")
    .replace(/\n$/, "")
    .replace(/[\u0000-\u0008\u000b-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

/** `WORKSTATION#STREAM.JOB`, the way operators write it. @param {any} job */
export function labelOf(job) {
  const stream = job.stream?.name;
  if (job.workstation && stream) return `${job.workstation}#${stream}.${job.name}`;
  return stream ? `${stream}.${job.name}` : job.name;
}

/** The state to show: a flag beats the status. @param {any} job */
export function stateOf(job) {
  if (job.cancelled) return "CANCL";
  return job.cancel_pending ? "CANCLP" : job.status;
}

/** The latest run of a job, by the engine's chain, else the last listed. @param {any} job */
export function latestRun(job) {
  const runs = job.runs ?? [];
  return runs.findLast((run) => run.last_in_chain) ?? runs.at(-1);
}

/** Whether a run can have a log: one that has not started has none. @param {any} run */
export const hasLog = (run) => Boolean(run?.started_at ?? run?.ended_at);
