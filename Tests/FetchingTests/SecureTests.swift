import Fetching
import Foundation
import Model
import Support
import Testing

@Suite(
  "Fetching over TLS",
  .enabled(if: hasTool("openssl") && hasTool("python3"), "needs openssl and python3"))
struct SecureTests {
  let table: FetchingTable
  let server: SecureServer
  let download: Download

  init() throws {
    table = try FetchingTable()
    var download = table.serve("/plain", noise(1000))
    server = try SecureServer(in: table.folder, body: noise(1000), redirect: download.urls[0])
    download.urls = ["https://127.0.0.1:\(server.port)/a"]
    self.download = download
  }

  @Test func aTrustedServerIsUsed() async throws {
    try await table.fetcher { $0.certificates = server.certificate }.fetch([download])
    try table.store.check(download.hash)
  }

  @Test func aServerThatNobodyVouchesForIsRefusedWithoutRetry() async throws {
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher().fetch([download])
    }
    #expect(failure?.description.contains("SSL certificate problem: self") == true)
    #expect(table.asked.isEmpty)
  }

  @Test func aRedirectBackToHTTPIsRefused() async throws {
    var download = download
    download.urls = ["https://127.0.0.1:\(server.port)/redirect"]
    let failure = await #expect(throws: FetchFailure.self) {
      try await table.fetcher { $0.certificates = server.certificate }.fetch([download])
    }
    #expect(failure?.description.contains("it redirects to where it must not") == true)
    #expect(table.server.requests.isEmpty)
  }
}

/// A server on 127.0.0.1 with a certificate of its own; it redirects `/redirect`.
final class SecureServer: Sendable {
  let port: Int
  /// The file of the certificate.
  let certificate: String
  private let process = Process()

  init(in folder: TemporaryFolder, body: [UInt8], redirect: String) throws {
    certificate = (folder / "certificate.pem").string
    let key = (folder / "key.pem").string
    _ = try runTool(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
        "-keyout", key, "-out", certificate,
      ])
    let script = """
      import http.server, ssl, sys
      certificate, key, body, redirect = sys.argv[1:]
      class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
          data = open(body, "rb").read()
          self.send_response(302 if self.path == "/redirect" else 200)
          if self.path == "/redirect": self.send_header("Location", redirect)
          self.send_header("Content-Length", str(len(data)))
          self.end_headers()
          self.wfile.write(data)
        def log_message(self, *arguments): pass
      server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(certificate, key)
      server.socket = context.wrap_socket(server.socket, server_side=True)
      print(server.server_address[1], flush=True)
      server.serve_forever()
      """
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script, certificate, key]
    process.arguments? += [try folder.write("body", body).string, redirect]
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    port = Int(line.prefix { $0 != "\n" }) ?? 0
  }

  deinit {
    // Not SIGTERM: the threads that run tests block it, and so does what they start.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
