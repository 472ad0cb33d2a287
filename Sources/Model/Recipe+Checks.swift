extension Recipe {
  /// `[budget]`: what an image must leave free.
  public struct Budget: Sendable, Equatable {
    /// Bytes for an ordinary user.
    public var free: Int?
    public var freeInodes: Int?
    public var position: SourcePosition

    public init(free: Int? = nil, freeInodes: Int? = nil, position: SourcePosition) {
      self.free = free
      self.freeInodes = freeInodes
      self.position = position
    }
  }

  /// `[[test]]`: a command in the finished image and what it has to say.
  public struct Test: Sendable, Equatable {
    public enum Stage: String, Sendable, Equatable, Codable {
      /// In the tree, in a sandbox without a network.
      case root
      /// In a machine that booted the image.
      case boot
    }
    public enum Expectation: Sendable, Equatable {
      case text(String)
      /// A regular expression.
      case pattern(String)
    }
    public var name: String
    /// Program and arguments; no shell in between.
    public var command: [String]
    public var stage: Stage
    /// Whether it runs on a terminal that answers as terminals do.
    public var hasTerminal: Bool
    /// What its output must hold, each of them.
    public var expectations: [Expectation]
    /// The exit status; nil where any will do, as with programs that wait for input.
    public var exit: Int?
    /// Seconds until it is killed.
    public var timeout: Int
    public var environment: [String: String]
    /// What is typed, or comes from standard input.
    public var input: String
    /// A user of the image.
    public var user: String
    public var position: SourcePosition

    public init(
      name: String, command: [String], stage: Stage = .root, hasTerminal: Bool = false,
      expectations: [Expectation] = [], exit: Int? = 0, timeout: Int = 30,
      environment: [String: String] = [:], input: String = "", user: String = "root",
      position: SourcePosition
    ) {
      self.name = name
      self.command = command
      self.stage = stage
      self.hasTerminal = hasTerminal
      self.expectations = expectations
      self.exit = exit
      self.timeout = timeout
      self.environment = environment
      self.input = input
      self.user = user
      self.position = position
    }
  }

  /// `[boot]`: how the image is booted, by the fleet and by the check.
  public struct Boot: Sendable, Equatable {
    /// The kernel's command line.
    public var commandLine: String
    /// In bytes.
    public var memory: Int
    /// The smallest processor of the fleet, by QEMU's name or `x86-64-v2` and its like.
    public var processor: String
    /// A kernel on the host; nil takes the distribution's for clouds.
    public var kernel: String?
    /// Its initrd; nil uses one of our own making.
    public var initrd: String?
    /// The unit that says that the machine is ready.
    public var ready: String
    /// Addresses that must answer with status 200: `http://:8080/health`.
    public var health: [String]
    /// A VNC display whose picture must not be blank: its port in the guest.
    public var display: Int?
    /// A command that brings something onto the display, such as a browser on a local page.
    public var show: [String]
    /// Its user.
    public var showUser: String
    /// Whether two clones are booted side by side and compared.
    public var clones: Bool
    /// Seconds until ready without a usable KVM; a tenth of it with one.
    public var timeout: Int
    /// Bytes that a machine may write to its disk until it is ready and idle.
    public var growth: Int
    public var position: SourcePosition

    public init(
      commandLine: String = Boot.usualCommandLine, memory: Int = 2 << 30,
      processor: String = "x86-64-v2", kernel: String? = nil, initrd: String? = nil,
      ready: String = "multi-user.target", health: [String] = [], display: Int? = nil,
      show: [String] = [], showUser: String = "root", clones: Bool = true, timeout: Int = 300,
      growth: Int = 8 << 20, position: SourcePosition
    ) {
      self.commandLine = commandLine
      self.memory = memory
      self.processor = processor
      self.kernel = kernel
      self.initrd = initrd
      self.ready = ready
      self.health = health
      self.display = display
      self.show = show
      self.showUser = showUser
      self.clones = clones
      self.timeout = timeout
      self.growth = growth
      self.position = position
    }

    public static let usualCommandLine = "console=ttyS0 root=/dev/vda rw panic=1 reboot=k"
  }

  /// `[[allow]]`: a finding that the recipe's author answers for.
  public struct Allowance: Sendable, Equatable {
    /// The check's name.
    public var check: String
    /// The place of the finding; '*' stands for anything, a '/' at the end for all below.
    public var path: String
    public var reason: String
    public var position: SourcePosition

    public init(check: String, path: String, reason: String, position: SourcePosition) {
      self.check = check
      self.path = path
      self.reason = reason
      self.position = position
    }
  }
}
