// A form with a password. It does not work without script, so it is this that
// switches it on; what to do with the password is for others to say.

const byId = (id) => document.getElementById(id);
const messages = new Map([...byId("messages").content.children].map((p) => [p.dataset.say, p.textContent]));

// text returns a message; {} in it is replaced by what is given.
export function text(code, value = "") {
  return (messages.get(code) ?? messages.get("Unexpected")).replace("{}", value);
}

// wait puts seconds into words: "45 seconds", "3 minutes".
function wait(seconds) {
  const [count, unit] = seconds < 90 ? [Math.max(1, Math.ceil(seconds)), "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(document.documentElement.lang, { style: "unit", unit, unitDisplay: "long" }).format(count);
}

const wrong = ["BadUserOrPassword", "Password"]; // what is typed anew
const poor = ["TooShort", "TooSimple"]; // what is changed

export class PasswordForm {
  // act is called with the form and may throw a Refusal; true: the page goes.
  constructor(form, working, act) {
    Object.assign(this, { form, working, act, busy: false });
    for (const id of ["user", "password", "submit", "reveal", "problem", "progress"]) this[id] = byId(id);
    this.calm = this.submit.textContent;
  }

  // open switches the form on, and begins at a field if there is nothing else to choose.
  open(field) {
    this.form.dataset.ready = "";
    if (!globalThis.isSecureContext || !globalThis.crypto?.subtle) {
      this.tell(text("Insecure", location.protocol === "https:" ? text("OldBrowser") : text("PlainHTTP", location.host)));
      return;
    }
    if (!navigator.cookieEnabled) {
      this.tell(text("NoCookies"));
      return;
    }
    this.form.querySelector("fieldset").disabled = false;
    this.form.addEventListener("submit", (event) => this.send(event));
    this.reveal.addEventListener("click", () => this.show(this.password.type === "password"));
    this.reveal.hidden = false;
    if (this.form.dataset.alone === "true" && document.activeElement === document.body) field.focus();
  }

  tell(message, good = false) {
    this.problem.classList.toggle("good", good);
    this.problem.textContent = message;
  }

  setBusy(on) {
    this.busy = on;
    this.submit.setAttribute("aria-busy", String(on));
    this.submit.textContent = on ? this.working : this.calm;
    this.progress.textContent = on ? this.working : "";
  }

  show(on) {
    const { password, reveal } = this;
    password.type = on ? "text" : "password";
    reveal.textContent = on ? reveal.dataset.hide : reveal.dataset.show;
    reveal.setAttribute("aria-label", on ? reveal.dataset.hideLabel : reveal.dataset.showLabel);
  }

  async send(event) {
    event.preventDefault();
    if (this.busy) return;
    this.user.value = this.user.value.trim();
    if (!this.form.reportValidity()) return;
    this.tell("");
    this.show(false);
    this.setBusy(true);
    try {
      if (await this.act(this)) return;
    } catch (refusal) {
      this.tell(text(refusal.code, refusal.wait > 0 ? wait(refusal.wait) : text("Later")));
      if (wrong.includes(refusal.code)) this.password.value = "";
      if (wrong.includes(refusal.code) || poor.includes(refusal.code)) this.password.focus();
    }
    this.setBusy(false);
  }
}

// A page taken from the browser's memory may be older than the session.
addEventListener("pageshow", (event) => event.persisted && location.reload());
