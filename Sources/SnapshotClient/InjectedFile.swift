/// A file that belongs to one machine: its token, its network. It is put into the machine's own disk.
public struct InjectedFile: Sendable, Equatable {
  /// Absolute, in the image; folders that are missing are made, a file that is there is replaced.
  public var path: String
  public var content: [UInt8]
  /// Permissions, such as `0o400`.
  public var mode: UInt16
  public var owner: UInt32
  public var group: UInt32

  public init(
    path: String, content: [UInt8], mode: UInt16 = 0o644, owner: UInt32 = 0, group: UInt32 = 0
  ) {
    self.path = path
    self.content = content
    self.mode = mode
    self.owner = owner
    self.group = group
  }

  /// The parts of the path; nil where it is no absolute path of a file.
  var parts: [String]? {
    let parts = path.split(separator: "/").map(String.init)
    guard path.hasPrefix("/"), !parts.isEmpty,
      parts.allSatisfy({ $0 != "." && $0 != ".." && $0.utf8.count <= 255 && !$0.utf8.contains(0) })
    else { return nil }
    return parts
  }
}

/// Why a file could not be put into a machine's disk.
public enum InjectionFailure: Error, Sendable, Equatable, CustomStringConvertible {
  case badPath(String)
  case isFolder(String)
  /// A call of libext2fs failed.
  case failed(path: String, operation: String, reason: String)

  public var description: String {
    switch self {
    case .badPath(let path): "'\(path)' is no absolute path of a file in an image"
    case .isFolder(let path): "cannot put a file at '\(path)': the image has a folder there"
    case .failed(let path, let operation, let reason):
      "cannot \(operation) '\(path)' in the machine's disk: \(reason)"
    }
  }
}
