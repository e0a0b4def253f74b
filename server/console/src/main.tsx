// Starts the page: takes the key out of the address, then draws.

import { render } from "preact";
import { App } from "./app";
import { followRoutes } from "./route";
import { takeKeyFromAddress } from "./session";
import { followOrdersOfSession } from "./state/live";
import { applyTheme } from "./theme";

// First of all, so that the key is in the address bar for as short a time as possible.
takeKeyFromAddress();
applyTheme();
followRoutes();
followOrdersOfSession();

const root = document.getElementById("app");
if (root) render(<App />, root);
