// The official openai package for Node, driven by the tests: a task a line in, what the package
// made of the answer a line out. It ends when its input does.

import readline from 'node:readline';
import OpenAI from 'openai';
import { ChatCompletionStream } from 'openai/lib/ChatCompletionStream';

/** What a caller of the package is told when a call fails. */
function told(error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  const { status, code, type, param, message } = error;
  return {
    name: error.constructor.name,
    status: status ?? null,
    code: code ?? null,
    type: type ?? null,
    param: param ?? null,
    message,
    headers: Object.fromEntries(error.headers ?? []),
  };
}

/** The package's own way to put a message together from the pieces of a stream. */
async function accumulated(chunks) {
  const lines = new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(`${JSON.stringify(chunk)}\n`));
      controller.close();
    },
  });
  return ChatCompletionStream.fromReadableStream(lines).finalChatCompletion();
}

async function chat(client, body) {
  const { data, response } = await client.chat.completions.create(body).withResponse();
  const headers = Object.fromEntries(response.headers);
  if (!body.stream) return { headers, answer: data };
  const chunks = [];
  try {
    for await (const chunk of data) chunks.push(chunk);
  } catch (error) {
    return { headers, chunks, error: told(error) };
  }
  return { headers, chunks, answer: await accumulated(chunks) };
}

async function embeddings(client, body) {
  const { data, response } = await client.embeddings.create(body).withResponse();
  return { headers: Object.fromEntries(response.headers), answer: data };
}

const tasks = { chat, embeddings };

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { task, url, key, body } = JSON.parse(line);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, timeout: 30_000 });
  let result;
  try {
    result = await tasks[task](client, body);
  } catch (error) {
    result = error instanceof OpenAI.APIError ? { error: told(error) } : { broken: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
