// The password form. The page works without it as far as other providers go;
// the form does not, so it is this script that switches it on.

import { signIn } from "./conversation.mjs";

const form = document.getElementById("local");
const [user, password] = ["user", "password"].map((id) => document.getElementById(id));
const [submit, reveal, problem, progress] = ["submit", "reveal", "problem", "progress"].map((id) => document.getElementById(id));
const messages = new Map(
  [...document.getElementById("messages").content.children].map((p) => [p.dataset.say, p.textContent]),
);
const calm = submit.textContent;
let busy = false;

// text returns a message; {} in it is replaced by what is given.
function text(code, value = "") {
  return (messages.get(code) ?? messages.get("Unexpected")).replace("{}", value);
}

function tell(message, good = false) {
  problem.classList.toggle("good", good);
  problem.textContent = message;
}

function setBusy(on) {
  busy = on;
  submit.setAttribute("aria-busy", String(on));
  submit.textContent = on ? text("Working") : calm;
  progress.textContent = on ? text("Working") : "";
}

function show(on) {
  password.type = on ? "text" : "password";
  reveal.textContent = on ? reveal.dataset.hide : reveal.dataset.show;
  reveal.setAttribute("aria-label", on ? reveal.dataset.hideLabel : reveal.dataset.showLabel);
}

// wait puts seconds into words: "45 seconds", "3 minutes".
function wait(seconds) {
  const [count, unit] = seconds < 90 ? [Math.max(1, Math.ceil(seconds)), "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

async function onSubmit(event) {
  event.preventDefault();
  if (busy) return;
  user.value = user.value.trim();
  if (!form.reportValidity()) return;
  tell("");
  show(false);
  setBusy(true);
  try {
    if ((await signIn(user.value, password.value)) === "done") {
      location.reload(); // the gateway knows where to go from here
      return;
    }
    tell(text("Waiting"), true);
    password.value = "";
  } catch (refusal) {
    tell(text(refusal.code, refusal.wait > 0 ? wait(refusal.wait) : text("Later")));
    if (refusal.code === "BadUserOrPassword" || refusal.code === "Password") {
      password.value = "";
      password.focus();
    }
  }
  setBusy(false);
}

function start() {
  form.dataset.ready = "";
  if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
    tell(text("Insecure", location.protocol === "https:" ? text("OldBrowser") : text("PlainHTTP", location.host)));
    return;
  }
  if (!navigator.cookieEnabled) {
    tell(text("NoCookies"));
    return;
  }
  form.querySelector("fieldset").disabled = false;
  form.addEventListener("submit", onSubmit);
  reveal.addEventListener("click", () => show(password.type === "password"));
  reveal.hidden = false;
  if (form.dataset.alone === "true" && document.activeElement === document.body) user.focus();
}

// A page taken from the browser's memory may be older than the session.
addEventListener("pageshow", (event) => event.persisted && location.reload());
start();
