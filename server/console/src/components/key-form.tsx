// Where the key is, and a field for it.

import { useState } from "preact/hooks";
import { signIn, signInFailure } from "../session";
import { FailureCodes, sentence } from "./failure";

export function KeyForm() {
  const [text, setText] = useState("");
  const failure = signInFailure.value;
  const submit = (event: Event) => {
    event.preventDefault();
    signIn(text);
  };
  return (
    <form class="key-form" onSubmit={submit} noValidate>
      <label for="key">API key</label>
      <div class="row">
        <input
          id="key"
          type="password"
          autocomplete="off"
          spellcheck={false}
          placeholder="mr_…"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          aria-invalid={failure ? "true" : undefined}
          aria-describedby={failure ? "key-help key-failure" : "key-help"}
        />
        <button type="submit" class="primary">
          Use key
        </button>
      </div>
      {failure && (
        <p class="field-failure" id="key-failure" role="alert">
          {sentence(failure.message)} <FailureCodes failure={failure} />
        </p>
      )}
      <p id="key-help" class="quiet">
        <code>millrace dev</code> prints this page's address with a key in it. The same key is{" "}
        <code>MILLRACE_API_KEY</code> in the file <code>.millrace/dev.env</code>. It stays in this tab and is forgotten
        with it.
      </p>
    </form>
  );
}
