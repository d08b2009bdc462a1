// The conversation with the gateway: connect, prove, login. It knows no page;
// what goes wrong is thrown as a Refusal with the code of the message to show.

import { ScramError, clientFirst, mapPassword, newNonce, prove, verifier, verify } from "./scram.mjs";

const patience = 30_000; // milliseconds to wait for an answer

// Refusal carries the gateway's error word (or one of Network, Timeout, Shut,
// Unexpected and those of ScramError) and, for TooManyAttempts, the wait in
// seconds.
export class Refusal extends Error {
  constructor(code, wait = 0) {
    super(code);
    this.name = "Refusal";
    this.code = code;
    this.wait = wait;
  }
}

// signIn resolves to "done" (there is a session, reload) or "waiting"
// (registered, not yet approved). A challenge that ran out is renewed once.
// again: whoever is signed in signs in once more.
export async function signIn(user, password, { again = false, send = fetch } = {}) {
  try {
    const mapped = mapPassword(password);
    return await attempt(user, mapped, again, send).catch((error) => {
      if (error.code !== "ChallengeNotFoundOrExpired") throw error;
      return attempt(user, mapped, again, send);
    });
  } catch (error) {
    throw asRefusal(error);
  }
}

const fewest = 5; // different characters of a password

// choose sets a password by the secret of a one-time link: what is sent can
// verify the password, and the password itself goes nowhere.
export async function choose(path, code, password, { least, iterations }, send = fetch) {
  try {
    const mapped = mapPassword(password);
    const characters = [...mapped];
    if (characters.length < least) throw new Refusal("TooShort");
    if (new Set(characters).size < fewest) throw new Refusal("TooSimple");
    await post(send, path, { code, ...(await verifier(mapped, iterations)) });
  } catch (error) {
    throw asRefusal(error);
  }
}

async function attempt(user, password, again, send) {
  const first = clientFirst(user, newNonce());
  const needed = await connect({ client_first: first.message, ...(again && { again }) }, send);
  if (needed.user_id) return "done"; // signed in meanwhile, in another tab
  if (typeof needed.challenge !== "string" || typeof needed.challenge_id !== "string") {
    throw new Refusal("Unexpected");
  }
  const proof = await prove(password, first, needed.challenge);
  const login = { user, challenge_id: needed.challenge_id, challenge_reply: proof.message };
  const { status, body } = await post(send, "/.gateway/login", login);
  if (status === 202) return "waiting";
  try {
    verify(body.server_final, proof.expected);
  } catch (error) {
    await post(send, "/.gateway/logout").catch(() => {}); // its session is not to be trusted either
    throw error;
  }
  return "done";
}

// connect asks for a challenge. A session that is over is told once, and its
// cookie cleared; then the gateway answers.
async function connect(asked, send) {
  const ask = () => post(send, "/.gateway/connect", asked);
  try {
    return (await ask()).body;
  } catch (error) {
    if (error.code !== "SessionExpired") throw error;
    return (await ask()).body;
  }
}

async function post(send, path, value) {
  const response = await send(path, {
    method: "POST",
    headers: { Accept: "application/json", ...(value && { "Content-Type": "application/json" }) },
    body: value && JSON.stringify(value),
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
    signal: AbortSignal.timeout(patience),
  }).catch((error) => {
    throw new Refusal(error.name === "TimeoutError" ? "Timeout" : "Network");
  });
  const body = await response.json().catch(() => null);
  if (body === null || typeof body !== "object") throw new Refusal("Unexpected");
  if (!response.ok) {
    if (body.error === "TooManyAttempts" && body.reason === "shut") throw new Refusal("Shut"); // no wait helps
    const wait = Number(response.headers.get("Retry-After"));
    throw new Refusal(typeof body.error === "string" ? body.error : "Unexpected", wait > 0 ? wait : 0);
  }
  return { status: response.status, body };
}

function asRefusal(error) {
  if (error instanceof Refusal) return error;
  return new Refusal(error instanceof ScramError ? error.code : "Unexpected");
}
