// SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side. Pure functions: they
// read no page and send nothing. The password goes in, a proof comes out.

// What the server may ask for. Fewer rounds would make its proof cheap to
// guess from, more would keep this device busy for its sake.
export const bounds = Object.freeze({ least: 600_000, most: 10_000_000 });

const longest = 1024; // code points of a password
const saltSizes = Object.freeze({ least: 16, most: 64 }); // bytes
const added = 16; // characters that the server adds to our nonce at least
const largest = 1024; // characters of a server-first message

// ScramError says by its code what is wrong: "Password", "ServerFirst",
// "Iterations" or "ServerFinal". It never repeats what it was given.
export class ScramError extends Error {
  constructor(code, message) {
    super(message);
    this.name = "ScramError";
    this.code = code;
  }
}

// mapPassword gives the one form of a password that all clients derive from:
// NFC with every space separator as U+0020. It refuses control characters,
// unassigned code points, lone surrogates, nothing, and more than 1024 code
// points.
export function mapPassword(raw) {
  if (/[\p{Cc}\p{Cn}\p{Cs}]/u.test(raw)) {
    throw new ScramError("Password", "a character that cannot be part of a password");
  }
  const mapped = raw.replace(/\p{Zs}/gu, " ").normalize("NFC");
  const length = [...mapped].length;
  if (length === 0 || length > longest) {
    throw new ScramError("Password", `a password has 1 to ${longest} characters`);
  }
  return mapped;
}

// newNonce returns 192 random bits in an alphabet without a comma.
export function newNonce() {
  return toBase64(crypto.getRandomValues(new Uint8Array(24)));
}

// clientFirst opens the conversation (RFC 5802, section 5.1).
export function clientFirst(user, nonce) {
  const bare = `n=${user.replaceAll("=", "=3D").replaceAll(",", "=2C")},r=${nonce}`;
  return { bare, nonce, message: `n,,${bare}` };
}

// parseServerFirst reads "r=…,s=…,i=…" and nothing else: no extension is
// known, and an unknown mandatory one (m=) must end the conversation.
export function parseServerFirst(message, nonce, { least, most } = bounds) {
  const parts = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9][0-9]{0,9})$/.exec(message);
  if (parts === null || message.length > largest) {
    throw new ScramError("ServerFirst", "not a server-first message");
  }
  const [, joined, salt64, rounds] = parts;
  if (nonce === "" || !joined.startsWith(nonce) || joined.length < nonce.length + added) {
    throw new ScramError("ServerFirst", "the nonce does not continue ours");
  }
  const salt = fromBase64(salt64);
  if (salt === null || salt.length < saltSizes.least || salt.length > saltSizes.most) {
    throw new ScramError("ServerFirst", "the salt is not sound");
  }
  const iterations = Number(rounds);
  if (iterations < least || iterations > most) {
    throw new ScramError("Iterations", "the number of rounds is out of bounds");
  }
  return { nonce: joined, salt, iterations };
}

// prove answers a server-first message: the client-final message, and what
// verify will compare the server's own proof with. Nothing is computed before
// the message has been found sound.
export async function prove(password, first, serverFirst, limits = bounds) {
  const { nonce, salt, iterations } = parseServerFirst(serverFirst, first.nonce, limits);
  const salted = await derive(mapPassword(password), salt, iterations);
  const clientKey = await hmac(salted, "Client Key");
  const serverKey = await hmac(salted, "Server Key");
  const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
  const withoutProof = `c=biws,r=${nonce}`;
  const signed = `${first.bare},${serverFirst},${withoutProof}`;
  const signature = await hmac(storedKey, signed);
  const proof = clientKey.map((byte, i) => byte ^ signature[i]);
  const expected = await hmac(serverKey, signed);
  for (const secret of [salted, clientKey, serverKey, storedKey, signature]) secret.fill(0);
  return { message: `${withoutProof},p=${toBase64(proof)}`, expected };
}

// verifier returns what a password can be verified with, under a fresh salt, as
// it is sent: bytes in base64.
export async function verifier(password, iterations, salt = crypto.getRandomValues(new Uint8Array(saltSizes.least))) {
  const salted = await derive(mapPassword(password), salt, iterations);
  const clientKey = await hmac(salted, "Client Key");
  const serverKey = await hmac(salted, "Server Key");
  const storedKey = new Uint8Array(await crypto.subtle.digest("SHA-256", clientKey));
  const made = { salt: toBase64(salt), iterations, stored_key: toBase64(storedKey), server_key: toBase64(serverKey) };
  for (const secret of [salted, clientKey, serverKey, storedKey]) secret.fill(0);
  return made;
}

// verify throws unless the server-final message shows that the server knows
// the verifier of this password.
export function verify(serverFinal, expected) {
  const match = /^v=([A-Za-z0-9+/]+={0,2})$/.exec(typeof serverFinal === "string" ? serverFinal : "");
  const got = match === null ? null : fromBase64(match[1]);
  if (got === null || got.length !== expected.length || expected.length === 0) {
    throw new ScramError("ServerFinal", "not a server-final message");
  }
  if (got.reduce((differs, byte, i) => differs | (byte ^ expected[i]), 0) !== 0) {
    throw new ScramError("ServerFinal", "the server does not know this password");
  }
}

// derive is Hi() of RFC 5802: PBKDF2 with one block, in one call.
export async function derive(mapped, salt, iterations) {
  const key = await crypto.subtle.importKey("raw", utf8(mapped), "PBKDF2", false, ["deriveBits"]);
  const bits = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256);
  return new Uint8Array(bits);
}

async function hmac(key, text) {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, utf8(text)));
}

const utf8 = (text) => new TextEncoder().encode(text);

const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

// fromBase64 returns null for what is not the one base64 text of some bytes.
function fromBase64(text) {
  try {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return toBase64(bytes) === text ? bytes : null;
  } catch {
    return null;
  }
}
