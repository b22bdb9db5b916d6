// Files of the website, counted while they come, and unpacked if they were packed.

const unpack = async (blob) => {
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return blob.arrayBuffer(); // the server has unpacked it
  return new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
};

// Fetch files side by side; tell(received, total) counts bytes on the wire, total 0 if unknown.
export const download = async (addresses, tell) => {
  const answers = await Promise.all(addresses.map((address) => fetch(address)));
  const bad = answers.find((answer) => !answer.ok);
  if (bad) throw new Error(`${bad.status}: ${bad.url}`);
  const lengths = answers.map((answer) => +answer.headers.get("content-length"));
  const total = lengths.every((length) => length > 0) ? lengths.reduce((sum, length) => sum + length, 0) : 0;
  let received = 0;
  return Promise.all(answers.map(async (answer) => {
    const [reader, parts] = [answer.body.getReader(), []];
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      received += part.value.length;
      tell(received, total);
    }
    return unpack(new Blob(parts));
  }));
};

export const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

// What a reader is told while files come.
export const progressText = (received, total) =>
  `Loading the model: ${megabytes(received)}${total >= received ? ` of ${megabytes(total)}` : ""} MB …`;
