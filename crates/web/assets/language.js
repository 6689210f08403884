// The two languages of the page: which one, and how a key becomes text.
import { useEffect, useMemo, useState } from "./lib.js";
import { STRINGS } from "./strings.js";

const KEPT = "resync.language";

/** The language of the page, kept over visits. @returns {["en" | "pt", (language: "en" | "pt") => void]} */
export function useLanguage() {
  const [language, setLanguage] = useState(first);
  useEffect(() => {
    document.documentElement.lang = language === "pt" ? "pt-BR" : "en";
    keep(language);
  }, [language]);
  return [language, setLanguage];
}

/** The functions that turn a key into text in `language`. @param {"en" | "pt"} language */
export function useTexts(language) {
  return useMemo(() => {
    const t = (key, values = {}) => {
      const text = STRINGS[key]?.[language] ?? key;
      return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
    };
    const tn = (key, count) => t(count === 1 ? `${key}_one` : `${key}_other`, { n: count });
    return { t, tn };
  }, [language]);
}

/** A text that the server gives in both languages. @param {{en?: string, pt?: string} | null | undefined} text */
export const inLanguage = (text, language) => text?.[language] ?? text?.en ?? "";

/** Whether a key exists, for keys made from words of the server. @param {string} key */
export const has = (key) => Object.hasOwn(STRINGS, key);

function first() {
  const kept = read();
  if (kept === "en" || kept === "pt") return kept;
  return navigator.language?.toLowerCase().startsWith("pt") ? "pt" : "en";
}

// A browser may refuse storage; then the language holds until the page is closed.
function read() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(language) {
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // See above.
  }
}
