#!/usr/bin/env python3
"""Plays codex, claude or gemini, by the name it is started under; see README.md."""
import base64, hashlib, json, os, secrets, subprocess, sys, termios, threading, time, tty
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

NAME = os.path.basename(sys.argv[0])
HOME = os.environ["HOME"]
PROVIDER = os.environ.get("FAKE_PROVIDER", "http://127.0.0.1:1")
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
STATE = secrets.token_urlsafe(16)
FILES = {
    "codex": ".codex/auth.json",
    "claude": ".claude/.credentials.json",
    "gemini": ".gemini/oauth_creds.json",
}
CREDENTIALS = os.path.join(HOME, FILES.get(NAME, "none"))


def address(redirect=None):
    query = {"client_id": "fixture", "code_challenge": CHALLENGE, "state": STATE, "scope": "a b c"}
    if redirect:
        query["redirect_uri"] = redirect
    return f"{PROVIDER}/oauth/authorize?{urlencode(query)}"


def exchange(code):
    body = json.dumps({"code": code, "code_verifier": VERIFIER}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{PROVIDER}/token", data=body)) as answer:
        tokens = json.load(answer)
    os.makedirs(os.path.dirname(CREDENTIALS), mode=0o700, exist_ok=True)
    text = json.dumps({"tokens": tokens, "filler": "x" * 5000})
    with open(os.open(CREDENTIALS, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(text[:40])  # half a file first: readers must not take it for the whole
        file.flush()
        time.sleep(0.2)
        file.write(text[40:])


def listen():
    """Waits for the browser to come back; gives the port and a function that waits for the code."""
    got = {}

    class Callback(BaseHTTPRequestHandler):
        def do_GET(self):
            query = parse_qs(urlsplit(self.path).query)
            fits = query.get("state") == [STATE]
            self.send_response(200 if fits else 400)
            self.end_headers()
            if fits:
                got["code"] = query["code"][0]

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Callback)

    def wait():
        while "code" not in got:
            server.handle_request()
        return got["code"]

    return server.server_port, wait


def browse(url):
    browser = os.environ.get("BROWSER")
    if browser:
        subprocess.Popen([browser, url], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def codex():
    port, wait = listen()
    url = address(f"http://127.0.0.1:{port}/auth/callback")
    print(f"Starting local login server on http://localhost:{port}.")
    print(f"If your browser did not open, navigate to this URL to authenticate:\n\n{url}\n", flush=True)
    browse(url)
    exchange(wait())
    print("Successfully logged in", flush=True)


def ask_terminal(question, end):
    sys.stdout.write(question)
    sys.stdout.flush()
    answer = ""
    while not answer.endswith(end):
        answer += os.read(0, 1).decode()
    return answer


def claude():
    tty.setraw(0)
    ask_terminal("\x1b[6n", "R")
    ask_terminal("\x1b]11;?\x07", "\\")
    ask_terminal("\x1b[c", "c")
    port, wait = listen()
    loopback, paste = address(f"http://127.0.0.1:{port}/callback"), address()
    sys.stdout.write("\x1b[2J\x1b[HBrowser\x1b[1;9Hdidn't\x1b[1;16Hopen? Use the url below to sign in\r\n")
    sys.stdout.write(f"\x1b]8;;{paste}\x1b\\\x1b[4m{paste[:60]}\x1b[0m…\x1b]8;;\x1b\\\r\n\r\n")
    sys.stdout.write("Paste code here if prompted > ")
    sys.stdout.flush()
    if os.environ.get("FIXTURE_MODE") != "code":
        browse(loopback)
        threading.Thread(target=lambda: (exchange(wait()), os._exit(0)), daemon=True).start()
    while True:
        line = b""
        while not line.endswith(b"\r"):
            line += os.read(0, 1)
        try:
            exchange(line.decode().strip())
            sys.stdout.write("\r\nLogin successful.\r\n")
            return
        except urllib.error.HTTPError:
            sys.stdout.write(f"\x1b[2J\x1b[HInvalid code {line.decode().strip()}\r\n")
            sys.stdout.flush()
            time.sleep(0.3)
            sys.stdout.write(f"Paste code here if prompted > ")
            sys.stdout.flush()


def gemini():
    size = os.get_terminal_size(0)
    tty.setcbreak(0)
    sys.stdout.write("\x1b[?1049h\x1b[HOpening authentication page in your browser. Continue? [Y/n] ")
    sys.stdout.flush()
    answer = b""
    while not answer.endswith((b"\r", b"\n")):
        answer += os.read(0, 1)
    if answer[:1] != b"y":
        sys.exit(1)
    url = address()
    sys.stdout.write("\x1b[2J\x1b[H")
    for row, start in enumerate(range(0, len(url), 7)):  # drawn piece by piece, as no one would print it
        piece = url[start:start + 7]
        sys.stdout.write(f"\x1b[{start // size.columns + 3};{start % size.columns + 1}H{piece}")
    sys.stdout.write("\x1b[20;1HEnter the authorization code: ")
    sys.stdout.flush()
    line = b""
    while not line.endswith((b"\r", b"\n")):
        line += os.read(0, 1)
    exchange(line.decode().strip())
    time.sleep(1000)  # it goes on as a chat


def hostile(kind):
    if kind == "flood":
        while True:
            os.write(1, b"no address here " * 4000 + b"\r\n")
    if kind == "forks":
        for _ in range(20):
            subprocess.Popen(["sleep", "1009"], start_new_session=True, stdin=subprocess.DEVNULL)
        print("forked", flush=True)
    time.sleep(1000)


if not os.isatty(0) and sys.argv[1:] == []:
    sys.exit("Error: stdin is not a terminal")
words = sys.argv[1:]
if words[-1:] == ["--version"]:
    print(f"{NAME}-cli 1.2.3 (Fixture)")
elif words[-1:] == ["status"]:
    sys.exit(0 if os.path.exists(CREDENTIALS) else 1)
elif NAME == "codex" and words == ["login"]:
    codex()
elif NAME == "codex" and words == ["refuse"]:
    sys.exit(f"Error: no network, token {secrets.token_hex(20)} is of no use")
elif NAME == "codex" and words[:1] == ["hostile"]:
    hostile(words[1])
elif NAME == "claude" and words == ["auth", "login"]:
    claude()
elif NAME == "gemini" and words == []:
    gemini()
else:
    sys.exit(f"unknown words {words}")
