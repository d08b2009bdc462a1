// Sits in a page under test and does what a person would: the test says what
// to enter, and is told what the page shows then.

const post = (path, value) => fetch(path, { method: "POST", body: JSON.stringify(value) });
const next = async () => (await fetch("/test/next")).json();
const onward = async () => location.assign(await (await fetch("/test/onward")).json());
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));

async function fillIn({ user, password }) {
  const [name, secret, submit, problem] = ["user", "password", "submit", "problem"].map((id) => document.getElementById(id));
  document.getElementById("reveal").click();
  const shown = secret.type;
  name.value = user;
  secret.value = password;
  submit.focus();
  submit.click();
  submit.click(); // impatience changes nothing
  const busy = [submit.getAttribute("aria-busy"), submit.textContent, secret.type].join(" ");
  while (submit.getAttribute("aria-busy") === "true") await settled();
  await post("/test/seen", {
    problem: problem.textContent,
    good: problem.className === "good",
    focus: document.activeElement.id,
    left: secret.value.length,
    shown,
    busy,
    submit: submit.textContent,
  });
}

async function run() {
  if (document.getElementById("local") === null) {
    await post("/test/seen", { title: document.title, times: [...document.querySelectorAll("time")].map((time) => time.textContent) });
    return onward();
  }
  if (document.querySelector("fieldset").disabled) {
    await post("/test/seen", { problem: document.getElementById("problem").textContent, disabled: true });
    return;
  }
  for (let step = await next(); step.user; step = await next()) await fillIn(step);
}

run().catch((error) => post("/test/seen", { problem: `driver: ${error.stack}` }));
