// Looks whether the person has been let in, often at first, and loads the page
// anew when the gateway says anything else than that they wait: it knows where
// to go from here.

const pace = [
  { until: 60_000, every: 2_000 },
  { until: 600_000, every: 5_000 },
  { until: Infinity, every: 20_000 },
]; // milliseconds
const patience = 15_000; // milliseconds to wait for an answer
const begun = performance.now();
let timer;

async function waits() {
  try {
    const response = await fetch("/.gateway/wait", {
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(patience),
    });
    if (response.status >= 500) return true; // it cannot tell right now
    return (await response.json()).waiting === true;
  } catch {
    return true; // it cannot be reached right now
  }
}

async function look() {
  clearTimeout(timer);
  if (!document.hidden && !(await waits())) {
    location.reload();
    return;
  }
  const { every } = pace.find(({ until }) => performance.now() - begun < until);
  clearTimeout(timer);
  timer = setTimeout(look, every);
}

document.addEventListener("visibilitychange", () => document.hidden || look());
look();
