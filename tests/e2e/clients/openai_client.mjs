// OpenAI's own package for Node before Resync. Prints what it saw as one JSON object.
//
//   openai_client.mjs NODE_MODULES BASE_URL API_KEY
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const [folder, baseURL, apiKey] = process.argv.slice(2);
const found = createRequire(join(folder, "here.js")).resolve("openai");
const { default: OpenAI } = await import(pathToFileURL(found).href);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "Why did FIN_GL_POST fail?" }];

const models = [];
for await (const model of client.models.list()) models.push(model.id);
const whole = await client.chat.completions.create({ model: "resync-deterministic", messages });
const stream = await client.chat.completions.create({
  model: "resync-deterministic",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
let text = "";
let parts = 0;
let usage = null;
let finish = null;
for await (const chunk of stream) {
  const choice = chunk.choices[0];
  text += choice?.delta.content ?? "";
  parts += choice?.delta.content ? 1 : 0;
  finish = choice?.finish_reason ?? finish;
  usage = chunk.usage ?? usage;
}
let refused = null;
try {
  await client.chat.completions.create({ model: "gpt-4o", messages });
} catch (error) {
  refused = { kind: error.constructor.name, status: error.status, code: error.code };
}
console.log(
  JSON.stringify({
    models: models.sort(),
    whole: { text: whole.choices[0].message.content, finish: whole.choices[0].finish_reason },
    streamed: { text, parts, finish, tokens: usage?.total_tokens },
    refused,
  }),
);
