/// The size of a terminal in character cells.
public struct WindowSize: Sendable, Hashable {
  public var rows: UInt16
  public var columns: UInt16

  public init(rows: UInt16, columns: UInt16) {
    self.rows = rows
    self.columns = columns
  }

  /// So wide that a sign-in address fits on one row: programs that wrap text themselves then do not.
  public static let wide = WindowSize(rows: 50, columns: 1000)
}

/// A program to run: what, with what, and where its standard streams lead.
public struct Command: Sendable, Hashable {
  /// Where a child's standard streams lead.
  public enum Streams: Sendable, Hashable {
    /// All three to a new pseudo-terminal, which is the child's controlling terminal.
    case terminal(WindowSize)
    /// A pipe each.
    case pipes
  }

  /// A path, or a name to look up on the PATH of `environment`.
  public var program: String
  public var arguments: [String]
  /// All of the child's environment; nothing is inherited. A terminal's child gets a TERM if none is here.
  public var environment: [String: String]
  /// The working folder; nil leaves the parent's.
  public var folder: String?
  public var streams: Streams
  /// The control group that the child starts in, if it is to have one.
  public var controlGroup: ControlGroup?

  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
    folder: String? = nil, streams: Streams = .pipes, controlGroup: ControlGroup? = nil
  ) {
    self.program = program
    self.arguments = arguments
    self.environment = environment
    self.folder = folder
    self.streams = streams
    self.controlGroup = controlGroup
  }

  /// Whether the program is there, on the child's PATH or by its path.
  public var canStart: Bool {
    // Why it is not there does not matter here; starting it says so.
    (try? lookUp(program, path: environment["PATH"])) != nil
  }
}

/// How a child ended.
public enum Ending: Sendable, Hashable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  public var isSuccess: Bool { self == .exited(0) }

  public var description: String {
    switch self {
    case .exited(let status): "exited with status \(status)"
    case .signalled(let number): "ended by signal \(number)"
    }
  }
}
