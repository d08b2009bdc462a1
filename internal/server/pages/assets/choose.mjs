// Sets a password by a one-time link, and signs in with it.

import { choose, signIn } from "./conversation.mjs";
import { PasswordForm, text } from "./form.mjs";

const { path, code, least, iterations } = document.getElementById("choose").dataset;
let chosen = false;

const form = new PasswordForm(document.getElementById("choose"), text("Setting"), async ({ user, password }) => {
  try {
    if (!chosen) await choose(path, code, password.value, { least: Number(least), iterations: Number(iterations) });
  } catch (refusal) {
    if (refusal.code !== "BadRequest") throw refusal;
    location.reload(); // the link does not count any more, and the gateway says why
    return true;
  }
  chosen = true; // the link is used: from here on it is signing in that can be tried again
  if ((await signIn(user.value, password.value)) === "done") {
    location.replace("/");
    return true;
  }
  form.tell(text("Waiting"), true);
  return false;
});

form.open(form.password);
