// The package ws before Resync. Prints what it saw as one JSON object.
//
//   ws_client.mjs NODE_MODULES URL API_KEY
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";

const [folder, url, key] = process.argv.slice(2);
const WebSocket = createRequire(join(folder, "here.js"))("ws");
const socket = new WebSocket(url, { headers: { Authorization: `Bearer ${key}` } });
const events = [];
socket.on("message", (data) => {
  const event = JSON.parse(String(data));
  events.push(event);
  if (event.type === "ready") socket.send(JSON.stringify({ type: "chat_message", content: "how is the plan?" }));
  if (event.is_final || event.type === "error") socket.close(1000);
});
socket.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
socket.on("close", (code) => console.log(JSON.stringify({ events, code })));
