// The password form of the sign-in. The page works without it as far as other
// providers go.

import { signIn } from "./conversation.mjs";
import { PasswordForm, text } from "./form.mjs";

const again = document.getElementById("local").dataset.again === "true"; // whoever is signed in proves it once more
const form = new PasswordForm(document.getElementById("local"), text("Working"), async ({ user, password }) => {
  if ((await signIn(user.value, password.value, { again })) === "done") {
    location.reload(); // the gateway knows where to go from here
    return true;
  }
  form.tell(text("Waiting"), true);
  password.value = "";
  return false;
});

form.open(again ? form.password : form.user);
