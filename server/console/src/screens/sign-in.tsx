// What is shown instead of a screen that needs a user.

import { KeyForm } from "../components/key-form";

export function SignInScreen() {
  return (
    <section class="card narrow">
      <h1>A key is needed</h1>
      <p>Orders belong to a user, and the key says to which. Products can be looked at without one.</p>
      <KeyForm />
    </section>
  );
}
