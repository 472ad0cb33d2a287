internal import Glibc

/// Who may call: whoever bears the token that the controller handed over at boot.
///
/// The token is looked up for each request, so that one that arrives after the start counts, and so does
/// a new one in a resumed snapshot.
public struct TokenGate: Sendable {
  /// Where the token stands: a file, or a word `<name>=<token>` of the kernel's command line.
  public enum Source: Sendable, Hashable {
    case file(String)
    case kernelCommandLine(name: String)
    case fixed(String)
  }

  /// Shorter tokens could be guessed and do not count.
  public static let shortest = 16

  private let sources: [Source]

  /// - Parameter sources: tried in this order; the first that has a token decides.
  public init(_ sources: [Source]) { self.sources = sources }

  /// Lets a request pass, or says why not.
  ///
  /// - Parameter authorization: the header of that name.
  func check(_ authorization: String?) throws(Refusal) {
    guard let token else {
      throw Refusal(503, "no_token", "the controller has not handed over a token yet")
    }
    let scheme = "bearer "
    guard let authorization, authorization.lowercased().hasPrefix(scheme),
      isSame(Array(authorization.utf8.dropFirst(scheme.utf8.count)), token)
    else { throw Refusal(401, "unauthorized", "the bearer token is missing or wrong") }
  }

  private var token: [UInt8]? {
    for source in sources {
      let text: [UInt8]? =
        switch source {
        case .fixed(let text): Array(text.utf8)
        case .file(let path): contents(of: path, limit: 4096)
        case .kernelCommandLine(let name):
          word(name, of: contents(of: "/proc/cmdline", limit: 65536))
        }
      guard var text else { continue }
      while let last = text.last, last <= 0x20 { text.removeLast() }
      if text.count >= Self.shortest { return text }
    }
    return nil
  }

  private func word(_ name: String, of line: [UInt8]?) -> [UInt8]? {
    let key = Array("\(name)=".utf8)
    return line?.split { $0 <= 0x20 }.last { $0.starts(with: key) }.map {
      Array($0.dropFirst(key.count))
    }
  }
}

/// Compares in a time that depends on the length of the first alone.
func isSame(_ given: [UInt8], _ expected: [UInt8]) -> Bool {
  var difference = given.count == expected.count ? 0 as UInt8 : 1
  for index in given.indices { difference |= given[index] ^ expected[index % expected.count] }
  return difference == 0
}

/// The bytes of a small file, or nil when it cannot be read.
public func contents(of path: String, limit: Int) -> [UInt8]? {
  let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
  guard file >= 0 else { return nil }
  defer { close(file) }
  var bytes = [UInt8](repeating: 0, count: limit)
  var count = 0
  while count < limit {
    let more = bytes.withUnsafeMutableBytes { buffer in
      read(file, buffer.baseAddress.map { $0 + count }, limit - count)
    }
    if more < 0, errno == EINTR { continue }
    if more < 0 { return nil }
    if more == 0 { break }
    count += more
  }
  return Array(bytes[..<count])
}
