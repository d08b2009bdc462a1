import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { test } from "node:test";

import { Refusal, choose, signIn } from "../assets/conversation.mjs";

const salt = Buffer.from("W22ZaJ0SNY7soEsUEjb6gQ==", "base64");
const rounds = 600_000;
const salted = pbkdf2Sync("right", salt, rounds, 32, "sha256");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

// gateway plays the gateway: it knows one password and answers by its script,
// a function per path; what is not in the script goes well.
function gateway(script = {}) {
  const calls = [];
  const well = {
    "/.gateway/connect": ({ client_first }) => {
      well.bare = client_first.slice(3);
      well.first = `r=${well.bare.split("r=")[1]}server-nonce-of-24-chars,s=${salt.toString("base64")},i=${rounds}`;
      return [200, { challenge_id: `id-${calls.length}`, challenge: well.first, origins: [] }];
    },
    "/.gateway/login": ({ challenge_reply }) => {
      const [withoutProof, proof] = challenge_reply.split(",p=");
      const message = `${well.bare},${well.first},${withoutProof}`;
      const stored = createHash("sha256").update(hmac(salted, "Client Key")).digest();
      const signature = hmac(stored, message);
      const clientKey = Buffer.from(proof, "base64").map((byte, i) => byte ^ signature[i]);
      if (!createHash("sha256").update(clientKey).digest().equals(stored)) return [401, { error: "BadUserOrPassword" }];
      return [200, { login: "alice", user_id: "u1", server_final: `v=${hmac(hmac(salted, "Server Key"), message).toString("base64")}` }];
    },
    "/.gateway/logout": () => [200, { challenge_id: "", challenge: "" }],
  };
  const send = async (path, { method, body, headers, redirect, credentials }) => {
    assert.equal(method, "POST");
    assert.equal(redirect, "error");
    assert.equal(credentials, "same-origin");
    assert.equal(headers["Content-Type"], body === undefined ? undefined : "application/json");
    calls.push(path.split("/").pop());
    const value = body && JSON.parse(body);
    const [status, answer, more = {}] = script[path]?.(value, calls, well) ?? well[path](value);
    return new Response(typeof answer === "string" ? answer : JSON.stringify(answer), { status, headers: more });
  };
  return { send, calls };
}

test("the right password", async () => {
  const { send, calls } = gateway();
  assert.equal(await signIn("alice", "right", { send }), "done");
  assert.deepEqual(calls, ["connect", "login"]);
});

test("signed in meanwhile", async () => {
  const { send, calls } = gateway({ "/.gateway/connect": () => [200, { login: "alice", user_id: "u1", user_info: {} }] });
  assert.equal(await signIn("alice", "right", { send }), "done");
  assert.deepEqual(calls, ["connect"]);
});

test("once more, while signed in", async () => {
  const asked = [];
  const { send, calls } = gateway({
    "/.gateway/connect": (value, _, well) => {
      asked.push(value.again);
      return value.again ? well["/.gateway/connect"](value) : [200, { login: "alice", user_id: "u1", user_info: {} }];
    },
  });
  assert.equal(await signIn("alice", "right", { again: true, send }), "done");
  assert.deepEqual(calls, ["connect", "login"]);
  assert.equal(await signIn("alice", "right", { again: false, send }), "done");
  assert.deepEqual(asked, [true, undefined]);
});

test("registered, but waiting", async () => {
  const { send } = gateway({ "/.gateway/login": () => [202, { user_id: "u1" }] });
  assert.equal(await signIn("alice", "right", { send }), "waiting");
});

test("a session that was over", async () => {
  const { send, calls } = gateway({
    "/.gateway/connect": (_, made) => (made.length === 1 ? [401, { error: "SessionExpired" }] : undefined),
  });
  assert.equal(await signIn("alice", "right", { send }), "done");
  assert.deepEqual(calls, ["connect", "connect", "login"]);
});

test("a challenge that ran out is renewed", async () => {
  const { send, calls } = gateway({
    "/.gateway/login": (_, made) => (made.length === 2 ? [401, { error: "ChallengeNotFoundOrExpired" }] : undefined),
  });
  assert.equal(await signIn("alice", "right", { send }), "done");
  assert.deepEqual(calls, ["connect", "login", "connect", "login"]);
});

test("a challenge is renewed once", async () => {
  const { send, calls } = gateway({ "/.gateway/login": () => [401, { error: "ChallengeNotFoundOrExpired" }] });
  await assert.rejects(signIn("alice", "right", { send }), { code: "ChallengeNotFoundOrExpired" });
  assert.deepEqual(calls, ["connect", "login", "connect", "login"]);
});

test("a server that cannot prove itself is signed out of", async () => {
  for (const server_final of [undefined, "", 7, "v=", `v=${"A".repeat(43)}=`]) {
    const { send, calls } = gateway({ "/.gateway/login": () => [200, { user_id: "u1", server_final }] });
    await assert.rejects(signIn("alice", "right", { send }), { name: "Refusal", code: "ServerFinal" });
    assert.deepEqual(calls, ["connect", "login", "logout"]);
  }
});

for (const [name, path, answer, code, wait, calls] of [
  ["wrong password", "/.gateway/login", [401, { error: "BadUserOrPassword" }], "BadUserOrPassword", 0, ["connect", "login"]],
  ["throttled", "/.gateway/login", [429, { error: "TooManyAttempts" }, { "Retry-After": "45" }], "TooManyAttempts", 45, ["connect", "login"]],
  ["shut", "/.gateway/login", [429, { error: "TooManyAttempts", reason: "shut" }, { "Retry-After": "86400" }], "Shut", 0, ["connect", "login"]],
  ["throttled without a wait", "/.gateway/connect", [429, { error: "TooManyAttempts" }], "TooManyAttempts", 0, ["connect"]],
  ["too few rounds", "/.gateway/connect", [200, { challenge_id: "x", challenge: "" }], "ServerFirst", 0, ["connect"]],
  ["no challenge", "/.gateway/connect", [200, {}], "Unexpected", 0, ["connect"]],
  ["a challenge that is no text", "/.gateway/connect", [200, { challenge_id: 1, challenge: {} }], "Unexpected", 0, ["connect"]],
  ["a page instead of JSON", "/.gateway/connect", [200, "<!doctype html>"], "Unexpected", 0, ["connect"]],
  ["JSON that is no object", "/.gateway/login", [200, "null"], "Unexpected", 0, ["connect", "login"]],
  ["an error without a word", "/.gateway/login", [502, { error: 7 }], "Unexpected", 0, ["connect", "login"]],
  ["cannot tell", "/.gateway/login", [503, { error: "Unavailable" }], "Unavailable", 0, ["connect", "login"]],
]) {
  test(name, async () => {
    const served = gateway({ [path]: () => answer });
    await assert.rejects(signIn("alice", "right", { send: served.send }), { name: "Refusal", code, wait });
    assert.deepEqual(served.calls, calls);
  });
}

test("no connection", async () => {
  const broken = async () => { throw new TypeError("Failed to fetch"); };
  await assert.rejects(signIn("alice", "right", { send: broken }), { code: "Network" });
  const slow = async () => { throw new DOMException("late", "TimeoutError"); };
  await assert.rejects(signIn("alice", "right", { send: slow }), { code: "Timeout" });
});

test("what cannot be a password is not tried", async () => {
  for (const password of ["", "tab\t", "\ud800", "x".repeat(1025)]) {
    const { send, calls } = gateway();
    await assert.rejects(signIn("alice", password, { send }), (error) => error instanceof Refusal && error.code === "Password");
    assert.deepEqual(calls, []);
  }
});

test("the password is in nothing that is sent", async () => {
  const { send } = gateway();
  const sent = [];
  const listen = (path, options) => {
    sent.push(path + JSON.stringify(options));
    return send(path, options);
  };
  await signIn("alice", "right", { send: listen });
  for (const form of ["right", Buffer.from("right").toString("base64"), Buffer.from("right").toString("hex")]) {
    assert.ok(!sent.join().includes(form), form);
  }
});

// deaf keeps what is sent and answers by one status.
function deaf(status = 200) {
  const sent = [];
  const send = async (path, { body }) => {
    sent.push([path, JSON.parse(body), body]);
    return new Response(JSON.stringify(status === 200 ? { login: "alice" } : { error: "BadRequest" }), { status });
  };
  return { send, sent };
}

const limits = { least: 15, iterations: rounds };

test("a password is chosen: what is sent verifies it and does not hold it", async () => {
  const { send, sent } = deaf();
  const password = "four w\u00f6rds \u00a0and more";
  await choose("/.gateway/enrol", "CODE", password, limits, send);
  await choose("/.gateway/enrol", "CODE", password, limits, send);
  const [[path, first, body], [, second]] = sent;
  assert.equal(path, "/.gateway/enrol");
  assert.deepEqual(Object.keys(first).sort(), ["code", "iterations", "salt", "server_key", "stored_key"]);
  assert.equal(first.iterations, rounds);
  assert.notEqual(first.salt, second.salt);
  assert.equal(Buffer.from(first.salt, "base64").length, 16);
  const key = pbkdf2Sync("four w\u00f6rds  and more", Buffer.from(first.salt, "base64"), rounds, 32, "sha256");
  assert.equal(first.stored_key, createHash("sha256").update(hmac(key, "Client Key")).digest("base64"));
  assert.equal(first.server_key, hmac(key, "Server Key").toString("base64"));
  assert.ok(!/four|more/.test(body));
});

for (const [name, password, code] of [
  ["too short", "fourteen chars", "TooShort"],
  ["too short, counted in characters", "\u{1f511}".repeat(14), "TooShort"],
  ["one character", "a".repeat(40), "TooSimple"],
  ["four characters", "abcd".repeat(10), "TooSimple"],
  ["what no password can have", "a tab\tand more words", "Password"],
]) {
  test(`a password that is refused: ${name}`, async () => {
    const { send, sent } = deaf();
    await assert.rejects(choose("/.gateway/enrol", "CODE", password, limits, send), { code });
    assert.deepEqual(sent, []);
  });
}

test("a link that does not count", async () => {
  const { send } = deaf(404);
  await assert.rejects(choose("/.gateway/reset", "CODE", "four words and more", limits, send), { code: "BadRequest" });
});
