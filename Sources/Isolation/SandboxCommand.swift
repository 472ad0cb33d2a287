public import SystemPackage

/// A program to run in a sandbox and what it gets.
public struct SandboxCommand: Sendable {
  /// The program and its arguments; a name without '/' is looked for on the sandbox's PATH.
  public var arguments: [String]
  /// Added to the fixed environment (`PATH`, `HOME`, `LC_ALL`), or instead of its entries.
  public var environment: [String: String]
  public var user: SandboxUser
  /// The working folder, in the root.
  public var folder: FilePath
  /// What standard input holds.
  public var input: [UInt8]
  /// The command is killed after so long; nil waits for ever.
  public var timeLimit: Duration?
  /// True gives the host's network and name servers; false a loopback interface that is down.
  public var hasNetwork: Bool
  /// True makes fsync and its kin do nothing: a tree that is not yet an image can be thrown away.
  public var ignoresSync: Bool
  /// False puts what goes to standard error into the output, in order.
  public var keepsErrorsApart: Bool
  /// How many bytes of each stream the result holds at most: the last ones.
  public var captureLimit: Int
  /// A terminal for the three streams, its size and what answers on it; nil gives pipes.
  public var terminal: Terminal?
  /// True leaves the root as it is: what the command writes is thrown away when it ends.
  public var isThrowAway = false

  /// A terminal that a command runs on.
  public struct Terminal: Sendable {
    public var rows: UInt16
    public var columns: UInt16
    /// Takes what the command prints, and gives what shall be typed.
    public var answer: @Sendable ([UInt8]) -> [UInt8]

    public init(
      rows: UInt16, columns: UInt16, answer: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) {
      self.rows = rows
      self.columns = columns
      self.answer = answer
    }
  }

  public init(
    _ arguments: [String], environment: [String: String] = [:], user: SandboxUser = .root,
    folder: FilePath = "/", input: [UInt8] = [], timeLimit: Duration? = nil,
    hasNetwork: Bool = false, ignoresSync: Bool = true, keepsErrorsApart: Bool = false,
    captureLimit: Int = 1 << 20
  ) {
    precondition(!arguments.isEmpty, "a command has a program")
    self.arguments = arguments
    self.environment = environment
    self.user = user
    self.folder = folder
    self.input = input
    self.timeLimit = timeLimit
    self.hasNetwork = hasNetwork
    self.ignoresSync = ignoresSync
    self.keepsErrorsApart = keepsErrorsApart
    self.captureLimit = captureLimit
  }

  /// What the scripts of packages want beside the fixed environment: no questions, and a fixed date.
  public static func packageEnvironment(epoch: Int) -> [String: String] {
    [
      "DEBIAN_FRONTEND": "noninteractive",
      "DEBCONF_NONINTERACTIVE_SEEN": "true",
      "SOURCE_DATE_EPOCH": "\(epoch)",
    ]
  }
}

/// Whom a command runs as; the numbers are the image's.
public struct SandboxUser: Sendable, Equatable {
  public var uid: UInt32
  public var gid: UInt32
  /// Supplementary groups.
  public var groups: [UInt32]
  public var home: String

  public init(uid: UInt32, gid: UInt32, groups: [UInt32] = [], home: String) {
    self.uid = uid
    self.gid = gid
    self.groups = groups
    self.home = home
  }

  public static let root = SandboxUser(uid: 0, gid: 0, home: "/root")
}

/// How a command ended and what it printed.
public struct SandboxResult: Sendable, Equatable {
  public enum Ending: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)
    case timedOut(Duration)

    public var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .signalled(let number): "killed by signal \(number)"
      case .timedOut(let limit): "killed after its time limit of \(limit)"
      }
    }
  }

  public var ending: Ending
  /// The last bytes of standard output; of both streams unless errors were kept apart.
  public var output: [UInt8]
  public var errors: [UInt8]
  /// Whether the program printed more than is kept.
  public var isTruncated: Bool

  public var isSuccess: Bool { ending == .exited(0) }
  /// The output as text; what is not UTF-8 becomes U+FFFD.
  public var text: String { String(decoding: output, as: UTF8.self) }
}
