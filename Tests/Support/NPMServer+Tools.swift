// Packages of the shape that the real command line tools have: a wrapper with platform packages, as
// plain names and as aliased versions, install scripts, prebuilt addons, and libraries at two versions.
internal import Foundation

extension NPMServer {
  /// claude-code, codex, gemini-cli and puppeteer with all that they need.
  public static var tools: [Package] {
    ["2.1.197", "2.1.198", "2.1.205"].flatMap(claude) + ["0.163.0", "0.164.0"].flatMap(codex)
      + gemini + puppeteer
  }

  private static let platforms = [
    "linux-x64", "linux-arm64", "darwin-arm64", "win32-x64",
  ]

  private static func claude(_ version: String) -> [Package] {
    let names = platforms + ["linux-x64-musl"]
    let optional = names.map { "\"@anthropic-ai/claude-code-\($0)\": \"\(version)\"" }
    let node = version < "2.1.198" ? ">=18.0.0" : ">=22.0.0"
    let wrapper = Package(
      "@anthropic-ai/claude-code", version,
      manifest: """
        "bin": {"claude": "bin/claude.exe"}, "engines": {"node": "\(node)"},
        "scripts": {"postinstall": "node install.cjs"},
        "optionalDependencies": {\(optional.joined(separator: ", "))}
        """,
      files: [
        "bin/claude.exe": TarFile(
          "echo \"Error: claude native binary not installed.\" >&2\nexit 1\n", mode: 0o755),
        "install.cjs": TarFile(
          """
          const fs = require('fs'), path = require('path');
          const from = require.resolve('@anthropic-ai/claude-code-linux-x64/claude');
          const to = path.join(__dirname, 'bin', 'claude.exe');
          fs.unlinkSync(to);
          fs.linkSync(from, to);

          """),
        "README.md": TarFile("# Claude Code\n"), "LICENSE.md": TarFile("MIT\n", mode: 0o600),
      ])
    return [wrapper]
      + names.map { name in
        Package(
          "@anthropic-ai/claude-code-\(name)", version, manifest: platform(name),
          files: [
            "claude": TarFile(
              nativeProgram(printing: "\(version) (Claude Code)"), mode: 0o755)
          ])
      }
  }

  /// `"os"`, `"cpu"` and `"libc"` of a platform's name.
  private static func platform(_ name: String) -> String {
    let parts = name.split(separator: "-")
    let libc = parts[0] == "linux" ? ", \"libc\": [\"\(parts.count > 2 ? "musl" : "glibc")\"]" : ""
    return "\"os\": [\"\(parts[0])\"], \"cpu\": [\"\(parts[1])\"]\(libc)"
  }

  private static func codex(_ version: String) -> [Package] {
    let optional = platforms.map {
      "\"@openai/codex-\($0)\": \"npm:@openai/codex@\(version)-\($0)\""
    }
    let wrapper = Package(
      "@openai/codex", version,
      manifest: """
        "bin": {"codex": "bin/codex.js"}, "type": "module", "engines": {"node": ">=16"},
        "optionalDependencies": {\(optional.joined(separator: ", "))}
        """,
      files: [
        "bin/codex.js": TarFile(
          """
          #!/usr/bin/env node
          import { spawnSync } from "node:child_process";
          import { createRequire } from "node:module";
          import path from "node:path";
          const require = createRequire(import.meta.url);
          const root = path.dirname(require.resolve("@openai/codex-linux-x64/package.json"));
          const program = path.join(root, "vendor/x86_64-unknown-linux-musl/codex/codex");
          process.exit(spawnSync(program, process.argv.slice(2), { stdio: "inherit" }).status ?? 1);

          """)
      ])
    return [wrapper]
      + platforms.map { name in
        let parts = name.split(separator: "-")
        return Package(
          "@openai/codex", "\(version)-\(name)",
          manifest: "\"os\": [\"\(parts[0])\"], \"cpu\": [\"\(parts[1])\"]",
          files: [
            "vendor/x86_64-unknown-linux-musl/codex/codex": TarFile(
              nativeProgram(printing: "codex-cli \(version)"), mode: 0o755),
            "vendor/x86_64-unknown-linux-musl/path/rg": TarFile(
              nativeProgram(printing: "ripgrep"), mode: 0o755),
          ])
      }
  }

  private static var gemini: [Package] {
    [
      Package(
        "@google/gemini-cli", "0.20.0",
        manifest: """
          "bin": {"gemini": "bundle/gemini.js"}, "engines": {"node": ">=20"},
          "dependencies": {"strip-ansi": "^7.0.0", "wrap-lines": "^1.0.0"},
          "optionalDependencies": {"@lydell/node-pty": "1.1.0", "keytar": "^7.9.0"}
          """,
        files: [
          "bundle/gemini.js": TarFile(
            """
            #!/usr/bin/env node
            require("@lydell/node-pty");
            console.log([require("../package.json").version, require("strip-ansi"),
              require("wrap-lines")].join(" "));

            """),
          "bundle/.gitignore": TarFile("dist\n"),
        ]),
      Package(
        "strip-ansi", "7.1.0", manifest: "\"dependencies\": {\"ansi-regex\": \"^6.0.1\"}",
        files: ["index.js": TarFile("module.exports = 'strip' + require('ansi-regex');\n")]),
      Package(
        "wrap-lines", "1.2.0",
        manifest: """
          "bin": {"wrap-lines": "./cli.js"}, "dependencies": {"ansi-regex": "^5.0.0"}
          """,
        files: [
          "index.js": TarFile("module.exports = 'wrap' + require('ansi-regex');\n"),
          "cli.js": TarFile("#!/usr/bin/env node\r\nconsole.log(1);\r\n"),
        ]),
      Package(
        "ansi-regex", "5.0.1", manifest: "\"bin\": {\"ansi\": \"cli.js\"}",
        files: [
          "index.js": TarFile("module.exports = 5;\n"),
          "cli.js": TarFile("#!/usr/bin/env node\n"),
        ]),
      Package("ansi-regex", "6.1.0", files: ["index.js": TarFile("module.exports = 6;\n")]),
      Package(
        "@lydell/node-pty", "1.1.0",
        manifest: """
          "optionalDependencies": {"@lydell/node-pty-linux-x64": "1.1.0",
          "@lydell/node-pty-darwin-arm64": "1.1.0"}
          """,
        files: [
          "index.js": TarFile(
            "require.resolve(`@lydell/node-pty-${process.platform}-${process.arch}/pty.node`);\n")
        ]),
      Package(
        "@lydell/node-pty-linux-x64", "1.1.0", manifest: "\"os\": [\"linux\"], \"cpu\": [\"x64\"]",
        files: ["pty.node": TarFile(nativeProgram(printing: "an addon"), mode: 0o755)]),
      Package(
        "@lydell/node-pty-darwin-arm64", "1.1.0",
        manifest: "\"os\": [\"darwin\"], \"cpu\": [\"arm64\"]"),
      Package(
        "keytar", "7.9.0",
        manifest: "\"scripts\": {\"install\": \"node -e 'process.exit(1)'\"}",
        files: ["lib/keytar.js": TarFile("\n")]),
    ]
  }

  private static var puppeteer: [Package] { puppeteer("24.31.0", chrome: "142.0.7444.175") }

  /// The one that the golden recipes name.
  public static var olderPuppeteer: [Package] { puppeteer("23.6.0", chrome: "130.0.6723.58") }

  private static func puppeteer(_ version: String, chrome: String) -> [Package] {
    [
      Package(
        "puppeteer", version,
        manifest: """
          "bin": {"puppeteer": "lib/cli.js"}, "scripts": {"postinstall": "node install.mjs"},
          "dependencies": {"puppeteer-core": "\(version)"}
          """,
        files: [
          "lib/cli.js": TarFile(
            "#!/usr/bin/env node\nconsole.log('\(version)');\n", mode: 0o755),
          "index.js": TarFile("module.exports = require('puppeteer-core');\n"),
          "install.mjs": TarFile("process.exit(process.env.PUPPETEER_SKIP_DOWNLOAD ? 0 : 1);\n"),
        ]),
      Package(
        "puppeteer-core", version,
        files: [
          "index.js": TarFile(puppeteerCore),
          // As the real package names the browsers that it was tested with.
          "lib/cjs/puppeteer/revisions.js": TarFile(
            """
            "use strict";
            Object.defineProperty(exports, "__esModule", { value: true });
            exports.PUPPETEER_REVISIONS = void 0;
            exports.PUPPETEER_REVISIONS = Object.freeze({
                chrome: '\(chrome)',
                'chrome-headless-shell': '\(chrome)',
                firefox: 'stable_145.0.1',
            });

            """),
        ]),
    ]
  }

  /// See the comment in it.
  private static let puppeteerCore: String = {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    // A test that drives a browser with it says so when it is not there.
    return
      (try? String(contentsOf: tests.appending(path: "Fixtures/puppeteer-core.js"), encoding: .utf8))
      ?? ""
  }()
}
