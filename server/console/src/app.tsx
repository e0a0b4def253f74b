// The frame of the page: header, the present screen, footer.

import type { FunctionComponent } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { endpoint } from "./api/clients";
import { FailurePanel } from "./components/failure";
import { Header } from "./components/header";
import { LiveSummary } from "./components/live-summary";
import { route, type ScreenName, screens } from "./route";
import { key, user } from "./session";
import { tryNow, userFailure } from "./state/live";
import { LiveScreen } from "./screens/live";
import { OrderScreen } from "./screens/order";
import { OrdersScreen } from "./screens/orders";
import { ProductsScreen } from "./screens/products";
import { SignInScreen } from "./screens/sign-in";

const views: Record<ScreenName, { view: FunctionComponent; needsUser: boolean }> = {
  products: { view: ProductsScreen, needsUser: false },
  order: { view: OrderScreen, needsUser: true },
  orders: { view: OrdersScreen, needsUser: true },
  live: { view: LiveScreen, needsUser: true },
};

export function App() {
  return (
    <>
      <a class="skip" href="#content" onClick={skipToContent}>
        Skip to the content
      </a>
      <Header />
      <main id="content" tabIndex={-1}>
        {endpoint.refused !== undefined && (
          <p class="notice warning" role="alert">
            <code>?api={endpoint.refused}</code> is ignored: it must be an <code>http</code> origin on this machine.
          </p>
        )}
        {userFailure.value && (
          <FailurePanel title="Your key could not be checked" failure={userFailure.value} onRetry={tryNow} />
        )}
        <Screen />
      </main>
      <LiveSummary />
      <footer>
        <span>
          gRPC-Web at <code>{endpoint.origin}</code>
        </span>
        <a href="licenses.txt">Licences</a>
      </footer>
    </>
  );
}

function Screen() {
  const name = route.value;
  const { view: View, needsUser } = views[name];
  const locked = needsUser && key.value === null;
  useFocusOnChange(name);
  useEffect(() => {
    document.title = `${screens[name]} · Millrace`;
  }, [name]);

  if (locked) return <SignInScreen />;
  if (needsUser && user.value === null) return userFailure.value ? null : <p class="quiet">Checking the key…</p>;
  return <View />;
}

/**
 * After a change of screens, reading goes on at its heading; not when the page opens. The focus moves together with
 * the screen: moved later, it would be taken from whom has pressed Tab since.
 */
function useFocusOnChange(name: ScreenName) {
  const shown = useRef(name);
  useLayoutEffect(() => {
    if (shown.current === name) return;
    shown.current = name;
    document.getElementById("content")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [name]);
}

/** The fragment names a screen, so this link must not change it. */
function skipToContent(event: Event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
