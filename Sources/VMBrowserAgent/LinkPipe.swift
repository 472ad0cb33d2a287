internal import AgentHTTP
internal import Glibc
internal import Terminal

/// The way of an address from a sign-in program to its session: the program starts what `BROWSER` names,
/// or `xdg-open`; both are this agent under another name, which writes the address into a named pipe.
final class LinkPipe {
  /// The variable that tells the program under the other name where the pipe is.
  static let variable = "SIGN_IN_LINK_PIPE"
  static let longest = 4000  // a write of up to 4096 bytes arrives in one piece

  let descriptor: Int32
  private var partial: [UInt8] = []

  /// Opens the reading end; as it also holds a writing end, the pipe never ends.
  static func open(_ path: String) throws(SystemFault) -> LinkPipe {
    let descriptor = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { throw SystemFault("open the pipe '\(path)'") }
    return LinkPipe(descriptor)
  }

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// The addresses that have arrived.
  func read() -> [String] {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return [] }
    partial += buffer[..<count]
    var links = partial.split(separator: 10, omittingEmptySubsequences: false)
    let rest = links.popLast() ?? []
    partial = rest.count > Self.longest ? [] : Array(rest)
    return links.filter { !$0.isEmpty }.map { String(decoding: $0, as: UTF8.self) }
  }

  /// The program under the other name: hands the first argument that is an address to the session.
  ///
  /// - Returns: the exit status.
  static func handOver(_ arguments: [String]) -> Int32 {
    guard let path = getenv(variable).map({ String(cString: $0) }) else {
      return complain("no sign-in is running: \(variable) is not set")
    }
    guard let link = arguments.first(where: { $0.contains("://") }), link.utf8.count <= longest,
      link.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return complain("usage: open-url ADDRESS") }
    let pipe = Glibc.open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    guard pipe >= 0 else { return complain("the sign-in is over") }
    defer { close(pipe) }
    let line = Array(link.utf8) + [10]
    return write(pipe, line, line.count) == line.count ? 0 : complain("the sign-in does not listen")
  }

  private static func complain(_ text: String) -> Int32 {
    let line = "open-url: \(text)\n"
    _ = write(2, line, line.utf8.count)
    return 1
  }
}
