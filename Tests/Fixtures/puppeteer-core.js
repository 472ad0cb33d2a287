// As much of Puppeteer as drives a browser: it starts the one that the environment names, speaks the DevTools
// protocol with it over a pipe, and reads a page.
"use strict";
const { spawn } = require("node:child_process");
exports.launch = ({ args = [] } = {}) => {
  const program = process.env.PUPPETEER_EXECUTABLE_PATH;
  const browser = spawn(program, ["--headless", "--remote-debugging-pipe", ...args, "about:blank"],
    { stdio: ["ignore", "ignore", "inherit", "pipe", "pipe"] });
  let rest = "", last = 0;
  const waiting = new Map();
  browser.on("exit", () => { for (const [, no] of waiting.values()) no(new Error("it ended")); });
  browser.stdio[4].on("data", (bytes) => {
    const parts = (rest + bytes).split("\0");
    rest = parts.pop();
    for (const message of parts.map((part) => JSON.parse(part))) {
      const [yes, no] = waiting.get(message.id) ?? [];
      waiting.delete(message.id);
      if (message.error) no?.(new Error(message.error.message)); else yes?.(message.result);
    }
  });
  const send = (method, params = {}, sessionId) => new Promise((yes, no) => {
    waiting.set(++last, [yes, no]);
    browser.stdio[3].write(JSON.stringify({ id: last, method, params, sessionId }) + "\0");
  });
  return {
    version: async () => (await send("Browser.getVersion")).product,
    title: async (url) => {
      const { targetId } = await send("Target.createTarget", { url });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      const expression = "new Promise((yes) => document.readyState === 'complete'"
        + " ? yes(document.title) : addEventListener('load', () => yes(document.title)))";
      const { result } = await send(
        "Runtime.evaluate", { expression, awaitPromise: true }, sessionId);
      return result.value;
    },
    close: () => send("Browser.close"),
  };
};
