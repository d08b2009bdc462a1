import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import * as scram from "../assets/scram.mjs";
import { checkPasswords, checkPublished, rfc7677 } from "./vectors.mjs";

test("the vector of RFC 7677", async () => {
  assert.deepEqual(await checkPublished(scram), []);
});

test("passwords are mapped as every client maps them", async () => {
  const shared = JSON.parse(await readFile(new URL("../../../../localauth/testdata/passwords.json", import.meta.url), "utf8"));
  assert.ok(shared.passwords.length > 30, "vectors are missing");
  assert.deepEqual(await checkPasswords(scram, shared), []);
});

const nonce = "client-nonce-of-24-chars";
const salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
const joined = `${nonce}server-nonce-of-24-chars`;

test("a sound server-first message is read", () => {
  for (const rounds of [600_000, 10_000_000]) {
    const got = scram.parseServerFirst(`r=${joined},s=${salt},i=${rounds}`, nonce);
    assert.equal(got.iterations, rounds);
    assert.equal(got.nonce, joined);
    assert.equal(got.salt.length, 16);
  }
});

for (const [name, message, code] of [
  ["one round", `r=${joined},s=${salt},i=1`, "Iterations"],
  ["4095 rounds", `r=${joined},s=${salt},i=4095`, "Iterations"],
  ["one round too few", `r=${joined},s=${salt},i=599999`, "Iterations"],
  ["one round too many", `r=${joined},s=${salt},i=10000001`, "Iterations"],
  ["a thousand million rounds", `r=${joined},s=${salt},i=1000000000`, "Iterations"],
  ["rounds beyond counting", `r=${joined},s=${salt},i=99999999999999999999`, "ServerFirst"],
  ["rounds as a word", `r=${joined},s=${salt},i=many`, "ServerFirst"],
  ["rounds as a fraction", `r=${joined},s=${salt},i=600000.5`, "ServerFirst"],
  ["rounds with an exponent", `r=${joined},s=${salt},i=6e5`, "ServerFirst"],
  ["rounds in hexadecimal", `r=${joined},s=${salt},i=0x927c0`, "ServerFirst"],
  ["negative rounds", `r=${joined},s=${salt},i=-600000`, "ServerFirst"],
  ["rounds with a leading zero", `r=${joined},s=${salt},i=0600000`, "ServerFirst"],
  ["rounds and a space", `r=${joined},s=${salt},i=600000 `, "ServerFirst"],
  ["rounds and a line end", `r=${joined},s=${salt},i=600000\n`, "ServerFirst"],
  ["no rounds", `r=${joined},s=${salt}`, "ServerFirst"],
  ["no salt", `r=${joined},s=,i=600000`, "ServerFirst"],
  ["a salt of one byte", `r=${joined},s=AA==,i=600000`, "ServerFirst"],
  ["a salt of 15 bytes", `r=${joined},s=AAAAAAAAAAAAAAAAAAAA,i=600000`, "ServerFirst"],
  ["a salt in another spelling", `r=${joined},s=W22ZaJ0SNY7soEsUEjb6gR==,i=600000`, "ServerFirst"],
  ["a salt without padding", `r=${joined},s=W22ZaJ0SNY7soEsUEjb6gQ,i=600000`, "ServerFirst"],
  ["somebody else's nonce", `r=other${joined},s=${salt},i=600000`, "ServerFirst"],
  ["our nonce alone", `r=${nonce},s=${salt},i=600000`, "ServerFirst"],
  ["our nonce and next to nothing", `r=${nonce}x,s=${salt},i=600000`, "ServerFirst"],
  ["no nonce", `r=,s=${salt},i=600000`, "ServerFirst"],
  ["a mandatory extension", `m=x,r=${joined},s=${salt},i=600000`, "ServerFirst"],
  ["an extension", `r=${joined},s=${salt},i=600000,x=y`, "ServerFirst"],
  ["an error", "e=unknown-user", "ServerFirst"],
  ["another mechanism", "SCRAM-SHA-1", "ServerFirst"],
  ["endless", `r=${joined}${"x".repeat(2000)},s=${salt},i=600000`, "ServerFirst"],
  ["nothing", "", "ServerFirst"],
]) {
  test(`refused before anything is computed: ${name}`, async (t) => {
    const used = t.mock.method(crypto.subtle, "importKey");
    await assert.rejects(scram.prove("pencil", scram.clientFirst("user", nonce), message), { name: "ScramError", code });
    assert.equal(used.mock.callCount(), 0);
  });
}

test("the server has to prove itself", async () => {
  const proof = await scram.prove("pencil", scram.clientFirst("user", rfc7677.nonce), rfc7677.serverFirst, { least: 4096, most: 4096 });
  for (const wrong of [undefined, null, "", "v=", "v=AAAA", "e=other-error", rfc7677.serverFinal.replace("6r", "6s"), `${rfc7677.serverFinal},x=y`, `v=${"A".repeat(43)}=`]) {
    assert.throws(() => scram.verify(wrong, proof.expected), { code: "ServerFinal" }, String(wrong));
  }
  assert.throws(() => scram.verify("v=", new Uint8Array()), { code: "ServerFinal" });
});

test("a name cannot end its field", () => {
  assert.equal(scram.clientFirst("a,r=b=", "n").bare, "n=a=2Cr=3Db=3D,r=n");
});

test("nonces are new and of 192 bits", () => {
  const nonces = new Set(Array.from({ length: 1000 }, scram.newNonce));
  assert.equal(nonces.size, 1000);
  for (const each of nonces) assert.match(each, /^[A-Za-z0-9+/]{32}$/);
});

test("long passwords", () => {
  assert.equal([...scram.mapPassword("\u{1F600}".repeat(1024))].length, 1024);
  assert.throws(() => scram.mapPassword("x".repeat(1025)), { code: "Password" });
});
