// What a Node server of the agents' interface is at least: the token, health, metrics, and prompts that
// run a program and stream what it prints. For comparison only: node server.js --token-file F --listen A:P
'use strict';
const { spawn } = require('node:child_process');
const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');
const { timingSafeEqual, randomUUID } = require('node:crypto');

const option = (name) => process.argv[process.argv.indexOf(name) + 1];
const token = Buffer.from(readFileSync(option('--token-file'), 'utf8').trim());
const [host, port] = option('--listen').split(':');
const programs = { claude_code: ['claude', '-p'], codex: ['codex', 'exec'], gemini_cli: ['gemini', '-p'] };
let count = 0;

function allowed(request) {
  const given = Buffer.from((request.headers.authorization || '').replace(/^Bearer /, ''));
  return given.length === token.length && timingSafeEqual(given, token);
}

function answer(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(value));
}

function prompt(body, response) {
  const { provider, prompt, cwd } = JSON.parse(body);
  const words = programs[provider];
  if (!words) return answer(response, 400, { error: { code: 'unknown_provider' } });
  count += 1;
  const child = spawn(words[0], [...words.slice(1), prompt], { cwd, detached: true });
  const send = (event) => response.write(JSON.stringify(event) + '\n');
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  send({ event: 'started', id: randomUUID(), provider });
  for (const stream of ['stdout', 'stderr']) {
    child[stream].on('data', (text) => send({ event: 'output', stream, text: String(text) }));
  }
  child.on('error', (error) => response.end(JSON.stringify({ event: 'end', message: error.message })));
  child.on('close', (exitCode, signal) => response.end(JSON.stringify({ event: 'end', exitCode, signal })));
  response.on('close', () => { try { process.kill(-child.pid); } catch { /* it ended */ } });
}

createServer((request, response) => {
  if (request.url === '/health') return answer(response, 200, { status: 'ok' });
  if (!allowed(request)) return answer(response, 401, { error: { code: 'unauthorized' } });
  if (request.url === '/metrics') return response.end(`prompts_total ${count}\n`);
  if (request.method !== 'POST' || request.url !== '/prompt') return answer(response, 404, {});
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => prompt(Buffer.concat(parts).toString(), response));
}).listen(Number(port), host);
