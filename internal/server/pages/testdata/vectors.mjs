// What every JavaScript engine has to get right: the published vector of
// RFC 7677 and the passwords that all clients map alike. Used by Node and by a
// browser; returns what went wrong, nothing if all is well.

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (byte) => parseInt(byte, 16));
const fromUTF16 = (text) => String.fromCharCode(...(text.match(/.{4}/g) ?? []).map((unit) => parseInt(unit, 16)));

export const rfc7677 = {
  user: "user",
  password: "pencil",
  nonce: "rOprNGfwEbeRWgbNEkqO",
  serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
  clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
  serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

export async function checkPublished(scram) {
  const first = scram.clientFirst(rfc7677.user, rfc7677.nonce);
  const wrong = [];
  if (first.message !== "n,,n=user,r=rOprNGfwEbeRWgbNEkqO") wrong.push(`client-first: ${first.message}`);
  const proof = await scram.prove(rfc7677.password, first, rfc7677.serverFirst, { least: 4096, most: 4096 });
  if (proof.message !== rfc7677.clientFinal) wrong.push(`client-final: ${proof.message}`);
  try {
    scram.verify(rfc7677.serverFinal, proof.expected);
  } catch (error) {
    wrong.push(`server-final: ${error.message}`);
  }
  return wrong;
}

export async function checkPasswords(scram, { salt, iterations, passwords }) {
  const wrong = [];
  for (const { name, utf16, mapped, salted, refused = false } of passwords) {
    let got;
    try {
      got = scram.mapPassword(fromUTF16(utf16));
    } catch (error) {
      if (!refused || error.code !== "Password") wrong.push(`${name}: ${error.message}`);
      continue;
    }
    if (refused) {
      wrong.push(`${name}: mapped, want it refused`);
      continue;
    }
    const bytes = hex(new TextEncoder().encode(got));
    if (bytes !== mapped) wrong.push(`${name}: mapped to ${bytes}, want ${mapped}`);
    const key = hex(await scram.derive(got, unhex(salt), iterations));
    if (key !== salted) wrong.push(`${name}: derived ${key}, want ${salted}`);
  }
  return wrong;
}
