#!/usr/bin/env python3
"""A sign-in service on the loopback address: whoever asks is let in; codes are checked with PKCE."""
import base64, hashlib, json, secrets, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

codes = {}


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if "code_challenge" not in query:
            return self.answer(404, b"{}")
        code = secrets.token_hex(16)
        codes[code] = query["code_challenge"]
        if "redirect_uri" in query:
            target = query["redirect_uri"] + "?" + urlencode({"code": code, "state": query["state"]})
            return self.answer(302, b"", Location=target)
        self.answer(200, code.encode(), "text/plain")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        digest = hashlib.sha256(body["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if codes.pop(body["code"], None) != challenge:
            return self.answer(400, b'{"error":"invalid_grant"}')
        self.answer(200, json.dumps({"access_token": "tok-" + secrets.token_hex(24)}).encode())

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
