"""An npm registry on the loopback address, with packages of the real tools' shape and size: a wrapper with a
native program, another that is found by an alias, and one with many small files and libraries."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import random
import tarfile
import threading
import urllib.parse

PLATFORM = {"os": ["linux"], "cpu": ["x64"]}


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # npm asks for many at once


class Registry:
    """Serves while it is open. `program`: what the native programs hold, `size` bytes each; `libraries`: how
    many the third tool needs."""

    def __init__(self, program, size, libraries):
        random.seed(1)
        self.tarballs, self.documents = {}, {}
        for name, version, manifest, contents in packages(program, size, libraries):
            self.add(name, version, manifest, contents)

    def add(self, name, version, manifest, contents):
        manifest = {"name": name, "version": version, **manifest}
        body = tarball({"package.json": json.dumps(manifest).encode(), **contents})
        path = f"/{name}/-/{name.split('/')[-1]}-{version}.tgz"
        self.tarballs[path] = body
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode()
        document = self.documents.setdefault(name, {"name": name, "versions": {}, "dist-tags": {}})
        document["versions"][version] = {**manifest, "dist": {"path": path, "integrity": integrity}}
        if "-" not in version:
            document["dist-tags"]["latest"] = version

    def __enter__(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                path = urllib.parse.unquote(self.path)
                body = registry.tarballs.get(path) or registry.document(path[1:])
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def document(self, name):
        if name not in self.documents:
            return None
        document = json.loads(json.dumps(self.documents[name]))
        for version in document["versions"].values():
            version["dist"]["tarball"] = self.address + version["dist"].pop("path")[1:]
        return json.dumps(document).encode()

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def packages(program, size, libraries):
    """Name, version, manifest and files of each."""
    program = (program * (size // len(program) + 1))[:size]
    yield ("@anthropic-ai/claude-code", "2.1.205",
           {"bin": {"claude": "cli.js"},
            "optionalDependencies": {"@anthropic-ai/claude-code-linux-x64": "2.1.205"}},
           {"cli.js": b"#!/usr/bin/env node\n"})
    yield ("@anthropic-ai/claude-code-linux-x64", "2.1.205", PLATFORM, {"claude": program})
    yield ("@openai/codex", "0.164.0",
           {"bin": {"codex": "bin/codex.js"},
            "optionalDependencies": {"@openai/codex-linux-x64": "npm:@openai/codex@0.164.0-linux-x64"}},
           {"bin/codex.js": b"#!/usr/bin/env node\n"})
    yield "@openai/codex", "0.164.0-linux-x64", PLATFORM, {"vendor/codex": program}
    names = [f"library-{number}" for number in range(libraries)]
    for name in names:
        yield name, "1.0.0", {}, {f"lib/part-{number:02}.js": script() for number in range(16)}
    yield ("@google/gemini-cli", "0.20.0",
           {"bin": {"gemini": "gemini.js"}, "dependencies": {name: "^1.0.0" for name in names}},
           {"gemini.js": b"#!/usr/bin/env node\n"})


def script():
    return b"".join(f"export const name{random.randrange(10**9)} = {n};\n".encode() for n in range(150))


def tarball(contents):
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=1, mtime=0) as stream:
        with tarfile.open(fileobj=stream, mode="w") as archive:
            for path, content in contents.items():
                entry = tarfile.TarInfo("package/" + path)
                entry.size, entry.mode = len(content), 0o755 if "." not in path else 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
