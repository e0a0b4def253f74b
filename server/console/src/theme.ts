// Light or dark: as the system says, unless the reader chose.

import { effect, signal } from "@preact/signals";

const storageName = "millrace.theme";
const choices = ["system", "light", "dark"] as const;
export type Theme = (typeof choices)[number];

const stored = localStorage.getItem(storageName);
export const theme = signal<Theme>(choices.find((choice) => choice === stored) ?? "system");

export function nextTheme(): void {
  theme.value = choices[(choices.indexOf(theme.value) + 1) % choices.length] ?? "system";
}

/** Keeps the document at the choice; `app.css` does the rest by `color-scheme`. */
export function applyTheme(): void {
  effect(() => {
    document.documentElement.dataset["theme"] = theme.value;
    if (theme.value === "system") localStorage.removeItem(storageName);
    else localStorage.setItem(storageName, theme.value);
  });
}
