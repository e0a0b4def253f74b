// Name, navigation, connection, theme, user.

import { route, screens } from "../route";
import { key, signOut, user } from "../session";
import { lines } from "../state/draft";
import { countOf } from "../format/order";
import { nextTheme, theme } from "../theme";
import { ConnectionPill } from "./connection";

export function Header() {
  return (
    <header class="top">
      <a class="brand" href="#/products">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 11c3.7-3 7.3-3 11 0s7.3 3 11 0" />
          <path d="M5 17c3.7-3 7.3-3 11 0s7.3 3 11 0" />
          <path d="M5 23c3.7-3 7.3-3 11 0s7.3 3 11 0" />
        </svg>
        Millrace
      </a>
      <nav aria-label="Screens">
        {Object.entries(screens).map(([name, label]) => (
          <a key={name} href={`#/${name}`} aria-current={route.value === name ? "page" : undefined}>
            {label}
            {name === "order" && <DraftCount />}
          </a>
        ))}
      </nav>
      <div class="tools">
        <ConnectionPill />
        <ThemeButton />
        <Account />
      </div>
    </header>
  );
}

function ThemeButton() {
  return (
    <button type="button" class="plain" onClick={nextTheme} aria-label={`Theme: ${theme.value}`} title="Change theme">
      <span aria-hidden="true">{{ system: "◐", light: "○", dark: "●" }[theme.value]}</span>
    </button>
  );
}

function Account() {
  if (key.value === null) return null;
  return (
    <>
      {user.value && (
        <span class="who" title={user.value.name}>
          {user.value.displayName}
        </span>
      )}
      <button type="button" class="plain" onClick={() => signOut()}>
        Forget key
      </button>
    </>
  );
}

function DraftCount() {
  const count = lines.value.length;
  if (count === 0) return null;
  return (
    <span class="count">
      <span aria-hidden="true">{count}</span>
      <span class="hidden"> ({countOf(count, "product")})</span>
    </span>
  );
}
