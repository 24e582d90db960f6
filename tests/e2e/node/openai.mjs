// OpenAI's package for Node, driven line by line: a call as JSON comes in, and what the package
// made of the answer goes out. One process serves a whole run, because starting one is slow.
import { createInterface } from "node:readline";
import OpenAI from "openai";

async function answer({ baseURL, apiKey, call, body }) {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
  switch (call) {
    case "chat":
      return { answer: await client.chat.completions.create(body) };
    case "stream": {
      const chunks = [];
      try {
        for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) {
          chunks.push(chunk);
        }
      } catch (error) {
        return { chunks, error: described(error) };
      }
      return { chunks };
    }
    case "embeddings":
      return { answer: await client.embeddings.create(body) };
    default:
      throw new Error(`there is no call ${call}`);
  }
}

// The names of the package's errors are those of its classes, and the same as the Python package's.
function described(error) {
  const { status, code, param, message } = error;
  const known = error instanceof OpenAI.APIError;
  return { name: error.constructor.name, status, code, param, message, known };
}

for await (const line of createInterface({ input: process.stdin })) {
  let result;
  try {
    result = await answer(JSON.parse(line));
  } catch (error) {
    result = { error: described(error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
